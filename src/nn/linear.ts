/** Linear maps. The weight's kind decides how to multiply; nobody else branches on it. */
import type { Value } from "../ir/op.ts";
import { add } from "../ops/elementwise.ts";
import { affine, matmul } from "../ops/linalg.ts";
import { gather } from "../ops/rows.ts";
import { dense, isPacked, type Layout, type Param } from "./param.ts";

/** A linear map: weight [K, N] (Conv1D) or [N, K] (torch's Linear), and bias [N]. */
export type Linear<T> = { weight: T; bias: T };

/** torch's Linear [N, K], with a bias [N] or without. */
export type Projection<T> = { weight: T; bias?: T };

/** x [..., K] times weight [K, N] ("kn") or the transpose of [N, K] ("nk"), plus bias [N] -> [..., N]. */
export const times = (weight: Param, x: Value, layout: Layout, bias?: Value): Value => {
  if (isPacked(weight)) return weight.kind.multiply(x, weight, bias);
  if (layout === "kn" && bias !== undefined) return affine(x, weight, bias);
  const y = matmul(x, weight, { transB: layout === "nk" });
  return bias === undefined ? y : add(y, bias);
};

/** x [..., K] times weight [K, N] plus bias [N] -> [..., N] (GPT-2's Conv1D orientation). */
export const conv1d = ({ weight, bias }: Linear<Param>, x: Value): Value =>
  times(weight, x, "kn", dense(bias));

/** x [..., K] times the transpose of weight [N, K] -> [..., N] (torch's Linear, and tied heads). */
export const project = (weight: Param, x: Value, bias?: Value): Value => times(weight, x, "nk", bias);

/** x [..., K] -> [..., N] by a torch Linear, with a bias or without. */
export const linear = ({ weight, bias }: Projection<Param>, x: Value): Value =>
  project(weight, x, bias === undefined ? undefined : dense(bias));

/** Rows `ids` of weight [V, C] -> [...ids, C]. */
export const embed = (weight: Param, ids: Value): Value =>
  isPacked(weight) ? weight.kind.rows(weight, ids) : gather(weight, ids);
