/**
 * Marian (Junczys-Dowmunt et al. 2018, https://arxiv.org/abs/1804.00344): the encoder-decoder of the OPUS-MT
 * translators, post-norm as the first Transformer (https://arxiv.org/abs/1706.03762), with fixed sinusoidal
 * positions. Weight names and config fields are those of Hugging Face's MarianMTModel.
 */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { activations } from "../../nn/activations.ts";
import { dotProductAttention, joinHeads, splitHeads } from "../../nn/attention/dotProductAttention.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { paddingMask } from "../../nn/encoderBlock.ts";
import { embed, type Linear, linear, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, normal, type Param, type ParamSpec, param, type Weight, zerosInit } from "../../nn/param.ts";
import { detach } from "../../ops/detach.ts";
import { add, equal, mul, where } from "../../ops/elementwise.ts";
import { gather } from "../../ops/rows.ts";
import { reshape } from "../../ops/structure.ts";
import type { Tree } from "../../util/tree.ts";
import { checkLength } from "../encoders/encoder.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Decoded, DecodeInputs, Inputs, Seq2SeqArchitecture } from "../model.ts";
import { hasShared, type MarianConfig, marianClasses, marianTied, parseMarian } from "./marianConfig.ts";
import { type DecoderState, decoderState, equalDepths, forwardOf, positionsOf } from "./seq2seq.ts";

// B batch, S source, U target, C channels, H heads, D head width

/** torch's LayerNorm without an epsilon told. */
const EPSILON = 1e-5;

type MarianAttention<T> = Record<"q_proj" | "k_proj" | "v_proj" | "out_proj", Linear<T>>;
type Layer<T> = {
  self_attn: MarianAttention<T>;
  self_attn_layer_norm: Norm<T>;
  fc1: Linear<T>;
  fc2: Linear<T>;
  final_layer_norm: Norm<T>;
};
type DecoderLayer<T> = Layer<T> & { encoder_attn: MarianAttention<T>; encoder_attn_layer_norm: Norm<T> };
type Stack<T, L> = { embed_tokens?: { weight: T }; layers: L[] };
/** All weights; one matrix is both embeddings and the head, or each stack has an embedding of its own. */
export type MarianParams<T> = {
  model: {
    shared?: { weight: T };
    encoder: Stack<T, Layer<T>>;
    decoder: Stack<T, DecoderLayer<T>>;
  };
  lm_head?: { weight: T };
  final_logits_bias: T;
};

const params = (c: MarianConfig): MarianParams<ParamSpec> => {
  const matrix = (n: number, k: number): Linear<ParamSpec> => ({
    weight: param([n, k], normal(c.init_std)),
    bias: param([n], zerosInit),
  });
  const table = (rows: number) => ({ weight: param([rows, c.d_model], normal(c.init_std)) });
  const square = () => matrix(c.d_model, c.d_model);
  const attention = () => ({ k_proj: square(), v_proj: square(), q_proj: square(), out_proj: square() });
  const layer = (width: number): Layer<ParamSpec> => ({
    self_attn: attention(),
    self_attn_layer_norm: normSpec(c.d_model),
    fc1: matrix(width, c.d_model),
    fc2: matrix(c.d_model, width),
    final_layer_norm: normSpec(c.d_model),
  });
  const shared = hasShared(c);
  return {
    model: {
      ...(shared ? { shared: table(c.vocab_size) } : {}),
      encoder: {
        ...(shared ? {} : { embed_tokens: table(c.vocab_size) }),
        layers: Array.from({ length: c.encoder_layers }, () => layer(c.encoder_ffn_dim)),
      },
      decoder: {
        ...(shared ? {} : { embed_tokens: table(c.decoder_vocab_size) }),
        layers: Array.from({ length: c.decoder_layers }, () => ({
          ...layer(c.decoder_ffn_dim),
          encoder_attn: attention(),
          encoder_attn_layer_norm: normSpec(c.d_model),
        })),
      },
    },
    ...(c.tie_word_embeddings ? {} : { lm_head: table(c.decoder_vocab_size) }),
    final_logits_bias: param([1, c.decoder_vocab_size], zerosInit),
  };
};

