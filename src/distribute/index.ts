/** Training on several ranks. */
export * from "./dataParallel.ts";
export * from "./team.ts";
