/**
 * DoRA (Liu et al. 2024, https://arxiv.org/abs/2402.09353): a low-rank adapter gives each output's
 * direction, and its length is trained apart: W' = m * (W + scale * B A) / ||W + scale * B A||, by outputs.
 * As in PEFT no gradient flows through the length that is divided by. That length is found without the
 * matrix W + B A, so that the base can be of any kind: |w + s b A|^2 = |w|^2 + 2 s b (A w) + s^2 b (A A^T)
 * b^T.
 */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { detach } from "../../ops/detach.ts";
import { add, div, mul, sqrt } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { gather } from "../../ops/rows.ts";
import { reshape, sum, transpose } from "../../ops/structure.ts";
import { times } from "../linear.ts";
import { dense, type PackedParam, type PackedWeight, type WeightKind } from "../param.ts";
import { adapted } from "./adapted.ts";
import { filled, sizesOf } from "./matrix.ts";

/** What each output is multiplied by: its length over that of its direction -> [N]. */
const gainOf = ({ parts, attrs, layout }: PackedParam): Value => {
  const [a, b] = [dense(parts.a!), dense(parts.b!)];
  const scale = attrs!.scale as number;
  const along = transpose(times(parts.base!, a, layout), [1, 0]); // [N, R]
  const across = matmul(b, matmul(a, a, { transB: true })); // [N, R]
  const change = add(mul(along, 2 * scale), mul(across, scale * scale));
  const squares = add(dense(parts.squares!), sum(mul(b, change), [1]));
  return div(dense(parts.magnitude!), detach(sqrt(squares)));
};

/** Lengths of a matrix's outputs, squared: what `squares` is made of, of the base -> N numbers. */
export const outputSquares = (weight: Tensor, layout: "kn" | "nk"): Float32Array => {
  const { k, n } = sizesOf({ shape: weight.shape, layout });
  const [stepK, stepN] = layout === "kn" ? [n, 1] : [1, k];
  return Float32Array.from({ length: n }, (_, j) => {
    let total = 0;
    for (let i = 0; i < k; i++) total += (weight.data[i * stepK + j * stepN] as number) ** 2;
    return total;
  });
};

/** Parts base, a [R, K], b [N, R], magnitude [N], squares [N] (of the base); attrs as of `adapted`. */
export const dora: WeightKind = {
  name: "dora",
  trained: ["a", "b", "magnitude"],
  multiply: (x, weight, bias) => {
    const y = mul(adapted.multiply(x, weight), gainOf(weight));
    return bias === undefined ? y : add(y, bias);
  },
  rows: (weight, ids) => {
    const gains = gather(gainOf(weight), ids);
    return mul(adapted.rows(weight, ids), reshape(gains, [...ids.shape, 1]));
  },
  dense: (weight: PackedWeight) => {
    const sums = adapted.dense(weight);
    const { layout } = weight;
    const { k, n } = sizesOf(weight);
    const lengths = outputSquares(sums, layout).map(Math.sqrt);
    const { data } = weight.parts.magnitude as Tensor;
    const [stepK, stepN] = layout === "kn" ? [n, 1] : [1, k];
    return filled(weight, (i, j) => {
      const value = sums.data[i * stepK + j * stepN] as number;
      return (value * (data[j] as number)) / lengths[j]!;
    });
  },
};
