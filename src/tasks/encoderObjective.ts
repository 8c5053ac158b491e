/** What the head of an encoder is trained for. */
import { type Labels, readsTokenTypes } from "../models/encoders/encoder.ts";
import { headOf } from "../models/head.ts";
import type { Head, Model } from "../models/model.ts";
import { ConfigError } from "../util/errors.ts";
import type { EncoderInputs } from "./encoderInputs.ts";
import { maskedLanguageModelling } from "./maskedLm.ts";
import type { Objective } from "./objective.ts";
import { replacedTokens } from "./replacedTokens.ts";
import { sequenceClassification } from "./sequenceClassification.ts";
import { tokenClassification } from "./tokenClassification.ts";

const objectives: Readonly<Partial<Record<Head, (options: EncoderInputs) => Objective>>> = {
  "masked-lm": maskedLanguageModelling,
  "replaced-token-detection": replacedTokens,
  "sequence-classification": sequenceClassification,
  "token-classification": tokenClassification,
};

/** The objective of an encoder's head. Throws ConfigError where there is no head. */
export const encoderObjective = (model: Model): Objective => {
  const head = headOf(model.arch, model.config);
  const problem = (model.config as Partial<Labels>).problem_type ?? "single_label_classification";
  if (head === "sequence-classification" && problem !== "single_label_classification") {
    throw new ConfigError(`is "${problem}"; only one label for each text can be learnt`, {
      field: "problem_type",
    });
  }
  const make = objectives[head];
  if (make !== undefined) return make({ tokenTypes: readsTokenTypes(model.config) });
  throw new ConfigError(`names a model for ${head}, which has no encoder's head to train`, {
    field: "architectures",
    hint: "choose the class of a masked language model or a classifier",
  });
};