/** `[positions, C]`: sines in the first half of the channels, cosines in the second. */
const sinusoids = ({ max_position_embeddings: length, d_model: width }: MarianConfig): Value => {
  const half = Math.ceil(width / 2);
  const values = Array.from({ length: length * width }, (_, i) => {
    const [position, j] = [Math.floor(i / width), i % width];
    const pair = j < half ? j : j - half;
    const angle = position / 10000 ** ((2 * pair) / width);
    return j < half ? Math.sin(angle) : Math.cos(angle);
  });
  return constant(tensorOf("float32", [length, width], values));
};

/** What the layers of one call share. */
interface Call {
  readonly c: MarianConfig;
  readonly seed: Value | undefined;
}

const drop = ({ seed }: Call, x: Value, { rate, site }: { rate: number; site: string }): Value =>
  dropout(x, rate, site, seed);

interface Read {
  readonly ids: Value;
  readonly positions: Value;
  readonly site: string;
}

/**
 * Tokens and positions [B, T, C]. The padding's row learns nothing here, as in torch, though decoders start
 * from it.
 */
const embedded = (call: Call, table: Param, { ids, positions, site }: Read): Value => {
  const { c } = call;
  checkLength(ids, c.max_position_embeddings);
  const rows = embed(table, ids);
  const isPad = reshape(equal(ids, c.pad_token_id), [...ids.shape, 1]);
  const learnt = where(isPad, detach(rows), rows);
  const scaled = c.scale_embedding ? mul(learnt, Math.sqrt(c.d_model)) : learnt;
  return drop(call, add(scaled, gather(sinusoids(c), positions)), { rate: c.dropout, site });
};

/** Keys and values [B, H, T, D] of x [B, T, C]. */
const keyValue = (p: MarianAttention<Param>, x: Value, count: number) => ({
  key: splitHeads(linear(p.k_proj, x), count),
  value: splitHeads(linear(p.v_proj, x), count),
});

interface Seen {
  readonly key: Value;
  readonly value: Value;
  readonly mask: Value | undefined;
  readonly site: string;
}

/** x plus its attention over what is seen, not normed yet. */
const attended = (
  call: Call,
  p: MarianAttention<Param>,
  x: Value,
  { key, value, mask, site }: Seen,
): Value => {
  const { c } = call;
  const drops = c.attention_dropout > 0 && call.seed !== undefined;
  const out = dotProductAttention(splitHeads(linear(p.q_proj, x), key.shape[1] as number), key, value, {
    mask,
    scale: (key.shape[3] as number) ** -0.5,
    dropProbs: drops
      ? (probs) => drop(call, probs, { rate: c.attention_dropout, site: `${site}.probs` })
      : undefined,
  });
  return add(x, drop(call, linear(p.out_proj, joinHeads(out)), { rate: c.dropout, site }));
};

const mlp = (call: Call, p: Layer<Param>, x: Value, { site }: { site: string }): Value => {
  const { c } = call;
  const inner = activations[c.activation_function](linear(p.fc1, x));
  const kept = drop(call, inner, { rate: c.activation_dropout, site: `${site}.inner` });
  const out = drop(call, linear(p.fc2, kept), { rate: c.dropout, site });
  return norm(p.final_layer_norm, add(x, out), EPSILON);
};

const encode = (
  tree: Tree<Param>,
  inputs: Omit<Inputs, "decoderInputIds" | "cache">,
  c: MarianConfig,
): Value => {
  const { encoder, shared } = (tree as MarianParams<Param>).model;
  const call = { c, seed: inputs.dropoutSeed };
  const mask = inputs.attentionMask && paddingMask(inputs.attentionMask);
  const table = (shared ?? encoder.embed_tokens)!.weight;
  const { inputIds: ids } = inputs;
  let x = embedded(call, table, { ids, positions: positionsOf(ids), site: "encoder.embed" }); // [B, S, C]
  encoder.layers.forEach((layer, i) => {
    const site = `encoder.${i}`;
    x = layerInput(inputs, x);
    const seen = { ...keyValue(layer.self_attn, x, c.encoder_attention_heads), mask, site: `${site}.own` };
    x = norm(layer.self_attn_layer_norm, attended(call, layer.self_attn, x, seen), EPSILON);
    x = mlp(call, layer, x, { site: `${site}.mlp` });
  });
  return x;
};

