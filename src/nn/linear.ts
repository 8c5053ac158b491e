/** Linear maps. The weight's kind decides how to multiply; nobody else branches on it. */
import type { Value } from "../ir/op.ts";
import { add } from "../ops/elementwise.ts";
import { type Int4Blocks, int4Matmul, int4Rows } from "../ops/int4.ts";
import { type Int8Group, int8Matmul, int8Rows } from "../ops/int8.ts";
import { affine, matmul } from "../ops/linalg.ts";
import { gather } from "../ops/structure.ts";
import { dense, isPacked, type PackedParam, type Param } from "./param.ts";

export type Linear<T> = { weight: T; bias: T };

/** Every packed kind multiplies x [..., K] by its [K, N] and gives rows of its [N, K]. */
interface Kind {
  multiply(x: Value, parts: PackedParam["parts"], bias?: Value): Value;
  rows(parts: PackedParam["parts"], ids: Value, width: number): Value;
}

/** Elements in a block of one int4 scale. */
export const INT4_BLOCK = 32;

/** Parts of an int8 weight: q0 and scale0 are its first rows, q1 and scale1 those that follow, and so on. */
const groupsOf = (parts: PackedParam["parts"]): Int8Group[] => {
  const groups: Int8Group[] = [];
  for (let i = 0; parts[`q${i}`] !== undefined; i++) {
    groups.push({ q: parts[`q${i}`]!, scale: parts[`scale${i}`]! });
  }
  return groups;
};

const blocksOf = (parts: PackedParam["parts"]): Int4Blocks => ({
  q: parts.q!,
  scale: parts.scale!,
  zero: parts.zero!,
});

const kinds: Record<PackedParam["kind"], Kind> = {
  int8: {
    multiply: (x, parts, bias) => int8Matmul(x, groupsOf(parts), bias),
    rows: (parts, ids, width) => int8Rows(groupsOf(parts), ids, width),
  },
  int4: {
    multiply: (x, parts, bias) =>
      int4Matmul(
        x,
        blocksOf(parts),
        bias === undefined ? { block: INT4_BLOCK } : { block: INT4_BLOCK, bias },
      ),
    rows: (parts, ids, width) => int4Rows(blocksOf(parts), ids, width),
  },
};

/** x [..., K] times weight [K, N] plus bias [N] -> [..., N] (GPT-2's Conv1D orientation). */
export const conv1d = ({ weight, bias }: Linear<Param>, x: Value): Value =>
  isPacked(weight)
    ? kinds[weight.kind].multiply(x, weight.parts, dense(bias))
    : affine(x, weight, dense(bias));

/** x [..., K] times the transpose of weight [N, K] -> [..., N] (torch's Linear, and tied heads). */
export const project = (weight: Param, x: Value, bias?: Value): Value => {
  if (isPacked(weight)) return kinds[weight.kind].multiply(x, weight.parts, bias);
  const y = matmul(x, weight, { transB: true });
  return bias === undefined ? y : add(y, bias);
};

/** Rows `ids` of weight [V, C] -> [...ids, C]. */
export const embed = (weight: Param, ids: Value): Value =>
  isPacked(weight)
    ? kinds[weight.kind].rows(weight.parts, ids, weight.shape[1] as number)
    : gather(weight, ids);
