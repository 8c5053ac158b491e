/**
 * Measured candidates: their figures, budgets over these, Pareto fronts, and the choice. And searches:
 * spaces, samplers, what decided.
 */
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
export type { Optimized } from "./candidates/optimize.ts";
export { asha, ETA, survivors, type Verdict } from "./fidelity/asha.ts";
export { type Halved, type HalvingOptions, successiveHalving } from "./fidelity/halving.ts";
export { allowsStop, type Foretold, foretold, foretoldText } from "./fidelity/rungs.ts";
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
export { hypervolume } from "./front/hypervolume.ts";
export { beats, crowding, frontOf, nonDominatedSort, type Point } from "./front/sort.ts";
export { importance, pedAnova } from "./importance.ts";
export { checkBudget, parseLimit } from "./limit.ts";
export { type LossDifference, lossDifference, withinNoise } from "./noise.ts";
export { dominates, type Objectives, paretoFront } from "./pareto.ts";
export type { Difference, Standing } from "./picks/difference.ts";
export { type Against, type NamedPick, type PickName, type PickOptions, picksOf } from "./picks/picks.ts";
export { type SamplerName, samplers } from "./samplers/index.ts";
export type { MakeSampler, Sampler, SamplerOptions } from "./samplers/sampler.ts";
export { configurations, sizeOf } from "./space/configurations.ts";
export {
  type Categorical,
  type CategoricalOptions,
  type Condition,
  categorical,
  type Float,
  float,
  type Integer,
  integer,
  type NumberOptions,
  type Param,
  type Scalar,
  type Space,
  type Values,
} from "./space/space.ts";
export { type Outcome, type Study, type StudyOptions, study } from "./study.ts";
export type { Measured, Trial, TrialState } from "./trial.ts";
