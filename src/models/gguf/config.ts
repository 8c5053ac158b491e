/** The config.json that a GGUF file's metadata amounts to (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). */
import { type Metadata, needed } from "../../util/metadata.ts";
import { type GgufModelType, ggufPlaces } from "./places.ts";
import { ropeOf } from "./rope.ts";

/** Fields of a config.json. */
export type ConfigFields = Readonly<Record<string, unknown>>;

/** What the metadata does not say and the tensors do. */
export interface GgufFacts {
  /** Shapes by the tensors' names. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The divisors of rotary frequencies, where the file holds them. */
  readonly ropeFactors?: Float32Array;
}

/** A float32 as the shortest decimal that means it: 1e-5, not 9.999999747378752e-06. */
export const shortest = (x: number): number => {
  for (let digits = 1; digits < 17; digits++) {
    const rounded = Number(x.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(x)) return rounded;
  }
  return x;
};

/** Keys that change what a model computes, in ways that are not here. */
const FOREIGN = [
  ...["expert_count", "expert_used_count", "logit_scale", "residual_scale", "embedding_scale"],
  ...["attention.scale", "attention.max_alibi_bias", "attention.clamp_kqv", "attn_logit_softcapping"],
  ...["final_logit_softcapping", "attention.temperature_scale", "rope.dimension_sections"],
];

/** The metadata under one architecture's name. */
const reader = (m: Metadata, name: GgufModelType, facts: GgufFacts) => {
  const key = (field: string): string => `${name}.${field}`;
  const count = (field: string): number => {
    const value = needed(m, key(field), m.count(key(field)));
    return value > 0 ? value : m.fail(key(field), "must be at least 1");
  };
  const vocab = (): number => {
    const rows = facts.shapes.get("token_embd.weight")?.[0];
    return rows ?? m.fail("general.architecture", `is ${name}, but there is no tensor token_embd.weight`);
  };
  const epsilon = (field: string): number => shortest(needed(m, key(field), m.number(key(field))));
  for (const field of FOREIGN) {
    if (m.has(key(field)) && m.number(key(field)) !== 0) m.fail(key(field), `is not known for ${name} here`);
  }
  return { key, count, vocab, epsilon, optional: (field: string) => m.count(key(field)) };
};

type Reader = ReturnType<typeof reader>;

/** Ids of special tokens; null where the file names none. */
const tokenIds = (m: Metadata, none: number | null): ConfigFields =>
  Object.fromEntries(
    Object.entries({ bos: "bos", eos: "eos", pad: "padding" }).map(([short, long]) => [
      `${short}_token_id`,
      m.count(`tokenizer.ggml.${long}_token_id`) ?? none,
    ]),
  );

const gpt2 = (m: Metadata, _: GgufFacts, r: Reader): ConfigFields => ({
  n_positions: r.count("context_length"),
  n_embd: r.count("embedding_length"),
  n_inner: r.count("feed_forward_length"),
  n_layer: r.count("block_count"),
  n_head: r.count("attention.head_count"),
  layer_norm_epsilon: r.epsilon("attention.layer_norm_epsilon"),
  activation_function: "gelu_new",
  // Older converters wrote the embedding twice; a head of its own is told by its numbers.
  tie_word_embeddings: true,
  ...tokenIds(m, 0),
});

/** Width of a head, all of which must be turned. */
const headWidth = (m: Metadata, r: Reader): number => {
  const own = r.count("embedding_length") / r.count("attention.head_count");
  const width = r.optional("attention.key_length") ?? own;
  for (const field of ["attention.value_length", "rope.dimension_count"]) {
    const other = r.optional(field) ?? width;
    if (other !== width) m.fail(r.key(field), `is ${other}, but heads are ${width} wide`);
  }
  if (!Number.isInteger(width)) m.fail(r.key("attention.head_count"), "does not divide the width");
  return width;
};

/** Windows that every text fits into change nothing. */
const refuseWindow = (m: Metadata, r: Reader): void => {
  const window = r.optional("attention.sliding_window") ?? 0;
  if (window === 0 || window >= r.count("context_length")) return;
  m.fail(r.key("attention.sliding_window"), `is ${window}; only models that see the whole text are read`);
};

const rotary = (m: Metadata, facts: GgufFacts, r: Reader): ConfigFields => {
  refuseWindow(m, r);
  const heads = r.count("attention.head_count");
  return {
    hidden_size: r.count("embedding_length"),
    intermediate_size: r.count("feed_forward_length"),
    num_hidden_layers: r.count("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: r.optional("attention.head_count_kv") ?? heads,
    head_dim: headWidth(m, r),
    hidden_act: "silu",
    max_position_embeddings: r.count("context_length"),
    rms_norm_eps: r.epsilon("attention.layer_norm_rms_epsilon"),
    ...ropeOf(m, r.key("rope"), facts.ropeFactors),
    tie_word_embeddings: !facts.shapes.has("output.weight"),
    ...tokenIds(m, null),
  };
};

const llama = (m: Metadata, facts: GgufFacts, r: Reader): ConfigFields => ({
  ...rotary(m, facts, r),
  attention_bias: facts.shapes.has("blk.0.attn_q.bias"),
  mlp_bias: facts.shapes.has("blk.0.ffn_up.bias"),
});

const bert = (m: Metadata, facts: GgufFacts, r: Reader): ConfigFields => {
  const causal = r.key("attention.causal");
  if (m.flag(causal) === true) m.fail(causal, "is true, which no BERT is");
  return {
    hidden_size: r.count("embedding_length"),
    num_hidden_layers: r.count("block_count"),
    num_attention_heads: r.count("attention.head_count"),
    intermediate_size: r.count("feed_forward_length"),
    hidden_act: "gelu",
    max_position_embeddings: r.count("context_length"),
    type_vocab_size: facts.shapes.get("token_types.weight")?.[0] ?? 2,
    layer_norm_eps: r.epsilon("attention.layer_norm_epsilon"),
    pad_token_id: m.count("tokenizer.ggml.padding_token_id") ?? 0,
  };
};

const readers: Readonly<
  Record<GgufModelType, { className: string; fields: (m: Metadata, f: GgufFacts, r: Reader) => ConfigFields }>
> = {
  gpt2: { className: "GPT2LMHeadModel", fields: gpt2 },
  llama: { className: "LlamaForCausalLM", fields: llama },
  qwen2: { className: "Qwen2ForCausalLM", fields: rotary },
  qwen3: { className: "Qwen3ForCausalLM", fields: rotary },
  bert: { className: "BertModel", fields: bert },
};

/** The architecture of a file. Throws FormatError naming the key for one that is not known. */
export const ggufModelType = (m: Metadata): GgufModelType => {
  const key = "general.architecture";
  const name = needed(m, key, m.text(key));
  if (Object.hasOwn(ggufPlaces, name)) return name as GgufModelType;
  const known = Object.keys(ggufPlaces).join(", ");
  return m.fail(key, `is "${name}", an architecture that is not known`, `known: ${known}`);
};

/** config.json of a file. Throws FormatError naming the key that is absent, wrong, or not known here. */
export const configOfGguf = (m: Metadata, facts: GgufFacts): ConfigFields => {
  const name = ggufModelType(m);
  const { className, fields } = readers[name];
  const r = reader(m, name, facts);
  return {
    model_type: name,
    architectures: [className],
    vocab_size: r.vocab(),
    ...fields(m, facts, r),
  };
};
