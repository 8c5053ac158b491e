/**
 * Low-rank adapters (Hu et al. 2021, https://arxiv.org/abs/2106.09685): a base of any kind that stands still
 * and scale * B A on top, A [R, K] and B [N, R], which are trained.
 */
import type { Tensor } from "../../ir/tensor.ts";
import { add } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { gather } from "../../ops/rows.ts";
import { dropout } from "../dropout.ts";
import { embed, times } from "../linear.ts";
import { dense, type PackedParam, unpacked, type WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

const partsOf = ({ parts: { base, a, b }, attrs }: PackedParam) => ({
  ...{ base: base!, a: dense(a!), b: dense(b!) },
  ...(attrs as { readonly scale: number; readonly dropout: number }),
});

/** Parts base, a [R, K] and b [N, R]; attrs `scale`, and `dropout` of what the adapter reads in training. */
export const adapted: WeightKind = {
  name: "adapted",
  trained: ["a", "b"],
  multiply: (x, weight, bias) => {
    const { base, a, b, scale, dropout: rate } = partsOf(weight);
    const { noise, layout } = weight;
    const read = noise === undefined ? x : dropout(x, rate, `${noise.site}.adapter`, noise.seed);
    const inner = matmul(read, a, { transB: true, alpha: scale }); // [..., R]
    return add(times(base, x, layout, bias), matmul(inner, b, { transB: true }));
  },
  rows: (weight, ids) => {
    const { base, a, b, scale } = partsOf(weight);
    return add(embed(base, ids), matmul(gather(b, ids), a, { alpha: scale }));
  },
  dense: (weight) => {
    const { base, a, b } = weight.parts as { base: Tensor; a: Tensor; b: Tensor };
    const { k, n } = sizesOf(weight);
    const rank = a.shape[0]!;
    const [stepK, stepN] = weight.layout === "kn" ? [n, 1] : [1, k];
    const { data } = unpacked(base);
    return filled(weight, (i, j) => {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += (b.data[j * rank + r] as number) * (a.data[r * k + i] as number);
      return (data[i * stepK + j * stepN] as number) + (weight.attrs!.scale as number) * sum;
    });
  },
};
