/**
 * Packed weights whose products are those of float32 matrices, made of them once when a graph is loaded: the
 * file stays small, memory and speed are those of float32. It is for ONNX Runtime on WebAssembly, which packs
 * an 8-bit matrix and unpacks a 4-bit one at every call: that costs a row of inputs more than its product.
 */
import type { Model } from "../models/model.ts";
import { isPacked, type Weight } from "../nn/param.ts";
import { mapTree } from "../util/tree.ts";
import { derived, type Pass } from "./pass.ts";

const step = { name: "widen", options: {} } as const;

/** `model` with every packed weight in its kind's widened form, where it has one. */
export const widened = (model: Model): Model => {
  const weights = mapTree<Weight, Weight>(model.weights, (w) =>
    isPacked(w) && w.kind.widened !== undefined ? { ...w, attrs: w.kind.widened(w.attrs ?? {}) } : w,
  );
  return derived(model, step, { weights });
};

/** The pass that widens packed weights when their graph is loaded; see `widened`. */
export const widen = (): Pass => ({ ...step, run: async (model) => widened(model) });
