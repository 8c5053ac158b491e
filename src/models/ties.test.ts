import { describe, expect, test } from "vitest";
import { type Tensor, tensor, zeros } from "../ir/tensor.ts";
import { initialize, type ParamSpec } from "../nn/param.ts";
import { FormatError } from "../util/errors.ts";
import { flatten, type Tree } from "../util/tree.ts";
import { modelOf } from "./checkpoint/load.ts";
import { architectures } from "./registry.ts";

type Config = Readonly<Record<string, unknown>>;

const size = { vocab_size: 11, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
const small = { ...size, intermediate_size: 12, max_position_embeddings: 8 };
const t5 = { model_type: "t5", vocab_size: 11, d_model: 8, d_ff: 12, d_kv: 4, num_heads: 2, num_layers: 1 };
const marian = {
  model_type: "marian",
  vocab_size: 11,
  d_model: 8,
  max_position_embeddings: 8,
  ...{ encoder_layers: 1, encoder_attention_heads: 2, encoder_ffn_dim: 12 },
  ...{ decoder_layers: 1, decoder_attention_heads: 2, decoder_ffn_dim: 12 },
};

/** A tied config, the name of the one matrix, and that of its head. */
const rows: readonly (readonly [Config, one: string, head: string])[] = [
  [
    { model_type: "gpt2", vocab_size: 11, n_positions: 8, n_embd: 8, n_layer: 1, n_head: 2 },
    "transformer.wte.weight",
    "lm_head.weight",
  ],
  [
    { model_type: "llama", ...small, tie_word_embeddings: true },
    "model.embed_tokens.weight",
    "lm_head.weight",
  ],
  [
    { model_type: "bert", ...small },
    "bert.embeddings.word_embeddings.weight",
    "cls.predictions.decoder.weight",
  ],
  [
    { model_type: "roberta", ...small },
    "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.weight",
  ],
  [
    { model_type: "xlm-roberta", ...small },
    "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.weight",
  ],
  [{ model_type: "mpnet", ...small }, "mpnet.embeddings.word_embeddings.weight", "lm_head.decoder.weight"],
  [
    {
      model_type: "distilbert",
      ...{ vocab_size: 11, dim: 8, n_layers: 1, n_heads: 2, hidden_dim: 12, max_position_embeddings: 8 },
    },
    "distilbert.embeddings.word_embeddings.weight",
    "vocab_projector.weight",
  ],
  [t5, "shared.weight", "lm_head.weight"],
  [marian, "model.shared.weight", "lm_head.weight"],
  [
    { ...marian, share_encoder_decoder_embeddings: false, decoder_vocab_size: 11 },
    "model.decoder.embed_tokens.weight",
    "lm_head.weight",
  ],
];

const checkpoint = (config: Config, seed = 1): Map<string, Tensor> => {
  const arch = architectures[config.model_type as string]!;
  return flatten<Tensor>(initialize(arch.params(arch.parse(config)) as Tree<ParamSpec>, seed));
};
const load = (config: Config, tensors: ReadonlyMap<string, Tensor>) => {
  const { config: own, weights, history } = modelOf(config, tensors, "model.safetensors");
  return { own: own as Config, weights: flatten<Tensor>(weights as Tree<Tensor>), history };
};
const copied = (t: Tensor): Tensor => tensor("float32", t.shape, new Float32Array(t.data as Float32Array));
const other = (t: Tensor): Tensor => {
  const made = copied(t);
  (made.data as Float32Array)[3]! += 1;
  return made;
};

describe.each(rows)("%j", (config, one, head) => {
  const tensors = checkpoint(config);

  test("a head that is equal is tied", () => {
    const { own, weights } = load(config, new Map(tensors).set(head, copied(tensors.get(one)!)));
    expect(own.tie_word_embeddings).toBe(true);
    expect(weights).toEqual(tensors);
  });

  test("a head that differs is kept, and the config says so", () => {
    const theirs = other(tensors.get(one)!);
    const { own, weights, history } = load(config, new Map(tensors).set(head, theirs));
    expect(own).toMatchObject({ tie_word_embeddings: false });
    expect(weights.get(head)).toEqual(theirs);
    expect(weights.get(one) ?? weights.get(one.replace("shared", "decoder.embed_tokens"))).toEqual(
      tensors.get(one),
    );
    expect(history).toEqual([]);
    // What was loaded, written and read again is the same.
    expect(load(JSON.parse(JSON.stringify(own)), weights)).toMatchObject({ own, weights });
  });

  test("the one matrix under the head's name only is it", () => {
    const renamed = new Map(tensors).set(head, tensors.get(one)!);
    renamed.delete(one);
    expect(load(config, renamed).weights).toEqual(tensors);
  });

  test("without the matrix under any name it is missing", () => {
    const less = new Map(tensors);
    less.delete(one);
    expect(() => load(config, less)).toThrow(FormatError);
    expect(() => load(config, less)).toThrow(`${one} is missing`);
  });

  test("a head of another shape is refused", () => {
    const wrong = new Map(tensors).set(head, zeros({ dtype: "float32", shape: [3, 8] }));
    expect(() => load(config, wrong)).toThrow(`${head} is [3, 8] (expected [11, 8])`);
  });
});

describe("biases of two names", () => {
  const config = { model_type: "bert", ...small };
  const [one, own] = ["cls.predictions.bias", "cls.predictions.decoder.bias"];

  test("are one where equal, or where there is only the other", () => {
    const tensors = checkpoint(config);
    expect(load(config, new Map(tensors).set(own, copied(tensors.get(one)!))).weights).toEqual(tensors);
    const renamed = new Map(tensors).set(own, tensors.get(one)!);
    renamed.delete(one);
    expect(load(config, renamed).weights).toEqual(tensors);
  });

  test("the decoder's is the one that counts", () => {
    const tensors = checkpoint(config);
    const theirs = other(tensors.get(one)!);
    const { weights } = load(config, new Map(tensors).set(own, theirs));
    expect(weights.get(own)).toEqual(theirs);
    expect(weights.get("cls.predictions.decoder.weight")).toEqual(
      tensors.get("bert.embeddings.word_embeddings.weight"),
    );
  });

  test("an untied head takes the bias under its old name", () => {
    const untied = { ...config, tie_word_embeddings: false };
    const tensors = checkpoint(untied);
    const renamed = new Map(tensors).set(one, tensors.get(own)!);
    renamed.delete(own);
    expect(load(untied, renamed).weights).toEqual(tensors);
  });
});

describe("embeddings of encoder and decoder", () => {
  const halves = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
  const ofMarian = halves.map((name) => `model.${name}`);
  test.each([
    [t5, "shared.weight", halves],
    [marian, "model.shared.weight", ofMarian],
  ])("of %j are the shared one", (config, shared, names) => {
    const tensors = checkpoint(config);
    const all = new Map(tensors);
    for (const name of names) all.set(name, copied(tensors.get(shared)!));
    expect(load(config, all).weights).toEqual(tensors);
    all.delete(shared);
    expect(load(config, all).weights).toEqual(tensors);
  });

  test("of T5 that differ are refused", () => {
    const tensors = checkpoint(t5);
    const own = new Map(tensors).set(halves[1]!, other(tensors.get("shared.weight")!));
    expect(() => load(t5, own)).toThrow(FormatError);
    expect(() => load(t5, own)).toThrow(/"decoder\.embed_tokens\.weight": differs from shared\.weight/);
  });

  test("of Marian that differ are kept, each with a matrix of its own", () => {
    const tensors = checkpoint(marian);
    const shared = tensors.get("model.shared.weight")!;
    const theirs = other(shared);
    const { own, weights } = load(marian, new Map(tensors).set(ofMarian[0]!, theirs));
    expect(own).toMatchObject({ share_encoder_decoder_embeddings: true, tie_word_embeddings: false });
    expect(weights.get(ofMarian[0]!)).toEqual(theirs);
    expect([weights.get(ofMarian[1]!), weights.get("lm_head.weight")]).toEqual([shared, shared]);
    expect(weights.has("model.shared.weight")).toBe(false);
  });
});

test("a T5 1.1 without a head of its own has a copy of the embedding", () => {
  const config = { ...t5, tie_word_embeddings: false };
  const tensors = checkpoint(config);
  tensors.delete("lm_head.weight");
  const { own, weights } = load(config, tensors);
  expect(own).toMatchObject({ tie_word_embeddings: false, scale_decoder_outputs: false });
  expect(weights.get("lm_head.weight")).toEqual(tensors.get("shared.weight"));
  expect(weights.get("lm_head.weight")!.data).not.toBe(weights.get("shared.weight")!.data);
});

test("Marian's bias of the logits may be missing, and is zero then", () => {
  const tensors = checkpoint(marian);
  tensors.delete("final_logits_bias");
  const { weights, history } = load(marian, tensors);
  expect(weights.get("final_logits_bias")).toEqual(zeros({ dtype: "float32", shape: [1, 11] }));
  expect(history).toEqual([]);
});

test("a head that differs is of no use to another task", () => {
  const config = { model_type: "llama", ...small, tie_word_embeddings: true };
  const tensors = checkpoint(config);
  const own = new Map(tensors).set("lm_head.weight", other(tensors.get("model.embed_tokens.weight")!));
  const { weights } = modelOf(config, own, "model.safetensors", { task: "features" });
  expect([...flatten<Tensor>(weights as Tree<Tensor>).keys()]).not.toContain("lm_head.weight");
});
