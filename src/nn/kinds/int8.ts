/** 8 bits: groups of inputs with a scale for each output; see ops/int8. It is not trained. */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type Int8Group, int8Matmul, int8Rows } from "../../ops/int8.ts";
import type { Packed, PackedParam, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

/** Of parts q0 [K0, N] and scale0 [N] of the first inputs, q1 and scale1 of those that follow, and so on. */
const groupsOf = <T>({ parts }: Packed<T>): { readonly q: T; readonly scale: T }[] => {
  const groups: { q: T; scale: T }[] = [];
  for (let i = 0; parts[`q${i}`] !== undefined; i++) {
    groups.push({ q: parts[`q${i}`] as T, scale: parts[`scale${i}`] as T });
  }
  return groups;
};

const groups = (weight: PackedParam): Int8Group[] => groupsOf<Value>(weight);

/** 8-bit weights. */
export const int8: WeightKind = {
  name: "int8",
  trained: [],
  outputAxes: { q: 1, scale: 0 },
  multiply: (x, weight, bias) => int8Matmul(x, groups(weight), bias),
  rows: (weight, ids) => int8Rows(groups(weight), ids, sizesOf(weight).k),
  dense: (weight) => {
    const { k, n } = sizesOf(weight);
    const sums = new Float32Array(k * n);
    let first = 0;
    for (const { q, scale } of groupsOf<Tensor>(weight)) {
      const zero = q.dtype === "uint8" ? 128 : 0;
      for (let at = 0; at < q.data.length; at++) {
        sums[first * n + at]! += Math.fround((Number(q.data[at]) - zero) * (scale.data[at % n] as number));
      }
      // Parts of all inputs are added up; others follow one another.
      first = (first + q.shape[0]!) % k;
    }
    return filled(weight, (i, j) => sums[i * n + j]!);
  },
};
