/**
 * 8 bits with a scale for each output, and strong inputs apart (ops/int8), the others rounded as they come or
 * in steps that are known beforehand (ops/int8Steps). It is not trained.
 */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import {
  type Digits,
  type Int8Form,
  type Int8Matrix,
  int8Matmul,
  int8Rows,
  int8Turned,
} from "../../ops/int8.ts";
import { inSteps, int8StepMatmul } from "../../ops/int8Steps.ts";
import { turnInPlace } from "../../ops/rotation.ts";
import type { Packed, PackedParam, PackedWeight, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

const partsOf = ({ parts }: PackedParam): Int8Matrix => parts as Record<"q" | "scale", Value>;

/** Whether q is [N, K]: rows of the matrix are looked up. */
const isTable = ({ attrs = {} }: Packed<unknown>): boolean => attrs.table === 1;

const matrixOf = (weight: PackedParam): Int8Matrix => {
  const { q, ...rest } = partsOf(weight);
  return { ...rest, q: isTable(weight) ? int8Turned(q) : q };
};

/** How a weight's product meets its inputs, which its attributes say. */
export const int8FormOf = ({ attrs = {} }: Packed<unknown>): Int8Form => ({
  digits: attrs.digits as Digits,
  strong: attrs.strong as readonly number[],
  ...(attrs.rotation === undefined ? {} : { rotation: attrs.rotation as number }),
  ...(attrs.steps === undefined
    ? {}
    : { steps: attrs.steps as readonly number[], zero: attrs.zero as number }),
});

const multiply: WeightKind["multiply"] = (x, weight, bias) => {
  const form = int8FormOf(weight);
  const { digits, strong, steps, zero = 0 } = form;
  if (steps === undefined) return int8Matmul(x, matrixOf(weight), form, bias);
  if (digits === 1) return int8StepMatmul(x, matrixOf(weight), { steps, zero, strong }, bias);
  return int8Matmul(inSteps(x, { steps }), matrixOf(weight), form, bias);
};

const rows: WeightKind["rows"] = (weight, ids) => {
  const { strong, steps, rotation } = int8FormOf(weight);
  if (rotation !== undefined) throw new Error("rows of a matrix for turned inputs are not looked up");
  const found = int8Rows(partsOf(weight), ids, { strong, table: isTable(weight) });
  return steps === undefined ? found : inSteps(found, { steps });
};

/** What codes stand for, each output's side by side, [N, K]. */
const columnsOf = (weight: PackedWeight): Float32Array => {
  const { q, scale } = weight.parts as Record<"q" | "scale", Tensor>;
  const { k, n } = sizesOf(weight);
  const [stepK, stepN] = isTable(weight) ? [1, k] : [n, 1];
  const zero = q.dtype === "uint8" ? 128 : 0;
  const found = new Float32Array(k * n);
  for (let j = 0; j < n; j++) {
    const by = scale.data[j] as number;
    for (let i = 0; i < k; i++) found[j * k + i] = (Number(q.data[i * stepK + j * stepN]) - zero) * by;
  }
  return found;
};

/** 8-bit weights: q int8 or uint8 [K, N], of tables [N, K], scale [N] and, of strong inputs, rows [S, N]. */
export const int8: WeightKind = {
  name: "int8",
  trained: [],
  outputAxes: { q: 1, scale: 0, rows: 1 },
  multiply,
  widened: (attrs) => ({ ...attrs, digits: 0 }),
  rows,
  dense: (weight) => {
    const { rows } = weight.parts as Record<keyof Int8Matrix, Tensor | undefined>;
    const { k, n } = sizesOf(weight);
    const { strong, steps, rotation } = int8FormOf(weight);
    const weak = columnsOf(weight);
    if (rotation !== undefined) turnInPlace(weak, rotation);
    const rowOf = new Map(strong.map((input, row) => [input, row]));
    return filled(weight, (i, j) => {
      const row = rowOf.get(i);
      if (row !== undefined) return rows!.data[row * n + j] as number;
      return weak[j * k + i]! / (steps?.[i] ?? 1);
    });
  },
};
