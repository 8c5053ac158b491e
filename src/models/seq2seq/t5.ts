/**
 * T5 (Raffel et al. 2020, https://arxiv.org/abs/1910.10683) and its 1.1 form (FLAN-T5): pre-norm encoder and
 * decoder without biases, whose attention knows positions by a learnt bias for relative distances, which the
 * layers of a stack share. Weight names and config fields are those of Hugging Face's
 * T5ForConditionalGeneration.
 */
import type { Value } from "../../ir/op.ts";
import { activations } from "../../nn/activations.ts";
import { dotProductAttention, joinHeads, splitHeads } from "../../nn/attention/dotProductAttention.ts";
import { relativeBias } from "../../nn/attention/relativeBias.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { paddingMask } from "../../nn/encoderBlock.ts";
import { embed, project } from "../../nn/linear.ts";
import { dense, normal, type Param, type ParamSpec, param, type Weight } from "../../nn/param.ts";
import { type RmsNorm, rmsNorm, rmsNormSpec } from "../../nn/rmsNorm.ts";
import { add, mul } from "../../ops/elementwise.ts";
import type { Tree } from "../../util/tree.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Decoded, DecodeInputs, Inputs, Seq2SeqArchitecture } from "../model.ts";
import {
  bothMasks,
  type DecoderState,
  decoderState,
  equalDepths,
  forwardOf,
  positionsOf,
} from "./seq2seq.ts";
import { parseT5, type T5Config, t5Classes } from "./t5Config.ts";

// B batch, S source, U target, C channels, H heads, D head width

type Matrix<T> = { weight: T };
type T5Attention<T> = Record<"q" | "k" | "v" | "o", Matrix<T>> & { relative_attention_bias?: Matrix<T> };
type SelfLayer<T> = { SelfAttention: T5Attention<T>; layer_norm: RmsNorm<T> };
type CrossLayer<T> = { EncDecAttention: T5Attention<T>; layer_norm: RmsNorm<T> };
type Mlp<T> = { wi?: Matrix<T>; wi_0?: Matrix<T>; wi_1?: Matrix<T>; wo: Matrix<T> };
type MlpLayer<T> = { DenseReluDense: Mlp<T>; layer_norm: RmsNorm<T> };
type EncoderBlock<T> = { layer: [SelfLayer<T>, MlpLayer<T>] };
type DecoderBlock<T> = { layer: [SelfLayer<T>, CrossLayer<T>, MlpLayer<T>] };
type Stack<T, B> = { block: B[]; final_layer_norm: RmsNorm<T> };
/** All weights; there is no head where it is tied to the embedding. */
export type T5Params<T> = {
  shared: Matrix<T>;
  encoder: Stack<T, EncoderBlock<T>>;
  decoder: Stack<T, DecoderBlock<T>>;
  lm_head?: Matrix<T>;
};

const matrix = (n: number, k: number, std: number): Matrix<ParamSpec> => ({
  weight: param([n, k], normal(std)),
});

const attentionSpec = (c: T5Config, biased: boolean): T5Attention<ParamSpec> => {
  const inner = c.num_heads * c.d_kv;
  const std = c.initializer_factor * c.d_model ** -0.5;
  return {
    q: matrix(inner, c.d_model, std * c.d_kv ** -0.5),
    k: matrix(inner, c.d_model, std),
    v: matrix(inner, c.d_model, std),
    o: matrix(c.d_model, inner, c.initializer_factor * inner ** -0.5),
    ...(biased
      ? { relative_attention_bias: matrix(c.relative_attention_num_buckets, c.num_heads, std) }
      : {}),
  };
};

const mlpSpec = (c: T5Config): MlpLayer<ParamSpec> => {
  const wide = () => matrix(c.d_ff, c.d_model, c.initializer_factor * c.d_model ** -0.5);
  const wo = matrix(c.d_model, c.d_ff, c.initializer_factor * c.d_ff ** -0.5);
  return {
    DenseReluDense: c.is_gated_act ? { wi_0: wide(), wi_1: wide(), wo } : { wi: wide(), wo },
    layer_norm: rmsNormSpec(c.d_model),
  };
};

const params = (c: T5Config): T5Params<ParamSpec> => {
  const own = (i: number): SelfLayer<ParamSpec> => ({
    SelfAttention: attentionSpec(c, i === 0),
    layer_norm: rmsNormSpec(c.d_model),
  });
  const cross = (): CrossLayer<ParamSpec> => ({
    EncDecAttention: attentionSpec(c, false),
    layer_norm: rmsNormSpec(c.d_model),
  });
  const stack = <B>(length: number, block: (i: number) => B): Stack<ParamSpec, B> => ({
    block: Array.from({ length }, (_, i) => block(i)),
    final_layer_norm: rmsNormSpec(c.d_model),
  });
  const embedding = () => matrix(c.vocab_size, c.d_model, c.initializer_factor);
  return {
    shared: embedding(),
    encoder: stack(c.num_layers, (i) => ({ layer: [own(i), mlpSpec(c)] })),
    decoder: stack(c.num_decoder_layers, (i) => ({ layer: [own(i), cross(), mlpSpec(c)] })),
    ...(c.tie_word_embeddings ? {} : { lm_head: embedding() }),
  };
};

