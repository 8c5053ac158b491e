/** How models are evaluated: a file a task. */
import type { Task } from "../../tasks/task.ts";
import { ConfigError } from "../../util/errors.ts";
import { answers } from "./answers.ts";
import { causalLm } from "./causalLm.ts";
import { embedding } from "./embedding.ts";
import type { Evaluator } from "./evaluation.ts";
import { maskedLm } from "./maskedLm.ts";
import { judgedAnswers, preferences } from "./preferences.ts";
import { replacedTokens } from "./replacedTokens.ts";
import { seq2seqLm } from "./seq2seqLm.ts";
import { sequenceClassification } from "./sequenceClassification.ts";
import { tokenClassification } from "./tokenClassification.ts";

/** How models are evaluated, by the task's name. */
export const evaluators: Readonly<Record<string, Evaluator>> = {
  "causal-lm": causalLm,
  "masked-lm": maskedLm,
  "replaced-token-detection": replacedTokens,
  "seq2seq-lm": seq2seqLm,
  embedding,
  sft: answers,
  dpo: preferences,
  kto: judgedAnswers,
  "sequence-classification": sequenceClassification,
  "token-classification": tokenClassification,
};

/** How models of a task are evaluated. Throws ConfigError for a task that nothing measures. */
export const evaluatorOf = ({ name }: Task): Evaluator => {
  const found = evaluators[name];
  if (found !== undefined) return found;
  throw new ConfigError(`models of ${name} cannot be evaluated`, {
    field: "architectures",
    hint: `choose a model of ${Object.keys(evaluators).join(", ")}`,
  });
};
