/** Clipping of gradients, before the optimizer proper. */
import { constant, type Value } from "../ir/op.ts";
import { scalar } from "../ir/tensor.ts";
import { div, maximum, minimum, sqrt } from "../ops/elementwise.ts";
import { sumOfSquares } from "../ops/reduce.ts";
import { leaves, mapTree } from "../util/tree.ts";
import { positive } from "./options.ts";
import { stateless, type Transform } from "./transform.ts";
import { materialize, scale, type Update, type Updates } from "./update.ts";

/**
 * The Euclidean norm of all elements of all updates -> []. Asked for twice in one step it is computed once.
 */
export const globalNorm = (updates: Updates): Value => {
  const values = leaves<Update>(updates).map(materialize);
  return values.length === 0 ? constant(scalar(0)) : sqrt(sumOfSquares(values));
};

/**
 * Scales all updates by max / norm where their global norm exceeds `max`, else by exactly 1 (Pascanu et al.
 * 2013, https://arxiv.org/abs/1211.5063). PyTorch divides by norm + 1e-6 instead.
 */
export const clipByGlobalNorm = (max: number): Transform => {
  positive("max", max);
  return {
    name: "clip",
    elementwise: true,
    state: () => ({}),
    update(updates, state) {
      const factor = div(max, maximum(globalNorm(updates), max));
      return [mapTree<Update, Update>(updates, (update) => scale(update, factor)), state];
    },
  };
};

/** Limits each element to -max .. max. */
export const clipByValue = (max: number): Transform => {
  positive("max", max);
  return stateless("clip", (update) => minimum(maximum(materialize(update), -max), max));
};