/** What the layers of one call share. */
interface Call {
  readonly c: T5Config;
  drop(x: Value, site: string): Value;
  /** Dropout of probabilities, where there is any. */
  dropProbs(site: string): ((probs: Value) => Value) | undefined;
}

const callOf = (c: T5Config, seed: Value | undefined): Call => {
  const drop = (x: Value, site: string): Value => dropout(x, c.dropout_rate, site, seed);
  const drops = c.dropout_rate > 0 && seed !== undefined;
  return { c, drop, dropProbs: (site) => (drops ? (x) => drop(x, site) : undefined) };
};

const mlp = (
  call: Call,
  { DenseReluDense: p, layer_norm }: MlpLayer<Param>,
  x: Value,
  { site }: { site: string },
): Value => {
  const { c } = call;
  const activation = activations[c.dense_act_fn];
  const normed = rmsNorm(layer_norm, x, c.layer_norm_epsilon);
  const inner =
    p.wi === undefined
      ? mul(activation(project(p.wi_0!.weight, normed)), project(p.wi_1!.weight, normed))
      : activation(project(p.wi.weight, normed));
  return add(x, call.drop(project(p.wo.weight, call.drop(inner, `${site}.inner`)), site));
};

/** Attention of `x` over keys and values that `read` makes: scores are not scaled, the first weights are. */
const attention = (
  call: Call,
  p: T5Attention<Param>,
  x: Value,
  { mask, site, read }: { mask: Value | undefined; site: string; read: () => { key: Value; value: Value } },
): Value => {
  const { key, value } = read();
  const q = splitHeads(project(p.q.weight, x), call.c.num_heads);
  const options = { mask, scale: 1, dropProbs: call.dropProbs(`${site}.probs`) };
  return call.drop(project(p.o.weight, joinHeads(dotProductAttention(q, key, value, options))), site);
};

/** Keys and values [B, H, T, D] of x [B, T, C]. */
const keyValue = (p: T5Attention<Param>, x: Value, count: number) => ({
  key: splitHeads(project(p.k.weight, x), count),
  value: splitHeads(project(p.v.weight, x), count),
});

interface Positions {
  readonly queries: Value;
  readonly keys: Value;
  readonly bidirectional: boolean;
}

/** The bias that the first layer of a stack holds for all. */
const biasOf = (c: T5Config, layer: SelfLayer<Param>, { queries, keys, bidirectional }: Positions): Value =>
  relativeBias(dense(layer.SelfAttention.relative_attention_bias!.weight), queries, keys, {
    buckets: c.relative_attention_num_buckets,
    maxDistance: c.relative_attention_max_distance,
    bidirectional,
  });

const encode = (tree: Tree<Param>, inputs: Omit<Inputs, "decoderInputIds" | "cache">, c: T5Config): Value => {
  const { shared, encoder } = tree as T5Params<Param>;
  const call = callOf(c, inputs.dropoutSeed);
  const positions = positionsOf(inputs.inputIds);
  const bias = biasOf(c, encoder.block[0]!.layer[0], {
    queries: positions,
    keys: positions,
    bidirectional: true,
  });
  const mask = bothMasks(bias, inputs.attentionMask && paddingMask(inputs.attentionMask));
  let x = call.drop(embed(shared.weight, inputs.inputIds), "encoder.embed"); // [B, S, C]
  encoder.block.forEach(({ layer: [own, wide] }, i) => {
    const site = `encoder.${i}`;
    x = layerInput(inputs, x);
    const normed = rmsNorm(own.layer_norm, x, c.layer_norm_epsilon);
    const read = () => keyValue(own.SelfAttention, normed, c.num_heads);
    x = add(x, attention(call, own.SelfAttention, normed, { mask, site: `${site}.own`, read }));
    x = mlp(call, wide, x, { site: `${site}.mlp` });
  });
  return call.drop(rmsNorm(encoder.final_layer_norm, x, c.layer_norm_epsilon), "encoder.out");
};

