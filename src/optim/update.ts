/**
 * Updates on their way to the params. On a CPU an optimizer costs memory bandwidth, a pass over every param
 * for each elementwise op, so an update stays a sum of scaled tensors until a tensor is needed: learning
 * rate, bias corrections, clipping and weight decay meet as scalars, and what is left is a pass or two.
 */
import type { Value } from "../ir/op.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, type TensorType } from "../ir/tensor.ts";
import { add, mul } from "../ops/elementwise.ts";
import { ShapeError } from "../util/errors.ts";
import type { Tree } from "../util/tree.ts";

/** A scalar known when traced, or a [] float32 Value. */
export type Factor = number | Value;

/** sum_i factor_i * value_i, not computed yet; all values have one shape. */
export interface Sum extends TensorType {
  readonly terms: readonly { readonly factor: Factor; readonly value: Value }[];
}

/** What flows through transforms for one param: a gradient, later a step. */
export type Update = Value | Sum;
/** An update for each param. */
export type Updates = Tree<Update>;

const termsOf = (u: Update): Sum["terms"] => ("terms" in u ? u.terms : [{ factor: 1, value: u }]);

const times = (a: Factor, b: Factor): Factor => {
  if (typeof a === "number" && typeof b === "number") return a * b;
  return a === 1 ? b : b === 1 ? a : mul(a, b);
};

const plus = (a: Factor, b: Factor): Factor =>
  typeof a === "number" && typeof b === "number" ? a + b : add(a, b);

/** factor * update, for a scalar factor; costs no pass. */
export const scale = (update: Update, factor: Factor): Sum => ({
  dtype: update.dtype,
  shape: update.shape,
  terms: termsOf(update).map((t) => ({ factor: times(t.factor, factor), value: t.value })),
});

/** The sum of two updates; terms of the same value meet, so that p + (c * p + x) becomes (1 + c) * p + x. */
export const total = (a: Update, b: Update): Sum => {
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError(`an update of ${shapeText(a.shape)} does not fit ${shapeText(b.shape)}`);
  }
  const factors = new Map<Value, Factor>();
  for (const { factor, value } of [...termsOf(a), ...termsOf(b)]) {
    const before = factors.get(value);
    factors.set(value, before === undefined ? factor : plus(before, factor));
  }
  const terms = Array.from(factors, ([value, factor]) => ({ factor, value }));
  return { dtype: a.dtype, shape: a.shape, terms };
};

/** The update as one tensor. */
export const materialize = (update: Update): Value =>
  termsOf(update)
    .map(({ factor, value }) => (factor === 1 ? value : mul(value, factor)))
    .reduce((a, b) => add(a, b));
