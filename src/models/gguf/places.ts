/**
 * Where the weights of a model stand in a GGUF file. Names and layouts are those of llama.cpp's own converter
 * (https://github.com/ggml-org/llama.cpp/blob/master/convert_hf_to_gguf.py): Conv1D matrices are turned, and
 * Llama's query and key rows stand in the order of rotary pairs.
 */

/** What a weight's numbers go through on their way into the file. */
export type Layout = "as is" | "turned" | "query" | "key";

/** Where one weight stands and how it is laid out. */
export interface Place {
  /** Of the tensor, or, the other way, of the weight. */
  readonly name: string;
  readonly layout: Layout;
  /** Kept in float32 whatever the file's type. */
  readonly exact?: boolean;
}

/** Both directions between weights and tensors. */
export interface Places {
  /** Where a weight goes; undefined for a name that llama.cpp has no place for. */
  tensorOf(weight: string): Place | undefined;
  /** The weight that a tensor is; undefined for a name that is not known. */
  weightOf(tensor: string): Place | undefined;
}

type Table = Readonly<Record<string, string | Place>>;

const NUMBERED = /^(.*?)\.(\d+)\.(.*)\.(weight|bias)$/;
const WHOLE = /^(.*)\.(weight|bias)$/;

/** A lookup in a table of names, those of block i written with {i}. */
const lookup =
  (places: ReadonlyMap<string, Place>) =>
  (name: string): Place | undefined => {
    const block = NUMBERED.exec(name);
    const whole = WHOLE.exec(name);
    const [key, suffix, i] =
      block === null ? [whole?.[1], whole?.[2], ""] : [`${block[1]}.{i}.${block[3]}`, block[4], block[2]!];
    const place = places.get(key ?? "");
    if (place === undefined) return undefined;
    const layout = suffix === "bias" && place.layout === "turned" ? "as is" : place.layout;
    return { ...place, layout, name: `${place.name.replace("{i}", i)}.${suffix}` };
  };

const placesOf = (table: Table): Places => {
  const pairs = Object.entries(table).map(([weight, to]) => {
    const place: Place = typeof to === "string" ? { name: to, layout: "as is" } : to;
    return [weight, place] as const;
  });
  return {
    tensorOf: lookup(new Map(pairs)),
    weightOf: lookup(new Map(pairs.map(([weight, place]) => [place.name, { ...place, name: weight }]))),
  };
};

const turned = (name: string): Place => ({ name, layout: "turned" });

const gpt2: Table = {
  "transformer.wte": "token_embd",
  "transformer.wpe": { name: "position_embd", layout: "as is", exact: true },
  "transformer.ln_f": "output_norm",
  lm_head: "output",
  "transformer.h.{i}.ln_1": "blk.{i}.attn_norm",
  "transformer.h.{i}.attn.c_attn": turned("blk.{i}.attn_qkv"),
  "transformer.h.{i}.attn.c_proj": turned("blk.{i}.attn_output"),
  "transformer.h.{i}.ln_2": "blk.{i}.ffn_norm",
  "transformer.h.{i}.mlp.c_fc": turned("blk.{i}.ffn_up"),
  "transformer.h.{i}.mlp.c_proj": turned("blk.{i}.ffn_down"),
};

/** Llama and its kin, whose query and key rows are in pairs or not. */
const rotary = (paired: boolean): Table => ({
  "model.embed_tokens": "token_embd",
  "model.norm": "output_norm",
  lm_head: "output",
  "model.layers.{i}.input_layernorm": "blk.{i}.attn_norm",
  "model.layers.{i}.self_attn.q_proj": { name: "blk.{i}.attn_q", layout: paired ? "query" : "as is" },
  "model.layers.{i}.self_attn.k_proj": { name: "blk.{i}.attn_k", layout: paired ? "key" : "as is" },
  "model.layers.{i}.self_attn.v_proj": "blk.{i}.attn_v",
  "model.layers.{i}.self_attn.o_proj": "blk.{i}.attn_output",
  "model.layers.{i}.self_attn.q_norm": "blk.{i}.attn_q_norm",
  "model.layers.{i}.self_attn.k_norm": "blk.{i}.attn_k_norm",
  "model.layers.{i}.post_attention_layernorm": "blk.{i}.ffn_norm",
  "model.layers.{i}.mlp.gate_proj": "blk.{i}.ffn_gate",
  "model.layers.{i}.mlp.up_proj": "blk.{i}.ffn_up",
  "model.layers.{i}.mlp.down_proj": "blk.{i}.ffn_down",
});

const bert: Table = {
  "bert.embeddings.word_embeddings": "token_embd",
  "bert.embeddings.position_embeddings": { name: "position_embd", layout: "as is", exact: true },
  "bert.embeddings.token_type_embeddings": { name: "token_types", layout: "as is", exact: true },
  "bert.embeddings.LayerNorm": "token_embd_norm",
  "bert.encoder.layer.{i}.attention.self.query": "blk.{i}.attn_q",
  "bert.encoder.layer.{i}.attention.self.key": "blk.{i}.attn_k",
  "bert.encoder.layer.{i}.attention.self.value": "blk.{i}.attn_v",
  "bert.encoder.layer.{i}.attention.output.dense": "blk.{i}.attn_output",
  "bert.encoder.layer.{i}.attention.output.LayerNorm": "blk.{i}.attn_output_norm",
  "bert.encoder.layer.{i}.intermediate.dense": "blk.{i}.ffn_up",
  "bert.encoder.layer.{i}.output.dense": "blk.{i}.ffn_down",
  "bert.encoder.layer.{i}.output.LayerNorm": "blk.{i}.layer_output_norm",
};

/** By llama.cpp's name of an architecture, which is config.json's model_type too. */
export const ggufPlaces = {
  gpt2: placesOf(gpt2),
  llama: placesOf(rotary(true)),
  qwen2: placesOf(rotary(false)),
  qwen3: placesOf(rotary(false)),
  bert: placesOf(bert),
} as const satisfies Readonly<Record<string, Places>>;

/** A model_type that has places in GGUF files. */
export type GgufModelType = keyof typeof ggufPlaces;
