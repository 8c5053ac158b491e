/** Measured candidates: their figures, budgets over these, Pareto fronts, and the choice. */
export {
  type Bound,
  boundsOf,
  type Choice,
  type Choosable,
  type ChooseOptions,
  choose,
  excess,
  mostLost,
} from "./budget.ts";
export {
  type Budget,
  type Figure,
  figureNamed,
  figuresOf,
  type Limit,
  limitWords,
  type Measuring,
  measuredValue,
} from "./figures.ts";
export { checkBudget, parseLimit } from "./limit.ts";
export { type LossDifference, lossDifference, withinNoise } from "./noise.ts";
export type { Optimized } from "./optimize.ts";
export { dominates, type Objectives, paretoFront } from "./pareto.ts";
