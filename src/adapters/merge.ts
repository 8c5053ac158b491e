/** Adapters folded into the weights that they stand on. */
import type { Model } from "../models/model.ts";
import { unpacked, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { leaves, mapTree } from "../util/tree.ts";
import { isAdapted } from "./adapt.ts";

/**
 * `model` with each adapted weight as one dense matrix: base + scale * B A, where a base in fewer bits is the
 * numbers that it stands for. Throws ConfigError for a model without adapters.
 */
export const merge = (model: Model): Model => {
  if (!leaves<Weight>(model.weights).some(isAdapted)) {
    throw new ConfigError("the model has no adapter to merge", { field: "adapter" });
  }
  const weights = mapTree<Weight, Weight>(model.weights, (w) => (isAdapted(w) ? unpacked(w) : w));
  return { ...model, weights, history: [...model.history, { name: "merge", options: {} }] };
};
