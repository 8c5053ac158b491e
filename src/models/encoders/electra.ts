/**
 * ELECTRA (Clark et al. 2020, https://arxiv.org/abs/2003.10555): an encoder that learns by telling which
 * tokens a small generator has put in the place of others. Weight names and config fields are those of
 * Hugging Face's ElectraForPreTraining (the discriminator, which is what is tuned), ElectraForMaskedLM (the
 * generator) and their kin.
 */
import type { Value } from "../../ir/op.ts";
import { activations } from "../../nn/activations.ts";
import { type Linear, linear, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, type Param, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { gelu } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/structure.ts";
import type { Tree } from "../../util/tree.ts";
import { intField } from "../config.ts";
import { headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Head, Inputs, Outputs } from "../model.ts";
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
import { countedPositions, firstToken, labelCount, linearSpec } from "./encoder.ts";

// B batch, T time, C channels, E embedding's width, V vocabulary

/** config.json of an ELECTRA. */
export interface ElectraConfig extends BertFields {
  readonly model_type: "electra";
  readonly embedding_size: number;
}

/** The body and the head of one task; none for features. */
export type ElectraParams<T> = {
  electra: BertBody<T>;
  discriminator_predictions?: { dense: Linear<T>; dense_prediction: Linear<T> };
  generator_predictions?: { LayerNorm: Norm<T>; dense: Linear<T> };
  /** The bias alone where the matrix is the embedding. */
  generator_lm_head?: { weight?: T; bias: T };
  /** Of texts the first, of tokens the second. */
  classifier?: { dense: Linear<T>; out_proj: Linear<T> } | Linear<T>;
};

const classes = {
  "replaced-token-detection": "ElectraForPreTraining",
  "masked-lm": "ElectraForMaskedLM",
  "sequence-classification": "ElectraForSequenceClassification",
  "token-classification": "ElectraForTokenClassification",
  features: "ElectraModel",
} as const;

const taskFor = (c: ElectraConfig): Head => headOf({ classes }, c);

/** What ELECTRA's own configs leave out, where it is not BERT's. */
const own = { hidden_size: 256, num_attention_heads: 4, intermediate_size: 1024 };

const parse = (json: unknown): ElectraConfig => {
  const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
  const defaults = { model_type: "electra", vocab: 30522, positions: 512, types: 2, pad: 0 };
  const given = isObject ? { ...own, ...json } : json;
  const fields = bertFields(given, defaults, classes);
  const embedding_size = intField({ ...(given as object) }, "embedding_size", 128);
  return { ...fields, model_type: "electra", embedding_size };
};

const headSpec = (c: ElectraConfig): Omit<ElectraParams<ParamSpec>, "electra"> => {
  const [width, std, task] = [c.hidden_size, c.initializer_range, taskFor(c)];
  const square = () => linearSpec(width, width, std);
  if (task === "features") return {};
  if (task === "replaced-token-detection") {
    return { discriminator_predictions: { dense: square(), dense_prediction: linearSpec(width, 1, std) } };
  }
  if (task === "masked-lm") {
    const { weight, bias } = linearSpec(c.embedding_size, c.vocab_size, std);
    return {
      generator_predictions: {
        LayerNorm: normSpec(c.embedding_size),
        dense: linearSpec(width, c.embedding_size, std),
      },
      generator_lm_head: c.tie_word_embeddings
        ? { bias: param([c.vocab_size], zerosInit) }
        : { weight, bias },
    };
  }
  const labels = linearSpec(width, labelCount(c), std);
  return { classifier: task === "token-classification" ? labels : { dense: square(), out_proj: labels } };
};

const params = (c: ElectraConfig): ElectraParams<ParamSpec> => ({
  electra: bertBodySpec(c, false),
  ...headSpec(c),
});

const WORDS = "electra.embeddings.word_embeddings.weight";

const roles: LinearNames["roles"] = {
  ...bertRoles,
  embeddings_project: "transform",
  "discriminator_predictions.dense": "transform",
  dense_prediction: "labels",
  "generator_predictions.dense": "transform",
  generator_lm_head: "head",
  "classifier.dense": "transform",
  "classifier.out_proj": "labels",
  classifier: "labels",
};

/** Hidden states [..., C] -> logits [..., V]. */
const readout = (p: ElectraParams<Param>, x: Value, c: ElectraConfig): Value => {
  const { dense: matrix, LayerNorm } = p.generator_predictions!;
  const ready = norm(LayerNorm, gelu(linear(matrix, x)), c.layer_norm_eps);
  const { weight = p.electra.embeddings.word_embeddings.weight, bias } = p.generator_lm_head!;
  return project(weight, ready, dense(bias));
};

const classified = (
  classifier: NonNullable<ElectraParams<Param>["classifier"]>,
  hidden: Value,
  drop: (x: Value, site: string) => Value,
): Value => {
  if (!("out_proj" in classifier)) return linear(classifier, drop(hidden, "in"));
  const pooled = gelu(linear(classifier.dense, drop(firstToken(hidden), "in")));
  return linear(classifier.out_proj, drop(pooled, "out"));
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: ElectraConfig): Outputs => {
  const p = tree as ElectraParams<Param>;
  const hidden = bertBody(p.electra, inputs, c, countedPositions(inputs, c.max_position_embeddings));
  if (p.generator_predictions !== undefined) {
    const own = (x: Value): Value => readout(p, x, c);
    return { hidden, logits: own(hidden), readout: own, present: [] };
  }
  if (p.discriminator_predictions !== undefined) {
    const { dense: matrix, dense_prediction } = p.discriminator_predictions;
    const said = linear(dense_prediction, activations[c.hidden_act](linear(matrix, hidden)));
    return { hidden, logits: reshape(said, hidden.shape.slice(0, 2)), present: [] };
  }
  if (p.classifier === undefined) return { hidden, logits: hidden, present: [] };
  const drop = classifierDrop(c, inputs.dropoutSeed);
  return { hidden, logits: classified(p.classifier, hidden, drop), present: [] };
};

const headNames: Readonly<Partial<Record<Head, RegExp>>> = {
  "replaced-token-detection": /^discriminator_predictions\./,
  "masked-lm": /^generator_(predictions|lm_head)\./,
};

/** ELECTRA: detector of replaced tokens, masked language model, classifier of texts or tokens, features. */
export const electra: Architecture<ElectraConfig, ElectraParams<ParamSpec>> = {
  name: "electra",
  kind: "encoder",
  classes,
  base: "electra",
  // Heads of other tasks go.
  rename: (name, c) => {
    const others = Object.entries(headNames).filter(([task]) => task !== taskFor(c));
    return others.some(([, pattern]) => pattern.test(name)) ? null : renameBert(name);
  },
  tied: (c): Readonly<Record<string, string>> =>
    c.tie_word_embeddings ? { "generator_lm_head.weight": WORDS } : {},
  parse,
  params,
  forward,
  cache: (c) => bertSizes(c, c.max_position_embeddings),
  keepLayers: (config, weights, layers) => keepBertLayers("electra", config, weights, layers),
  widths: { neurons: { "": "intermediate_size" } },
  linears: (c) => {
    const isTied = c.tie_word_embeddings && taskFor(c) === "masked-lm";
    const tied = { path: WORDS, bias: "generator_lm_head.bias" };
    return linearsOf(params(c), { roles, head: isTied ? tied : undefined });
  },
};

/** The config of a new model: no dropout, embeddings as wide as the layers, unless told. */
export const electraConfig = (fields: Partial<ElectraConfig> & { vocab_size: number }): ElectraConfig => {
  const dropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  const { hidden_size = own.hidden_size } = fields;
  return parse({ model_type: "electra", ...dropout, embedding_size: hidden_size, ...fields });
};
