/** What models are trained and judged for: a literal a task, objectives, and the batches that they read. */
import { headOf } from "../models/head.ts";
import type { Model } from "../models/model.ts";
import { ConfigError } from "../util/errors.ts";
import { causalLm } from "./causalLm.ts";
import { sequenceClassifier } from "./classification/sequenceClassifier.ts";
import { tokenClassifier } from "./classification/tokenClassifier.ts";
import { embedding } from "./embedding/embedding.ts";
import { sft } from "./instruct/sft.ts";
import { maskedLm } from "./maskedLm.ts";
import { dpo } from "./preference/dpo.ts";
import { kto } from "./preference/kto.ts";
import { replacedTokenDetection } from "./replacedTokenDetection.ts";
import { seq2seqLm } from "./seq2seq/seq2seqLm.ts";
import type { Task } from "./task.ts";

export { embedTexts } from "./embedding/embedTexts.ts";
export { type HardNegativeOptions, hardNegatives, type Mined } from "./embedding/hardNegatives.ts";
export { batchTriplets } from "./embedding/losses/batchTriplets.ts";
export { cosent } from "./embedding/losses/cosent.ts";
export type { Distance } from "./embedding/losses/distance.ts";
export { inBatchNegatives, type ScaleOptions } from "./embedding/losses/inBatchNegatives.ts";
export { matryoshka } from "./embedding/losses/matryoshka.ts";
export { type MarginOptions, tripletMargin } from "./embedding/losses/tripletMargin.ts";
export type { GroupShape, VectorLoss } from "./embedding/losses/vectorLoss.ts";
export { sentenceObjective } from "./embedding/sentenceObjective.ts";
export type { EncoderInputs } from "./encoderInputs.ts";
export { encoderObjective } from "./encoderObjective.ts";
export { languageModelling } from "./languageModelling.ts";
export { type MaskedLmInputs, maskedLanguageModelling } from "./maskedLm.ts";
export {
  type BatchShape,
  batchOutputs,
  batchTotals,
  labelsType,
  labelTotals,
  type Objective,
  type Pass,
  rowsOf,
  tokenLosses,
  type VectorHalves,
} from "./objective.ts";
export type {
  Column,
  Encoded,
  Example,
  Examples,
  Reading,
  RecordOptions,
  RecordTask,
  Row,
} from "./records.ts";
export {
  type ReplacementOptions,
  replacedTokens,
  replacedTokensByGenerator,
} from "./replacedTokens.ts";
export { type PairBatchOptions, pairBatch, shiftTokensRight, type TokenIds } from "./seq2seq/pairBatch.ts";
export { type Seq2SeqObjectiveOptions, sequenceToSequence } from "./seq2seq/sequenceToSequence.ts";
export {
  multiLabel,
  regression,
  type SequenceClassificationOptions,
  sequenceClassification,
} from "./sequenceClassification.ts";
export type {
  BatchSource,
  Criterion,
  HeldOut,
  Judge,
  Lesson,
  LessonOptions,
  Material,
  Pupil,
  Says,
  Scorer,
  Task,
  TextPair,
  TokenPairs,
  TokenText,
  textOf,
  Width,
} from "./task.ts";
export { type DistillOptions, distillation, type Teaching, tokenTeaching } from "./teaching/distillation.ts";
export { tokenClassification } from "./tokenClassification.ts";

/** All tasks, by name. */
export const tasks = {
  "causal-lm": causalLm,
  "masked-lm": maskedLm,
  "replaced-token-detection": replacedTokenDetection,
  "seq2seq-lm": seq2seqLm,
  "sequence-classification": sequenceClassifier,
  "token-classification": tokenClassifier,
  embedding,
  sft,
  dpo,
  kto,
} as const satisfies Readonly<Record<string, Task>>;

/** Names of the tasks that there are. */
export type TaskName = keyof typeof tasks;

/** The task of a model's head. Throws ConfigError where there is none. */
export const taskOf = ({ arch, config }: Pick<Model, "arch" | "config">): Task => {
  const head = headOf(arch, config);
  const all: readonly Task[] = Object.values(tasks);
  const found = all.find(({ heads }) => heads.includes(head));
  if (found !== undefined) return found.variant?.({ config }) ?? found;
  const known = all.flatMap(({ heads }) => heads.flatMap((h) => arch.classes[h] ?? []));
  throw new ConfigError(`is ${config.architectures[0]}, whose head nothing is learnt for here`, {
    field: "architectures",
    hint: `choose ${known.join(" or ")}`,
  });
};
