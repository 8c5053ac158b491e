/** Clipping of gradients, before the optimizer proper. */
import { constant, type Value } from "../ir/op.ts";
import { scalar } from "../ir/tensor.ts";
import { div, maximum, minimum, sqrt } from "../ops/elementwise.ts";
import { sumOfSquares } from "../ops/reduce.ts";
import { ConfigError } from "../util/errors.ts";
import { leaves, mapTree } from "../util/tree.ts";
import { positive } from "./options.ts";
import { stateless, type Transform, type UpdateContext } from "./transform.ts";
import { materialize, scale, type Update, type Updates } from "./update.ts";

/**
 * The Euclidean norm of all elements of all updates -> []. Asked for twice in one step it is computed once.
 */
export const globalNorm = (updates: Updates): Value => {
  const values = leaves<Update>(updates).map(materialize);
  return values.length === 0 ? constant(scalar(0)) : sqrt(sumOfSquares(values));
};

/** The norm of `updates`, which for one shard of all is known only as the norm that was given with it. */
const normOf = (updates: Updates, { shard }: UpdateContext): Value => {
  if (shard === undefined) return globalNorm(updates);
  if (shard.updates === updates) return shard.norm;
  throw new ConfigError("clipping by the global norm must come first where updates are sharded", {
    field: "train.optimizer",
    hint: "use the training's clipNorm in place of clipByGlobalNorm inside the optimizer",
  });
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
    update(updates, state, _, context) {
      const factor = div(max, maximum(normOf(updates, context), max));
      return [mapTree<Update, Update>(updates, (update) => scale(update, factor)), state];
    },
  };
};

/** The elements of an update limited to -max .. max. */
export const limited = (update: Update, max: number): Value =>
  minimum(maximum(materialize(update), -max), max);

/** Limits each element to -max .. max. */
export const clipByValue = (max: number): Transform => {
  positive("max", max);
  return stateless("clip", (update) => limited(update, max));
};
