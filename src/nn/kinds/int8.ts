/** 8 bits with a scale for each output, strong inputs apart; see ops/int8. It is not trained. */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Digits, type Int8Form, type Int8Matrix, int8Matmul, int8Rows } from "../../ops/int8.ts";
import type { Packed, PackedParam, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

const matrixOf = ({ parts }: PackedParam): Int8Matrix => parts as Record<"q" | "scale", Value>;

/** How a weight's product meets its inputs, which its attributes say. */
export const int8FormOf = ({ attrs = {} }: Packed<unknown>): Int8Form => ({
  digits: attrs.digits as Digits,
  strong: attrs.strong as readonly number[],
});

/** 8-bit weights: q int8 or uint8 [K, N], scale [N] and, of strong inputs, rows [S, N]. */
export const int8: WeightKind = {
  name: "int8",
  trained: [],
  outputAxes: { q: 1, scale: 0, rows: 1 },
  multiply: (x, weight, bias) => int8Matmul(x, matrixOf(weight), int8FormOf(weight), bias),
  widened: (attrs) => ({ ...attrs, digits: 0 }),
  rows: (weight, ids) => int8Rows(matrixOf(weight), ids, int8FormOf(weight).strong),
  dense: (weight) => {
    const { q, scale, rows } = weight.parts as Record<keyof Int8Matrix, Tensor | undefined>;
    const { n } = sizesOf(weight);
    const zero = q!.dtype === "uint8" ? 128 : 0;
    const { strong } = int8FormOf(weight);
    const rowOf = new Map(strong.map((input, row) => [input, row]));
    return filled(weight, (i, j) => {
      const row = rowOf.get(i);
      if (row !== undefined) return rows!.data[row * n + j] as number;
      return (Number(q!.data[i * n + j]) - zero) * (scale!.data[j] as number);
    });
  },
};
