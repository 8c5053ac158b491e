/**
 * BERT (Devlin et al. 2019, https://arxiv.org/abs/1810.04805), also MiniLM and others of its model_type.
 * Weight names and config fields are those of Hugging Face's BertForMaskedLM and its kin.
 */
import type { Value } from "../../ir/op.ts";
import { activations } from "../../nn/activations.ts";
import { type Linear, linear, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, type Param, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { tanh } from "../../ops/elementwise.ts";
import type { Tree } from "../../util/tree.ts";
import { headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Inputs, Outputs } from "../model.ts";
import {
  type BertBody,
  type BertFields,
  bertBody,
  bertBodySpec,
  bertFields,
  bertRoles,
  bertSizes,
  classifierDrop,
  keepBertLayers,
  renameBert,
} from "./bertBody.ts";
import { countedPositions, type EncoderHead, firstToken, labelCount, linearSpec } from "./encoder.ts";

// B batch, T time, C channels, V vocabulary

/** config.json of a BERT. */
export interface BertConfig extends BertFields {
  readonly model_type: "bert";
}

/** The decoder is the embedding and a bias where tied, else a matrix and bias of its own. */
type Predictions<T> = {
  transform: { dense: Linear<T>; LayerNorm: Norm<T> };
  bias?: T;
  decoder?: Linear<T>;
};
/** The body and the head of one task; none for features. */
export type BertParams<T> = {
  bert: BertBody<T>;
  cls?: { predictions: Predictions<T> };
  classifier?: Linear<T>;
};

const classes: Readonly<Record<EncoderHead, string>> = {
  "masked-lm": "BertForMaskedLM",
  "sequence-classification": "BertForSequenceClassification",
  "token-classification": "BertForTokenClassification",
  features: "BertModel",
};

const taskFor = (c: BertConfig): EncoderHead => headOf({ classes }, c) as EncoderHead;

/** The class with the head for the next sentence besides is read as the masked language model in it. */
const parse = (json: unknown): BertConfig => {
  const given = json as { readonly architectures?: readonly unknown[] } | null;
  const both = given?.architectures?.[0] === "BertForPreTraining";
  const fields = both ? { ...given, architectures: [classes["masked-lm"]] } : json;
  const defaults = { model_type: "bert", vocab: 30522, positions: 512, types: 2, pad: 0 };
  return bertFields(fields, defaults, classes) as BertConfig;
};

const params = (c: BertConfig): BertParams<ParamSpec> => {
  const task = taskFor(c);
  const [width, std] = [c.hidden_size, c.initializer_range];
  const bert = bertBodySpec(c, task === "sequence-classification");
  if (task === "features") return { bert };
  if (task !== "masked-lm") return { bert, classifier: linearSpec(width, labelCount(c), std) };
  const transform = { dense: linearSpec(width, width, std), LayerNorm: normSpec(width) };
  const decoder = c.tie_word_embeddings
    ? { bias: param([c.vocab_size], zerosInit) }
    : { decoder: linearSpec(width, c.vocab_size, std) };
  return { bert, cls: { predictions: { transform, ...decoder } } };
};

const roles: LinearNames["roles"] = {
  ...bertRoles,
  "transform.dense": "transform",
  "pooler.dense": "transform",
  "predictions.decoder": "head",
  classifier: "labels",
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: BertConfig): Outputs => {
  const p = tree as BertParams<Param>;
  const drop = classifierDrop(c, inputs.dropoutSeed);
  const hidden = bertBody(p.bert, inputs, c, countedPositions(inputs, c.max_position_embeddings));
  if (p.cls !== undefined) {
    const { transform, bias, decoder } = p.cls.predictions;
    const readout = (x: Value): Value => {
      const inner = activations[c.hidden_act](linear(transform.dense, x));
      const ready = norm(transform.LayerNorm, inner, c.layer_norm_eps);
      if (decoder !== undefined) return linear(decoder, ready);
      return project(p.bert.embeddings.word_embeddings.weight, ready, dense(bias!));
    };
    return { hidden, logits: readout(hidden), readout, present: [] };
  }
  if (p.classifier === undefined) return { hidden, logits: hidden, present: [] };
  const { pooler } = p.bert;
  const pooled = pooler === undefined ? hidden : tanh(linear(pooler.dense, firstToken(hidden)));
  return { hidden, logits: linear(p.classifier, drop(pooled, "in")), present: [] };
};

/** BERT: masked language model, classifier of texts or tokens, or features. */
export const bert: Architecture<BertConfig, BertParams<ParamSpec>> = {
  name: "bert",
  kind: "encoder",
  classes,
  base: "bert",
  // The head of the next sentence and unused poolers go.
  rename: (name, c) => {
    const task = taskFor(c);
    if (/^cls\.seq_relationship\./.test(name)) return null;
    if (/^cls\./.test(name) && task !== "masked-lm") return null;
    if (/^(bert\.)?pooler\./.test(name) && task !== "sequence-classification") return null;
    return renameBert(name);
  },
  tied: (c): Readonly<Record<string, string>> => ({
    "cls.predictions.decoder.bias": "cls.predictions.bias",
    ...(c.tie_word_embeddings
      ? { "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight" }
      : {}),
  }),
  parse,
  params,
  forward,
  cache: (c) => bertSizes(c, c.max_position_embeddings),
  keepLayers: (config, weights, layers) => keepBertLayers("bert", config, weights, layers),
  widths: { neurons: { "": "intermediate_size" } },
  linears: (c) => {
    const isTied = c.tie_word_embeddings && taskFor(c) === "masked-lm";
    const tied = { path: "bert.embeddings.word_embeddings.weight", bias: "cls.predictions.bias" };
    return linearsOf(params(c), { roles, head: isTied ? tied : undefined });
  },
};

/** The config of a new model: no dropout unless told. */
export const bertConfig = (fields: Partial<BertConfig> & { vocab_size: number }): BertConfig => {
  const dropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  return parse({ model_type: "bert", ...dropout, ...fields });
};
