/**
 * The grid of SignRound (Cheng et al. 2023, https://arxiv.org/abs/2309.05516;
 * https://github.com/intel/auto-round, data_type/int.py, `quant_tensor_asym`): each number has an offset that
 * is added before it is rounded, each block two factors that cut off its ends. All three are learnt; rounding
 * itself lets gradients through.
 */
import type { Value } from "../../ir/op.ts";
import { add, div, maximum, minimum, mul, neg, round, sub } from "../../ops/elementwise.ts";

/** A matrix in blocks, and what its grids span. */
export type Blocked = {
  /** [N, blocks, block] */
  readonly w: Value;
  /** Smallest and largest number of each block, and 0, [N, blocks, 1]. */
  readonly low: Value;
  readonly high: Value;
};

/** What is learnt of a matrix. */
export type Learnt = {
  /** Offsets of codes before rounding, [N, blocks, block], 0 at first. */
  readonly offset: Value;
  /** Factors of `low` and `high`, [N, blocks, 1], 1 at first. */
  readonly lowFactor: Value;
  readonly highFactor: Value;
};

/** Smallest scale: that of a block of zeros. */
const LEAST = 1e-9;

/** Codes as whole float32 numbers, scales and zeros [N, blocks, 1], and the numbers that they stand for. */
export const signRounded = (
  { w, low, high }: Blocked,
  { offset, lowFactor, highFactor }: Learnt,
  bits: number,
) => {
  const most = 2 ** bits - 1;
  const [from, to] = [mul(low, lowFactor), mul(high, highFactor)];
  const scale = maximum(LEAST, div(sub(to, from), most));
  const zero = round(neg(div(from, scale)));
  const code = add(round(add(div(w, scale), offset)), zero);
  // At a grid's ends gradients pass (ties go to the second operand): of 2 bits half of the codes are there.
  const q = minimum(most, maximum(0, code));
  return { q, scale, zero, values: mul(sub(q, zero), scale) };
};