const decoderBlock = (
  call: Call,
  { layer: [own, cross, wide] }: DecoderBlock<Param>,
  given: Value,
  { state, mask, i }: { state: DecoderState; mask: Value | undefined; i: number },
) => {
  const { c } = call;
  const site = `decoder.${i}`;
  const normed = rmsNorm(own.layer_norm, given, c.layer_norm_epsilon);
  const grown = state.own(i, keyValue(own.SelfAttention, normed, c.num_heads));
  const seen = { mask, site: `${site}.own`, read: () => grown };
  let x = add(given, attention(call, own.SelfAttention, normed, seen));
  const fresh = keyValue(cross.EncDecAttention, state.unread, c.num_heads);
  const source = { mask: state.padding, site: `${site}.cross`, read: () => state.source(i, fresh) };
  const asked = rmsNorm(cross.layer_norm, x, c.layer_norm_epsilon);
  x = add(x, attention(call, cross.EncDecAttention, asked, source));
  return { x: mlp(call, wide, x, { site: `${site}.mlp` }), present: { decoder: grown, encoder: fresh } };
};

const decode = (tree: Tree<Param>, inputs: DecodeInputs, c: T5Config): Decoded => {
  const { shared, decoder, lm_head } = tree as T5Params<Param>;
  const call = callOf(c, inputs.dropoutSeed);
  const state = decoderState(inputs);
  const bias = biasOf(c, decoder.block[0]!.layer[0], { ...state, bidirectional: false });
  const mask = bothMasks(bias, state.causal);
  const present: Decoded["present"][number][] = [];
  let x = call.drop(embed(shared.weight, inputs.decoderInputIds), "decoder.embed"); // [B, U, C]
  decoder.block.forEach((block, i) => {
    const out = decoderBlock(call, block, layerInput(inputs, x), { state, mask, i });
    x = out.x;
    present.push(out.present);
  });
  const normed = call.drop(rmsNorm(decoder.final_layer_norm, x, c.layer_norm_epsilon), "decoder.out");
  const hidden = c.scale_decoder_outputs ? mul(normed, c.d_model ** -0.5) : normed;
  const head = (lm_head ?? shared).weight;
  return { hidden, head, logits: project(head, hidden), present };
};

/** The relative bias moves to the layer that comes first. */
const keepBlocks = <B extends { layer: [SelfLayer<Weight>, ...unknown[]] }>(
  blocks: readonly B[],
  layers: readonly number[],
): B[] => {
  const bias = blocks[0]!.layer[0].SelfAttention.relative_attention_bias!;
  return layers.map((index, i) => {
    const [own, ...rest] = blocks[index]!.layer;
    const { q, k, v, o } = own.SelfAttention;
    const SelfAttention = { q, k, v, o, ...(i === 0 ? { relative_attention_bias: bias } : {}) };
    return { ...blocks[index]!, layer: [{ ...own, SelfAttention }, ...rest] };
  });
};

const roles: LinearNames["roles"] = {
  shared: "embedding",
  q: "q",
  k: "k",
  v: "v",
  o: "o",
  relative_attention_bias: "position",
  wi: "up",
  wi_0: "gate",
  wi_1: "up",
  wo: "down",
  lm_head: "head",
};

/** T5 1.0, 1.1 and Flan: text to text. */
export const t5: Seq2SeqArchitecture<T5Config, T5Params<ParamSpec>> = {
  name: "t5",
  kind: "seq2seq",
  classes: t5Classes,
  // A cross-attention has no positions; the first checkpoints hold one all the same.
  rename: (name) => (name.endsWith("EncDecAttention.relative_attention_bias.weight") ? null : name),
  // The head too where the config says otherwise, as in transformers 5: it is then what the checkpoint holds.
  tied: () => ({
    "encoder.embed_tokens.weight": "shared.weight",
    "decoder.embed_tokens.weight": "shared.weight",
    "lm_head.weight": "shared.weight",
  }),
  parse: parseT5,
  params,
  encode,
  decode,
  forward: forwardOf<T5Config>({ encode, decode }),
  tokens: (c) => ({ start: c.decoder_start_token_id, pad: c.pad_token_id, eos: [c.eos_token_id].flat() }),
  cache: (c) => ({
    vocab: c.vocab_size,
    layers: c.num_decoder_layers,
    kvHeads: c.num_heads,
    headWidth: c.d_kv,
    // Relative positions have no end.
    positions: Number.POSITIVE_INFINITY,
  }),
  keepLayers: (config, weights, layers) => {
    equalDepths(config.num_layers, config.num_decoder_layers, layers);
    const tree = weights as T5Params<Weight>;
    const { encoder, decoder } = tree;
    const kept: T5Params<Weight> = {
      ...tree,
      encoder: { ...encoder, block: keepBlocks(encoder.block, layers) },
      decoder: { ...decoder, block: keepBlocks(decoder.block, layers) },
    };
    const count = layers.length;
    return { config: { ...config, num_layers: count, num_decoder_layers: count }, weights: kept };
  },
  widths: {
    neurons: { "": "d_ff" },
    heads: { heads: "num_heads", width: "d_kv", table: "relative_attention_bias.weight" },
  },
  linears: (c) => {
    const head = c.tie_word_embeddings ? { path: "shared.weight" } : undefined;
    return linearsOf(params(c), { roles, cross: "EncDecAttention", head });
  },
};
