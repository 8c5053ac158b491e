/** Some slices of a tensor. */
import type { Tensor } from "../../ir/tensor.ts";

/** The slices `ids` of a float32 tensor along `axis`, in that order. */
export const gathered = (tensor: Tensor, axis: number, ids: ArrayLike<number>): Tensor => {
  const { shape, dtype, data } = tensor;
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = shape.slice(0, axis).reduce((a, b) => a * b, 1);
  const source = data as Float32Array;
  const out = new Float32Array(outer * ids.length * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < ids.length; i++) {
      const from = (o * shape[axis]! + ids[i]!) * inner;
      out.set(source.subarray(from, from + inner), (o * ids.length + i) * inner);
    }
  return { dtype, shape: shape.with(axis, ids.length), data: out };
};
