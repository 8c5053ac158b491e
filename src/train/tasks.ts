/** What encoders are trained for: filling masked tokens, labelling texts, labelling tokens. */
import type { TensorType } from "../ir/tensor.ts";
import { type Labels, readsTokenTypes } from "../models/encoder.ts";
import type { Model, Task } from "../models/model.ts";
import { taskOf } from "../models/task.ts";
import { countedLabels, crossEntropy, totalsOver } from "../nn/loss.ts";
import { reshape } from "../ops/structure.ts";
import { ConfigError } from "../util/errors.ts";
import { type BatchShape, type Objective, tokenLosses } from "./objective.ts";

// B batch, T time

export interface TaskOptions {
  /** Whether the batch says the type of each token: see `readsTokenTypes`. */
  readonly tokenTypes?: boolean;
}

const int32 = (...shape: number[]): TensorType => ({ dtype: "int32", shape });

/** attentionMask, and tokenTypeIds where the model reads them: [B, T] int32 each. */
const textInputs = ({ batch, context }: BatchShape, { tokenTypes = false }: TaskOptions) => ({
  attentionMask: int32(batch, context),
  ...(tokenTypes ? { tokenTypeIds: int32(batch, context) } : {}),
});

/** Cross-entropy over tokens: labels int32 [B * T], -100 where a token does not count. */
const overTokens = (name: string, options: TaskOptions): Objective => ({
  name,
  inputs: (shape) => ({ ...textInputs(shape, options), labels: int32(shape.batch * shape.context) }),
  totals: (outputs, { labels }) => {
    const { losses, counts } = tokenLosses(outputs, labels!);
    return totalsOver(losses, counts);
  },
});

/**
 * Masked language modelling (Devlin et al. 2019, https://arxiv.org/abs/1810.04805): labels int32 [B * T] are
 * the tokens that were masked, -100 elsewhere; `maskTokens` makes them.
 */
export const maskedLanguageModelling = (options: TaskOptions = {}): Objective => overTokens("mlm", options);

/** One label a token: labels int32 [B * T], -100 where a token has none. */
export const tokenClassification = (options: TaskOptions = {}): Objective => overTokens("tag", options);

/**
 * One label a text: labels int32 [B], -100 where a text has none. The loss throws ConfigError for a model of
 * a single label, which would be regression.
 */
export const sequenceClassification = (options: TaskOptions = {}): Objective => ({
  name: "classify",
  inputs: (shape) => ({ ...textInputs(shape, options), labels: int32(shape.batch) }),
  totals: ({ logits }, { labels }) => {
    if (logits.shape[1] === 1) {
      throw new ConfigError("is 1: nothing is to be chosen, and regression is not supported", {
        field: "num_labels",
        hint: "give two labels or more in id2label",
      });
    }
    const { counts, safe } = countedLabels(labels!);
    const n = labels!.shape[0] as number;
    return totalsOver(crossEntropy(logits, reshape(safe, [n, 1])), reshape(counts, [n, 1]));
  },
});

const objectives: Readonly<Partial<Record<Task, (options: TaskOptions) => Objective>>> = {
  "masked-lm": maskedLanguageModelling,
  "sequence-classification": sequenceClassification,
  "token-classification": tokenClassification,
};

/** What an encoder's head is trained for. Throws ConfigError where there is no head. */
export const encoderObjective = (model: Model): Objective => {
  const task = taskOf(model.arch, model.config);
  const problem = (model.config as Partial<Labels>).problem_type ?? "single_label_classification";
  if (task === "sequence-classification" && problem !== "single_label_classification") {
    throw new ConfigError(`is "${problem}"; only one label for each text can be learnt`, {
      field: "problem_type",
    });
  }
  const make = objectives[task];
  if (make !== undefined) return make({ tokenTypes: readsTokenTypes(model.config) });
  throw new ConfigError(`names a model for ${task}, which has no encoder's head to train`, {
    field: "architectures",
    hint: "choose the class of a masked language model or a classifier",
  });
};
