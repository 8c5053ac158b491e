/**
 * Dropout (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html) whose seed is an input of
 * the step.
 */
import type { Value } from "../ir/op.ts";
import { mul } from "../ops/elementwise.ts";
import { kept } from "../ops/random.ts";

/**
 * `x` with a share `rate` of its elements zeroed and the rest scaled by 1 / (1 - rate); `x` itself without a
 * seed.
 */
export const dropout = (x: Value, rate: number, site: string, seed?: Value): Value => {
  if (seed === undefined || rate === 0) return x;
  return mul(x, kept(seed, site, x.shape as readonly number[], { rate }));
};
