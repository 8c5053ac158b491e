/** Architectures and models: pure functions over a tree of params, and the numbers that go with them. */
import type { Value } from "../ir/op.ts";
import type { Dim, Tensor } from "../ir/tensor.ts";
import type { Param, ParamSpec, Weight } from "../nn/param.ts";
import type { CacheInputs } from "../ops/attention.ts";
import type { Tree } from "../util/tree.ts";
import type { LinearInfo } from "./linears.ts";
import type { Widths } from "./widths.ts";

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Which head stands on a model; "features" is a body without one. */
export type Head =
  | "causal-lm"
  | "masked-lm"
  | "replaced-token-detection"
  | "sequence-classification"
  | "token-classification"
  | "features"
  | "seq2seq-lm";

/** What every parsed config has. */
export interface ModelConfig {
  readonly model_type: string;
  /** The class that Hugging Face loads it with: it says the task (see `headOf`). */
  readonly architectures: readonly string[];
  readonly vocab_size: number;
}

/** One layer's cache, in a program. */
export type LayerCache = Pick<CacheInputs, "pastKey" | "pastValue" | "keyScale" | "valueScale">;

/** What a model's forward pass reads. */
export interface Inputs {
  /** [B, T] int32 or int64. */
  readonly inputIds: Value;
  /** [B, T] or [T]; 0..T-1 unless given. */
  readonly positionIds?: Value;
  /** [B, T] int32 or int64: 1 where a token counts, 0 where there is padding. */
  readonly attentionMask?: Value;
  /**
   * `[B, T]` int32, of decoders without a cache: which text of its row a token is of. Tokens see their own
   * text alone; `positionIds` count anew in each.
   */
  readonly documentIds?: Value;
  /** `[B, T]`: which of two texts a token is of (BERT). */
  readonly tokenTypeIds?: Value;
  /** `[B, U]`: the target's tokens, shifted to the right (sequence-to-sequence training). */
  readonly decoderInputIds?: Value;
  /** Decoding against a cache: the layers' own parts and what they share. */
  readonly cache?: { readonly layers: readonly LayerCache[]; readonly total: Dim } & Omit<
    CacheInputs,
    keyof LayerCache
  >;
  /** Training: an int32 seed that differs at each step; absent means no dropout. */
  readonly dropoutSeed?: Value;
  /** Training: activations within layers are computed again in the backward pass, and not kept for it. */
  readonly recompute?: boolean;
  /** Training: a layer's gradient goes further back once those of its params are made. */
  readonly inOrder?: boolean;
}

/** What a model's forward pass gives. */
export interface Outputs {
  /** [B, T, C] after the last norm. */
  readonly hidden: Value;
  /** `[V, C]`: where logits are `hidden` times its transpose, plus `headBias` if it is there, that matrix. */
  readonly head?: Param;
  /** `[V]`: what is added to that product. */
  readonly headBias?: Value;
  /**
   * [B, T, V] of a language model, [B, labels] of a sequence classifier, [B, T, labels] of a token
   * classifier, [B, T] of a detector of replaced tokens, `hidden` itself where features are the result.
   */
  readonly logits: Value;
  /** Training: rows of `hidden` whose loss is found at once; all unless told. */
  readonly lossRows?: number;
  /** Of a masked language model: hidden states [..., C] -> logits [..., V], for some of the tokens alone. */
  readonly readout?: (hidden: Value) => Value;
  /** The layers' grown caches, where a cache was given. */
  readonly present: readonly { readonly key: Value; readonly value: Value }[];
}

/** A model's sizes, and what the cache of what decodes looks like. */
export interface CacheShape {
  readonly vocab: number;
  readonly layers: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  /** The longest sequence that the model takes. */
  readonly positions: number;
}

