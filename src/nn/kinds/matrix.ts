/** A weight's matrix, filled in whichever way it lies. */
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Packed } from "../param.ts";

type Shaped = Pick<Packed<unknown>, "shape" | "layout">;

/** Inputs K and outputs N of a packed weight. */
export const sizesOf = ({ shape, layout }: Shaped): { readonly k: number; readonly n: number } => {
  const [rows, columns] = shape as [number, number];
  return layout === "kn" ? { k: rows, n: columns } : { k: columns, n: rows };
};

/** The float32 tensor of a packed weight's shape and layout, of `at(input, output)`. */
export const filled = (weight: Shaped, at: (i: number, j: number) => number): Tensor => {
  const { k, n } = sizesOf(weight);
  const [stepK, stepN] = weight.layout === "kn" ? [n, 1] : [1, k];
  const data = new Float32Array(k * n);
  for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) data[i * stepK + j * stepN] = at(i, j);
  return tensor("float32", weight.shape, data);
};
