/** Training: the step, the loop, objectives, checkpoints. */
export * from "./bucket.ts";
export * from "./checkpoint.ts";
export * from "./loop.ts";
export * from "./objective.ts";
export * from "./seq2seqObjective.ts";
export * from "./step.ts";
export * from "./tasks.ts";
export * from "./validate.ts";
