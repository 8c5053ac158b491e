/** Choosing among measured candidates. */
export * from "./budget.ts";
export * from "./pareto.ts";
