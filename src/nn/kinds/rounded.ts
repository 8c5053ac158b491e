/**
 * Weights that are rounded to few bits whenever they are multiplied by, and learn under that: gradients go
 * straight through the rounding (Bengio et al. 2013, https://arxiv.org/abs/1308.3432), and the scale of each
 * block learns as well (LSQ: Esser et al. 2019, https://arxiv.org/abs/1902.08153), whose gradient is that of
 * the very formula.
 */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { add, div, maximum, minimum, mul, neg, round, sub } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { gather } from "../../ops/rows.ts";
import { reshape, transpose } from "../../ops/structure.ts";
import type { PackedParam, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

// N outputs, K inputs

const formOf = ({ attrs }: { readonly attrs?: PackedParam["attrs"] }) =>
  attrs as { readonly bits: number; readonly block: number };

/** The nearest whole number, at ties the even one, as the op that trains has it. */
export const roundedEven = (x: number): number => {
  const down = Math.floor(x);
  const off = x - down;
  if (off !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};

/** w [rows, K] with scale and zero [rows, K / block] -> what its codes stand for, [rows, K]. */
const throughCodes = (w: Value, scale: Value, zero: Value, { bits }: { readonly bits: number }): Value => {
  const [rows, k] = w.shape as readonly [number, number];
  const blocks = scale.shape[1] as number;
  const column = (x: Value): Value => reshape(x, [rows, blocks, 1]);
  const [s, z] = [column(scale), column(zero)];
  const inCodes = div(reshape(w, [rows, blocks, k / blocks]), s);
  const within = minimum(maximum(inCodes, neg(z)), sub(2 ** bits - 1, z));
  return reshape(mul(round(within), s), [rows, k]);
};

/** The weight as [N, K], rounded. */
const matrixOf = (weight: PackedParam): Value => {
  const { weight: w, scale, zero } = weight.parts as Record<string, Value>;
  const rows = weight.layout === "nk" ? w! : transpose(w!, [1, 0]);
  return throughCodes(rows, scale!, zero!, formOf(weight));
};

/** Parts weight as it lies, scale and zero [N, blocks]; attrs `bits` and `block`. */
export const rounded: WeightKind = {
  name: "rounded",
  trained: ["weight", "scale"],
  multiply: (x, weight, bias) => {
    const y = matmul(x, matrixOf(weight), { transB: true });
    return bias === undefined ? y : add(y, bias);
  },
  rows: (weight, ids) => gather(matrixOf(weight), ids),
  dense: (weight) => {
    const { weight: w, scale, zero } = weight.parts as Record<string, Tensor>;
    const { bits, block } = formOf(weight);
    const { k, n } = sizesOf(weight);
    const [stepK, stepN] = weight.layout === "kn" ? [n, 1] : [1, k];
    const blocks = Math.ceil(k / block);
    const most = 2 ** bits - 1;
    return filled(weight, (i, j) => {
      const at = j * blocks + Math.floor(i / block);
      const [s, z] = [scale!.data[at] as number, zero!.data[at] as number];
      const code = roundedEven((w!.data[i * stepK + j * stepN] as number) / s);
      return Math.max(-z, Math.min(most - z, code)) * s;
    });
  },
};
