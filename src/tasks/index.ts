/** What models are trained and judged for: objectives, and the batches that they read. */
export * from "./causalLm.ts";
export * from "./distillation.ts";
export type { EncoderInputs } from "./encoderInputs.ts";
export * from "./encoderObjective.ts";
export * from "./maskedLm.ts";
export * from "./objective.ts";
export * from "./seq2seqLm.ts";
export * from "./sequenceClassification.ts";
export * from "./tokenClassification.ts";
