/**
 * RoBERTa (Liu et al. 2019, https://arxiv.org/abs/1907.11692): BERT whose positions count the tokens that are
 * no padding, from padding_idx + 1 on; and XLM-RoBERTa (Conneau et al. 2019, https://arxiv.org/abs/1911.02116),
 * the same in many languages. Weight names and config fields are those of Hugging Face's RobertaForMaskedLM,
 * XLMRobertaForMaskedLM and their kin.
 */
import type { Value } from "../../ir/op.ts";
import type { Param, ParamSpec } from "../../nn/param.ts";
import { add, cast, equal, mul, sub } from "../../ops/elementwise.ts";
import { cumsum } from "../../ops/reduce.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { headOf } from "../head.ts";
import { linearsOf } from "../linears.ts";
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
} from "./bertBody.ts";
import { checkLength, type EncoderHead } from "./encoder.ts";
import {
  type RobertaHead,
  renameRoberta,
  robertaHeadRoles,
  robertaHeadSpec,
  robertaOutputs,
  robertaTied,
  robertaTiedHead,
} from "./robertaHead.ts";

// B batch, T time, C channels, V vocabulary

/** config.json of a RoBERTa. */
export interface RobertaConfig extends BertFields {
  readonly model_type: "roberta";
}

/** config.json of an XLM-RoBERTa. */
export interface XlmRobertaConfig extends BertFields {
  readonly model_type: "xlm-roberta";
}

/** The body and the head of one task; none for features. */
export type RobertaParams<T> = { roberta: BertBody<T> } & RobertaHead<T>;

type Classes = Readonly<Record<EncoderHead, string>>;

/** [B, T] -> [B, T]: `pad` where there is padding, else behind it the number of the token. */
export const paddedPositions = ({ inputIds, positionIds }: Inputs, pad: number): Value => {
  if (positionIds !== undefined) return positionIds;
  const counts = sub(1, cast(equal(inputIds, pad), inputIds.dtype));
  return add(mul(cumsum(counts, 1), counts), pad);
};

/**
 * Most tokens of a text: the rows up to `pad` hold no token's position. Throws ConfigError where that leaves
 * none.
 */
export const behindPadding = (positions: number, pad: number): number => {
  if (positions > pad + 1) return positions - pad - 1;
  throw new ConfigError(`leaves no position behind the padding's ${pad}`, {
    field: "max_position_embeddings",
  });
};

const positionsOf = (c: BertFields): number => behindPadding(c.max_position_embeddings, c.pad_token_id);

const roles = { ...bertRoles, ...robertaHeadRoles };

/** An architecture whose checkpoints name its body "roberta". */
const robertaArchitecture = <C extends BertFields>(
  name: C["model_type"],
  classes: Classes,
  vocab: number,
): Architecture<C, RobertaParams<ParamSpec>> => {
  const taskFor = (c: C): EncoderHead => headOf({ classes }, c) as EncoderHead;
  const params = (c: C) => ({ roberta: bertBodySpec(c, false), ...robertaHeadSpec(c, taskFor(c)) });
  return {
    name,
    kind: "encoder",
    classes,
    base: "roberta",
    rename: (key, c) => renameRoberta("roberta", taskFor(c), key),
    tied: (c) => robertaTied("roberta", c),
    parse: (json) => {
      const defaults = { model_type: name, vocab, positions: 512, types: 2, pad: 1 };
      const config = bertFields(json, defaults, classes) as C;
      positionsOf(config);
      return config;
    },
    params,
    forward: (tree: Tree<Param>, inputs: Inputs, c: C): Outputs => {
      const p = tree as RobertaParams<Param>;
      checkLength(inputs.inputIds, positionsOf(c));
      const hidden = bertBody(p.roberta, inputs, c, paddedPositions(inputs, c.pad_token_id));
      return robertaOutputs(p, hidden, {
        embedding: p.roberta.embeddings.word_embeddings.weight,
        epsilon: c.layer_norm_eps,
        drop: classifierDrop(c, inputs.dropoutSeed),
      });
    },
    cache: (c) => bertSizes(c, positionsOf(c)),
    keepLayers: (config, weights, layers) => keepBertLayers("roberta", config, weights, layers),
    widths: { neurons: { "": "intermediate_size" } },
    linears: (c) => linearsOf(params(c), { roles, head: robertaTiedHead("roberta", c, taskFor(c)) }),
  };
};

/** RoBERTa: masked language model, classifier of texts or tokens, or features. */
export const roberta = robertaArchitecture<RobertaConfig>(
  "roberta",
  {
    "masked-lm": "RobertaForMaskedLM",
    "sequence-classification": "RobertaForSequenceClassification",
    "token-classification": "RobertaForTokenClassification",
    features: "RobertaModel",
  },
  50265,
);

/** XLM-RoBERTa, also multilingual E5 and others of its model_type. */
export const xlmRoberta = robertaArchitecture<XlmRobertaConfig>(
  "xlm-roberta",
  {
    "masked-lm": "XLMRobertaForMaskedLM",
    "sequence-classification": "XLMRobertaForSequenceClassification",
    "token-classification": "XLMRobertaForTokenClassification",
    features: "XLMRobertaModel",
  },
  30522,
);

const noDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };

/** The config of a new model: no dropout unless told. */
export const robertaConfig = (fields: Partial<RobertaConfig> & { vocab_size: number }): RobertaConfig =>
  roberta.parse({ model_type: "roberta", ...noDropout, ...fields });

/** The config of a new model: no dropout unless told. */
export const xlmRobertaConfig = (
  fields: Partial<XlmRobertaConfig> & { vocab_size: number },
): XlmRobertaConfig => xlmRoberta.parse({ model_type: "xlm-roberta", ...noDropout, ...fields });