const decoderLayer = (
  call: Call,
  layer: DecoderLayer<Param>,
  given: Value,
  { state, i }: { state: DecoderState; i: number },
) => {
  const count = call.c.decoder_attention_heads;
  const site = `decoder.${i}`;
  const grown = state.own(i, keyValue(layer.self_attn, given, count));
  const own = { ...grown, mask: state.causal, site: `${site}.own` };
  let x = norm(layer.self_attn_layer_norm, attended(call, layer.self_attn, given, own), EPSILON);
  const fresh = keyValue(layer.encoder_attn, state.unread, count);
  const source = { ...state.source(i, fresh), mask: state.padding, site: `${site}.cross` };
  x = norm(layer.encoder_attn_layer_norm, attended(call, layer.encoder_attn, x, source), EPSILON);
  return { x: mlp(call, layer, x, { site: `${site}.mlp` }), present: { decoder: grown, encoder: fresh } };
};

const decode = (tree: Tree<Param>, inputs: DecodeInputs, c: MarianConfig): Decoded => {
  const { model, lm_head, final_logits_bias } = tree as MarianParams<Param>;
  const call = { c, seed: inputs.dropoutSeed };
  const state = decoderState(inputs);
  const table = (model.shared ?? model.decoder.embed_tokens)!.weight;
  const present: Decoded["present"][number][] = [];
  const ids = inputs.decoderInputIds;
  let x = embedded(call, table, { ids, positions: state.queries, site: "decoder.embed" }); // [B, U, C]
  model.decoder.layers.forEach((layer, i) => {
    const out = decoderLayer(call, layer, layerInput(inputs, x), { state, i });
    x = out.x;
    present.push(out.present);
  });
  // The bias is a buffer of the checkpoint: it is never trained.
  const bias = reshape(detach(dense(final_logits_bias)), [c.decoder_vocab_size]);
  const head = (lm_head?.weight ?? table) as Param;
  return { hidden: x, head, headBias: bias, logits: project(head, x, bias), present };
};

const rename = (name: string): string | null => {
  // Sinusoids, which the model makes itself.
  if (/^model\.(encoder|decoder)\.embed_positions\.weight$/.test(name)) return null;
  return name;
};

const roles: LinearNames["roles"] = {
  shared: "embedding",
  embed_tokens: "embedding",
  q_proj: "q",
  k_proj: "k",
  v_proj: "v",
  out_proj: "o",
  fc1: "up",
  fc2: "down",
  lm_head: "head",
};

const headFor = (c: MarianConfig): LinearNames["head"] => {
  const own = hasShared(c) ? "model.shared.weight" : "model.decoder.embed_tokens.weight";
  return { path: c.tie_word_embeddings ? own : "lm_head.weight", bias: "final_logits_bias" };
};

/** Marian: the translators of OPUS-MT. */
export const marian: Seq2SeqArchitecture<MarianConfig, MarianParams<ParamSpec>> = {
  name: "marian",
  kind: "seq2seq",
  classes: marianClasses,
  base: "model",
  rename,
  tied: marianTied,
  optional: ["final_logits_bias"],
  parse: parseMarian,
  params,
  encode,
  decode,
  forward: forwardOf<MarianConfig>({ encode, decode }),
  tokens: (c) => ({ start: c.decoder_start_token_id, pad: c.pad_token_id, eos: [c.eos_token_id].flat() }),
  cache: (c) => ({
    vocab: c.decoder_vocab_size,
    layers: c.decoder_layers,
    kvHeads: c.decoder_attention_heads,
    headWidth: c.d_model / c.decoder_attention_heads,
    positions: c.max_position_embeddings,
  }),
  keepLayers: (config, weights, layers) => {
    equalDepths(config.encoder_layers, config.decoder_layers, layers);
    const tree = weights as MarianParams<Weight>;
    const { encoder, decoder } = tree.model;
    const kept = <L>(stack: Stack<Weight, L>): Stack<Weight, L> => ({
      ...stack,
      layers: layers.map((i) => stack.layers[i]!),
    });
    const model = { ...tree.model, encoder: kept(encoder), decoder: kept(decoder) };
    const count = layers.length;
    return {
      config: { ...config, encoder_layers: count, decoder_layers: count },
      weights: { ...tree, model } as MarianParams<Weight>,
    };
  },
  widths: {
    neurons: { "model.encoder.": "encoder_ffn_dim", "model.decoder.": "decoder_ffn_dim" },
  },
  linears: (c) => linearsOf(params(c), { roles, cross: "encoder_attn", head: headFor(c) }),
};
