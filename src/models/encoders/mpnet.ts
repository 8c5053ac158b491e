/**
 * MPNet (Song et al. 2020, https://arxiv.org/abs/2004.09297): RoBERTa's positions, no token types, and a
 * learnt bias for relative distances that all layers share (T5's). Weight names and config fields are those
 * of Hugging Face's MPNetForMaskedLM and its kin.
 */
import type { Value } from "../../ir/op.ts";
import { activations } from "../../nn/activations.ts";
import { relativeBias } from "../../nn/attention/relativeBias.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { type EncoderParts, encoderBlock, paddingMask } from "../../nn/encoderBlock.ts";
import { embed, type Linear } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, normal, type Param, type ParamSpec, param, type Weight } from "../../nn/param.ts";
import { add } from "../../ops/elementwise.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { intField } from "../config.ts";
import { headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Inputs, Outputs } from "../model.ts";
import { positionsOf } from "../seq2seq/seq2seq.ts";
import { type BertFields, bertFields, bertSizes } from "./bertBody.ts";
import { checkLength, type EncoderHead, linearSpec } from "./encoder.ts";
import { behindPadding, paddedPositions } from "./roberta.ts";
import {
  type RobertaHead,
  renameRoberta,
  robertaHeadRoles,
  robertaHeadSpec,
  robertaOutputs,
  robertaTied,
  robertaTiedHead,
} from "./robertaHead.ts";

// B batch, T time, C channels, H heads

/** Hugging Face fixes these for the family, whatever its config says. */
const PADDING = 1;
const BUCKETS = { buckets: 32, maxDistance: 128, bidirectional: true } as const;

/** config.json of an MPNet. */
export interface MpnetConfig extends Omit<BertFields, "type_vocab_size" | "classifier_dropout"> {
  readonly model_type: "mpnet";
  readonly relative_attention_num_buckets: number;
}

/** One layer: attention with its norm, MLP with its norm. */
export type MpnetLayer<T> = {
  attention: { attn: Record<"q" | "k" | "v" | "o", Linear<T>>; LayerNorm: Norm<T> };
  intermediate: { dense: Linear<T> };
  output: { dense: Linear<T>; LayerNorm: Norm<T> };
};

/** The body and the head of one task; none for features. */
export type MpnetParams<T> = {
  mpnet: {
    embeddings: {
      word_embeddings: { weight: T };
      position_embeddings: { weight: T };
      LayerNorm: Norm<T>;
    };
    encoder: { layer: MpnetLayer<T>[]; relative_attention_bias: { weight: T } };
  };
} & RobertaHead<T>;

const classes: Readonly<Record<EncoderHead, string>> = {
  "masked-lm": "MPNetForMaskedLM",
  "sequence-classification": "MPNetForSequenceClassification",
  "token-classification": "MPNetForTokenClassification",
  features: "MPNetModel",
};

const taskFor = (c: MpnetConfig): EncoderHead => headOf({ classes }, c) as EncoderHead;

/** Most tokens of a text. */
const lengthOf = (c: MpnetConfig): number => behindPadding(c.max_position_embeddings, PADDING);

const parse = (json: unknown): MpnetConfig => {
  const defaults = { model_type: "mpnet", vocab: 30527, positions: 512, types: 1, pad: PADDING };
  const { type_vocab_size: _, classifier_dropout: __, ...fields } = bertFields(json, defaults, classes);
  const given = json as { readonly relative_attention_num_buckets?: unknown };
  const rows = intField(given, "relative_attention_num_buckets", BUCKETS.buckets);
  if (rows < BUCKETS.buckets) {
    throw new ConfigError(`is ${rows}; the distances have ${BUCKETS.buckets} buckets`, {
      field: "relative_attention_num_buckets",
    });
  }
  const config = { ...fields, relative_attention_num_buckets: rows } as MpnetConfig;
  lengthOf(config);
  return config;
};

const layerSpec = (c: MpnetConfig): MpnetLayer<ParamSpec> => {
  const [width, std] = [c.hidden_size, c.initializer_range];
  const square = () => linearSpec(width, width, std);
  return {
    attention: { attn: { q: square(), k: square(), v: square(), o: square() }, LayerNorm: normSpec(width) },
    intermediate: { dense: linearSpec(width, c.intermediate_size, std) },
    output: { dense: linearSpec(c.intermediate_size, width, std), LayerNorm: normSpec(width) },
  };
};

