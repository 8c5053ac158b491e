/**
 * LAMB: Adam whose step is as long as the params of each tensor, for large batches (You et al. 2020,
 * https://arxiv.org/abs/1904.00962). As in the authors' code, norms and biases take the plain Adam step.
 */
import type { Value } from "../ir/op.ts";
import { div, greater, minimum, sqrt, where } from "../ops/elementwise.ts";
import { sumOfSquares } from "../ops/reduce.ts";
import { type AdamOptions, scaleByAdam } from "./adam.ts";
import { addDecayedWeights } from "./decay.ts";
import { scaleByLearningRate } from "./sgd.ts";
import {
  chain,
  isMatrix,
  masked,
  type Optimizer,
  type ParamMask,
  stateless,
  type Transform,
} from "./transform.ts";
import { materialize, scale } from "./update.ts";

const norm = (x: Value): Value => sqrt(sumOfSquares([x]));

/** u * |p| / |u| for each tensor; the factor is 1 where either norm is 0. */
export const scaleByTrustRatio = (): Transform =>
  stateless(
    "trustRatio",
    (update, param) => {
      const u = materialize(update);
      const [length, reach] = [norm(u), norm(param)];
      return scale(u, where(greater(minimum(length, reach), 0), div(reach, length), 1));
    },
    { elementwise: false },
  );

/** Adam's options, and which params take steps of their own length. */
export interface LambOptions extends AdamOptions {
  /** Which params have their step scaled: those of at least two dimensions unless told. */
  readonly trustMask?: ParamMask;
}

/**
 * u = adam(g) + weightDecay * p, p' = p - lr * (|p| / |u|) * u; eps is 1e-6 and weightDecay 0.01 unless told.
 * The scaling function of the paper is the identity, without limits.
 */
export const lamb = (options: LambOptions = {}): Optimizer => {
  const { weightDecay = 0.01, decayMask, trustMask = isMatrix, eps = 1e-6, ...moments } = options;
  return chain(
    "lamb",
    scaleByAdam({ eps, ...moments }),
    addDecayedWeights(weightDecay, decayMask),
    masked(scaleByTrustRatio(), trustMask),
    scaleByLearningRate(),
  );
};
