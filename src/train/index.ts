/** Training: the step, the loop, checkpoints. */
export * from "./bucket.ts";
export * from "./checkpoint.ts";
export * from "./collective.ts";
export * from "./counter.ts";
export * from "./loop.ts";
export * from "./plan.ts";
export * from "./rank.ts";
export * from "./shards.ts";
export * from "./step.ts";
export * from "./stepper.ts";
export * from "./validate.ts";
