/** How far vectors are apart. */
import type { Value } from "../../../ir/op.ts";
import { unitRows } from "../../../models/pooling.ts";
import { add, maximum, mul, sqrt, sub } from "../../../ops/elementwise.ts";
import { matmul } from "../../../ops/linalg.ts";
import { sum, transpose } from "../../../ops/structure.ts";

// N vectors, C channels

/** The distances that a margin can be in. */
export const distances = ["euclidean", "cosine"] as const;

/** The name of a distance. */
export type Distance = (typeof distances)[number];

/** The least square of a distance: the root has no slope at 0. */
const TINY = 1e-16;

/** [..., C] each -> [...]. */
export const distanceOf = (a: Value, b: Value, distance: Distance): Value => {
  if (distance === "cosine") return sub(1, sum(mul(unitRows(a), unitRows(b)), [-1]));
  const off = sub(a, b);
  return sqrt(maximum(sum(mul(off, off), [-1]), TINY));
};

/** [N, C] -> [N, N], each from each. */
export const distancesIn = (vectors: Value, distance: Distance): Value => {
  if (distance === "cosine") {
    const unit = unitRows(vectors);
    return sub(1, matmul(unit, unit, { transB: true }));
  }
  const squares = sum(mul(vectors, vectors), [-1], true); // [N, 1]
  const both = add(squares, transpose(squares, [1, 0]));
  return sqrt(maximum(sub(both, matmul(vectors, vectors, { transB: true, alpha: 2 })), TINY));
};