/** A family of models: how its config is read, what weights it has, what it computes. */
// biome-ignore lint/suspicious/noExplicitAny: the defaults of the core types' parameters.
export interface Architecture<C = any, P = any> {
  /** config.json's model_type. */
  readonly name: string;
  /** Decoders read on from a cache, encoders read whole texts, seq2seq is one of each. */
  readonly kind: "decoder" | "encoder" | "seq2seq";
  /** Class names by task, as in config.json's `architectures`; the first is the default. */
  readonly classes: Readonly<Partial<Record<Head, string>>>;
  /**
   * First part of the body's weight names ("transformer", "bert"), which checkpoints of a bare body leave
   * out.
   */
  readonly base?: string;
  /** The name here of a checkpoint's tensor; null for a buffer that is no weight. */
  rename?(name: string, config: C): string | null;
  /**
   * Weights that the config makes one of: their other names in checkpoints -> the name here (see `joinTied`).
   */
  tied?(config: C): Readonly<Record<string, string>>;
  /** How names of a head's parts begin that the head of another task has too, and goes on with. */
  readonly shared?: readonly string[];
  /** Weights that a checkpoint may lack: they keep their first values. */
  readonly optional?: readonly string[];
  /** A config from config.json, checked; throws ConfigError naming the field. */
  parse(json: unknown): C;
  /** Type and first values of each weight. */
  params(config: C): P;
  /** Training, prefill and decoding: one function, cache optional. */
  forward(params: Tree<Param>, inputs: Inputs, config: C): Outputs;
  /** Of seq2seq the decoder's; of an encoder, which has no cache, its sizes. */
  cache(config: C): CacheShape;
  /** The same model with only these layers (by index): config and weights. */
  keepLayers(
    config: C,
    weights: Tree<Weight>,
    layers: readonly number[],
  ): { config: C; weights: Tree<Weight> };
  /** Each of the model's matrices. */
  linears(config: C): readonly LinearInfo[];
  /** What its config says of how wide layers are inside. */
  readonly widths: Widths;
}

/** A decoder layer's cache of sequence-to-sequence: of the target so far, and of the source. */
export type CrossCache = {
  readonly decoder: { readonly key: Value; readonly value: Value };
  readonly encoder: { readonly key: Value; readonly value: Value };
};

/** What the decoder of sequence-to-sequence reads. */
export interface DecodeInputs {
  /** [B, U] int32 or int64: the target's tokens; behind the cache's where there is one. */
  readonly decoderInputIds: Value;
  /** `[B, S, C]`: what `encode` gives. */
  readonly encoded: Value;
  /** `[B, S]`: 1 where a token of the source counts, 0 where there is padding. */
  readonly attentionMask?: Value;
  /** Serving: each layer's cache; `use` int64 [1] is 0 where all of it is to be ignored, else 1. */
  readonly past?: { readonly layers: readonly CrossCache[]; readonly use: Value };
  /** Training: see Inputs. */
  readonly dropoutSeed?: Value;
  readonly recompute?: boolean;
  readonly inOrder?: boolean;
}

/** What the decoder of sequence-to-sequence gives. */
export interface Decoded extends Omit<Outputs, "present"> {
  /**
   * The layers' caches: `decoder` grown by this call; `encoder` is what this call projected, which is the
   * whole source without a past and nothing (length 0) with one.
   */
  readonly present: readonly CrossCache[];
}

/** An encoder and a decoder that reads it; `forward` is one after the other, for training. */
// biome-ignore lint/suspicious/noExplicitAny: the defaults of the core types' parameters.
export interface Seq2SeqArchitecture<C = any, P = any> extends Architecture<C, P> {
  readonly kind: "seq2seq";
  /** inputIds [B, S] and attentionMask [B, S] -> [B, S, C]. */
  encode(params: Tree<Param>, inputs: Omit<Inputs, "decoderInputIds" | "cache">, config: C): Value;
  decode(params: Tree<Param>, inputs: DecodeInputs, config: C): Decoded;
  /** The decoder's first token, the one that pads, and those that end a text. */
  tokens(config: C): { readonly start: number; readonly pad: number; readonly eos: readonly number[] };
}

/** Which tokens' hidden states become the vector of a text: see `sentenceEmbedding`. */
export type PoolingMode = "mean" | "cls" | "max" | "lasttoken";

/** How an embedding model makes one vector of a text. */
export interface Pooling {
  readonly mode: PoolingMode;
  /** Whether the vector is scaled to Euclidean length 1, so that a dot product is the cosine. */
  readonly normalize: boolean;
}

/** One step of a model's ancestry: a pass or a training run with its options. */
export interface HistoryStep {
  readonly name: string;
  readonly options: Json;
}

/** An architecture with a config, the numbers that go with it, and how they came about. */
// biome-ignore lint/suspicious/noExplicitAny: as above.
export interface Model<C = any> {
  readonly arch: Architecture<C>;
  readonly config: C;
  readonly weights: Tree<Weight>;
  readonly history: readonly HistoryStep[];
  /** Of a model of features whose texts have vectors: how they are made. */
  readonly pooling?: Pooling;
  /** Of a decoder whose cache is int8: the steps of each layer's. */
  readonly cacheScales?: readonly CacheScales[];
}

/** What a step of int8 is of each channel of a layer's cache, float32 [kvHeads * headWidth]. */
export interface CacheScales {
  readonly key: Tensor;
  readonly value: Tensor;
}

export type { ParamSpec };
