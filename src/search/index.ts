/** Choosing among measured candidates. */
export * from "./budget.ts";
export * from "./noise.ts";
export * from "./pareto.ts";
