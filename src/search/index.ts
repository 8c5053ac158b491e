/** Choosing among measured candidates. */
export { type Budget, type Choice, choose, type Figures, type Units } from "./budget.ts";
export { type LossDifference, lossDifference, withinNoise } from "./noise.ts";
export { dominates, type Objectives, paretoFront } from "./pareto.ts";
