/**
 * How much a configuration is expected to add to the hypervolume (Emmerich et al. 2011; Daulton et al. 2020,
 * https://arxiv.org/abs/2006.05078), exact for independent normals, and how likely it keeps constraints
 * (Gardner et al. 2014, https://proceedings.mlr.press/v32/gardner14.html).
 */
import type { Box } from "../front/boxes.ts";
import type { Posterior } from "./gp.ts";
import { logCdf, logDifference, logImprovement, logSum } from "./normal.ts";

const deviation = ({ variance }: Posterior): number => Math.max(1e-9, Math.sqrt(variance));

/** log of the expected length below `bound`. */
const logBelow = (bound: number, posterior: Posterior): number => {
  if (bound === Number.NEGATIVE_INFINITY) return bound;
  const sd = deviation(posterior);
  return Math.log(sd) + logImprovement((bound - posterior.mean) / sd);
};

/**
 * log of the expected gain in hypervolume over `boxes`, those that the front does not dominate: the sum over
 * these of the product of the expected lengths along each objective.
 */
export const logHypervolumeImprovement = (boxes: readonly Box[], at: readonly Posterior[]): number =>
  logSum(
    boxes.map(({ low, high }) =>
      at.reduce((sum, one, i) => sum + logDifference(logBelow(high[i]!, one), logBelow(low[i]!, one)), 0),
    ),
  );

/** log of the probability that constraints, kept where they are at most 0, are kept. */
export const logFeasible = (constraints: readonly Posterior[]): number =>
  constraints.reduce((sum, one) => sum + logCdf(-one.mean / deviation(one)), 0);