const params = (c: MpnetConfig): MpnetParams<ParamSpec> => {
  const table = (rows: number, width: number) => ({
    weight: param([rows, width], normal(c.initializer_range)),
  });
  return {
    mpnet: {
      embeddings: {
        word_embeddings: table(c.vocab_size, c.hidden_size),
        position_embeddings: table(c.max_position_embeddings, c.hidden_size),
        LayerNorm: normSpec(c.hidden_size),
      },
      encoder: {
        layer: Array.from({ length: c.num_hidden_layers }, () => layerSpec(c)),
        relative_attention_bias: table(c.relative_attention_num_buckets, c.num_attention_heads),
      },
    },
    ...robertaHeadSpec(c, taskFor(c)),
  };
};

const partsOf = ({ attention, intermediate, output }: MpnetLayer<Param>): EncoderParts<Param> => ({
  query: attention.attn.q,
  key: attention.attn.k,
  value: attention.attn.v,
  attended: attention.attn.o,
  attendedNorm: attention.LayerNorm,
  inner: intermediate.dense,
  outer: output.dense,
  outerNorm: output.LayerNorm,
});

/** Additive [H, T, T], or [B, H, T, T] where there is padding: what every layer adds to its scores. */
const scoreBias = ({ relative_attention_bias }: MpnetParams<Param>["mpnet"]["encoder"], inputs: Inputs) => {
  const places = positionsOf(inputs.inputIds);
  const bias = relativeBias(dense(relative_attention_bias.weight), places, places, BUCKETS);
  return inputs.attentionMask === undefined ? bias : add(bias, paddingMask(inputs.attentionMask));
};

/** [B, T] -> [B, T, C] */
const body = (
  { embeddings, encoder }: MpnetParams<Param>["mpnet"],
  inputs: Inputs,
  c: MpnetConfig,
): Value => {
  const seed = inputs.dropoutSeed;
  checkLength(inputs.inputIds, lengthOf(c));
  const positions = embed(embeddings.position_embeddings.weight, paddedPositions(inputs, PADDING));
  const words = embed(embeddings.word_embeddings.weight, inputs.inputIds);
  const embedded = norm(embeddings.LayerNorm, add(words, positions), c.layer_norm_eps);
  const mask = scoreBias(encoder, inputs);
  let x = dropout(embedded, c.hidden_dropout_prob, "embeddings", seed);
  encoder.layer.forEach((layer, i) => {
    x = encoderBlock(partsOf(layer), layerInput(inputs, x), {
      heads: c.num_attention_heads,
      epsilon: c.layer_norm_eps,
      activation: activations[c.hidden_act],
      mask,
      dropout: {
        probs: c.attention_probs_dropout_prob,
        attended: c.hidden_dropout_prob,
        outer: c.hidden_dropout_prob,
        site: `layer.${i}`,
        ...(seed === undefined ? {} : { seed }),
      },
    });
  });
  return x;
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: MpnetConfig): Outputs => {
  const p = tree as MpnetParams<Param>;
  const hidden = body(p.mpnet, inputs, c);
  return robertaOutputs(p, hidden, {
    embedding: p.mpnet.embeddings.word_embeddings.weight,
    epsilon: c.layer_norm_eps,
    drop: (x, site) => dropout(x, c.hidden_dropout_prob, `classifier.${site}`, inputs.dropoutSeed),
  });
};

const roles: LinearNames["roles"] = {
  ...robertaHeadRoles,
  word_embeddings: "embedding",
  position_embeddings: "position",
  relative_attention_bias: "position",
  "attn.q": "q",
  "attn.k": "k",
  "attn.v": "v",
  "attn.o": "o",
  "intermediate.dense": "up",
  "output.dense": "down",
};

/** MPNet: masked language model, classifier of texts or tokens, or features. */
export const mpnet: Architecture<MpnetConfig, MpnetParams<ParamSpec>> = {
  name: "mpnet",
  kind: "encoder",
  classes,
  base: "mpnet",
  rename: (name, c) => renameRoberta("mpnet", taskFor(c), name),
  tied: (c) => robertaTied("mpnet", c),
  parse,
  params,
  forward,
  cache: (c) => bertSizes(c, lengthOf(c)),
  keepLayers: (config, weights, layers) => {
    const tree = weights as MpnetParams<Weight>;
    const { encoder } = tree.mpnet;
    const layer = layers.map((i) => encoder.layer[i]!);
    const kept = { ...tree, mpnet: { ...tree.mpnet, encoder: { ...encoder, layer } } };
    return {
      config: { ...config, num_hidden_layers: layers.length },
      weights: kept,
    };
  },
  widths: { neurons: { "": "intermediate_size" } },
  linears: (c) => linearsOf(params(c), { roles, head: robertaTiedHead("mpnet", c, taskFor(c)) }),
};

/** The config of a new model: no dropout unless told. */
export const mpnetConfig = (fields: Partial<MpnetConfig> & { vocab_size: number }): MpnetConfig => {
  const dropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  return parse({ model_type: "mpnet", ...dropout, ...fields });
};
