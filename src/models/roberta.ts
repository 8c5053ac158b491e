/**
 * RoBERTa (Liu et al. 2019, https://arxiv.org/abs/1907.11692): BERT whose positions count the tokens that are
 * no padding, from padding_idx + 1 on. Weight names and config fields are those of Hugging Face's
 * RobertaForMaskedLM and its kin.
 */
import type { Value } from "../ir/op.ts";
import { linear } from "../nn/encoderBlock.ts";
import { type Linear, project } from "../nn/linear.ts";
import { type Norm, norm, normSpec } from "../nn/norm.ts";
import { dense, type Param, type ParamSpec, param, zerosInit } from "../nn/param.ts";
import { add, cast, equal, gelu, mul, sub, tanh } from "../ops/elementwise.ts";
import { cumsum } from "../ops/reduce.ts";
import { ConfigError } from "../util/errors.ts";
import type { Tree } from "../util/tree.ts";
import {
  type BertBody,
  type BertFields,
  bertBody,
  bertBodySpec,
  bertFields,
  bertMatrices,
  classifierDrop,
  keepBertLayers,
  renameBert,
} from "./bertBody.ts";
import {
  checkLength,
  type EncoderTask,
  firstToken,
  labelCount,
  linearMatrices,
  linearSpec,
  noCache,
} from "./encoder.ts";
import type { Architecture, Inputs, Outputs } from "./model.ts";
import { taskOf } from "./task.ts";

// B batch, T time, C channels, V vocabulary

/** config.json of a RoBERTa. */
export interface RobertaConfig extends BertFields {
  readonly model_type: "roberta";
}

type LmHead<T> = { dense: Linear<T>; layer_norm: Norm<T>; bias: T };
type TextHead<T> = { dense: Linear<T>; out_proj: Linear<T> };
/** The body and the head of one task; none for features. */
export type RobertaParams<T> = {
  roberta: BertBody<T>;
  lm_head?: LmHead<T>;
  /** Of texts the first, of tokens the second. */
  classifier?: TextHead<T> | Linear<T>;
};

const classes: Readonly<Record<EncoderTask, string>> = {
  "masked-lm": "RobertaForMaskedLM",
  "sequence-classification": "RobertaForSequenceClassification",
  "token-classification": "RobertaForTokenClassification",
  features: "RobertaModel",
};

const taskFor = (c: RobertaConfig): EncoderTask => taskOf({ classes }, c) as EncoderTask;

/** Most tokens of a text: the rows up to padding_idx hold no token's position. */
const positionsOf = (c: RobertaConfig): number => c.max_position_embeddings - c.pad_token_id - 1;

const parse = (json: unknown): RobertaConfig => {
  const defaults = { model_type: "roberta", vocab: 50265, positions: 512, types: 2, pad: 1 };
  const config = bertFields(json, defaults, classes) as RobertaConfig;
  if (positionsOf(config) < 1) {
    throw new ConfigError(`leaves no position behind the padding's ${config.pad_token_id}`, {
      field: "max_position_embeddings",
    });
  }
  return config;
};

const params = (c: RobertaConfig): RobertaParams<ParamSpec> => {
  const task = taskFor(c);
  const [width, std] = [c.hidden_size, c.initializer_range];
  const roberta = bertBodySpec(c, false);
  const square = linearSpec(width, width, std);
  if (task === "features") return { roberta };
  const labels = linearSpec(width, labelCount(c), std);
  if (task === "token-classification") return { roberta, classifier: labels };
  if (task === "sequence-classification") return { roberta, classifier: { dense: square, out_proj: labels } };
  return {
    roberta,
    lm_head: { dense: square, layer_norm: normSpec(width), bias: param([c.vocab_size], zerosInit) },
  };
};

/** [B, T] -> [B, T]: padding_idx where there is padding, else behind it the number of the token. */
const robertaPositions = ({ inputIds, positionIds }: Inputs, c: RobertaConfig): Value => {
  checkLength(inputIds, positionsOf(c));
  if (positionIds !== undefined) return positionIds;
  const counts = sub(1, cast(equal(inputIds, c.pad_token_id), inputIds.dtype));
  return add(mul(cumsum(counts, 1), counts), c.pad_token_id);
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: RobertaConfig): Outputs => {
  const p = tree as unknown as RobertaParams<Param>;
  const drop = classifierDrop(c, inputs.dropoutSeed);
  const hidden = bertBody(p.roberta, inputs, c, robertaPositions(inputs, c));
  const logits = () => {
    if (p.lm_head !== undefined) {
      const ready = norm(p.lm_head.layer_norm, gelu(linear(p.lm_head.dense, hidden)), c.layer_norm_eps);
      return project(p.roberta.embeddings.word_embeddings.weight, ready, dense(p.lm_head.bias));
    }
    if (p.classifier === undefined) return hidden;
    if (!("out_proj" in p.classifier)) return linear(p.classifier, drop(hidden, "in"));
    const pooled = tanh(linear(p.classifier.dense, drop(firstToken(hidden), "in")));
    return linear(p.classifier.out_proj, drop(pooled, "out"));
  };
  return { hidden, logits: logits(), present: [] };
};

/** RoBERTa: masked language model, classifier of texts or tokens, or features. */
export const roberta: Architecture<RobertaConfig, RobertaParams<ParamSpec>> = {
  name: "roberta",
  kind: "encoder",
  classes,
  base: "roberta",
  // The decoder is tied to the embeddings; no head here uses the pooler.
  rename: (name, c) => {
    if (/^lm_head\.decoder\./.test(name) || /^(roberta\.)?pooler\./.test(name)) return null;
    if (/^lm_head\./.test(name) && taskFor(c) !== "masked-lm") return null;
    return renameBert(name);
  },
  parse,
  params,
  forward,
  cache: (c) => noCache(c.vocab_size, c.num_attention_heads, c.hidden_size, positionsOf(c)),
  keepLayers: (config, weights, layers) => keepBertLayers("roberta", config, weights, layers),
  // Not the last projection to the labels: it is small, and its rounding would go straight into the result.
  matrices: (c) => {
    const head: Readonly<Record<EncoderTask, readonly string[]>> = {
      "masked-lm": ["lm_head.dense"],
      "sequence-classification": ["classifier.dense"],
      "token-classification": [],
      features: [],
    };
    return linearMatrices([...bertMatrices("roberta", c.num_hidden_layers), ...head[taskFor(c)]]);
  },
};

/** The config of a new model: no dropout unless told. */
export const robertaConfig = (fields: Partial<RobertaConfig> & { vocab_size: number }): RobertaConfig => {
  const dropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  return parse({ model_type: "roberta", ...dropout, ...fields });
};
