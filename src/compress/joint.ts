/** A model that is being changed beside the model that it came from, on the same tokens. */
import { constant, type Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import type { Tensor, TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asParams, tensorsOf } from "../nn/param.ts";
import { optimize } from "../rewrite/index.ts";
import { logitsOn } from "./probe.ts";

/** The names that the whole model's constants have in the program of both. */
export const WHOLE = "whole.";

const typeOf = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape });

/**
 * Both models on the same ids [B, T]; `given` tensors of the one that is changed are inputs `w.PATH`. Outputs
 * `out` and `whole`: logits or features.
 */
export const jointProgram = (
  changed: Model,
  whole: Model,
  { ids, given }: { readonly ids: TensorType; readonly given: ReadonlyMap<string, Tensor> },
): Program => {
  const types = Object.fromEntries(Array.from(given, ([path, t]) => [path, typeOf(t)]));
  const named = new Map<string, Value>();
  for (const [path, t] of tensorsOf(whole.weights)) named.set(path, constant(t, WHOLE + path));
  return optimize(
    trace({ ids: typeOf(ids), w: types }, ({ ids: inputIds, w }) => ({
      out: logitsOn(changed, asParams(changed.weights, new Map(Object.entries(w))), inputIds),
      whole: logitsOn(whole, asParams(whole.weights, named), inputIds),
    })),
  );
};
