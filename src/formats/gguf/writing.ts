/** What all packed types are written with: weights of numbers, float16, refusals. */
import { ConfigError } from "../../util/errors.ts";
import { float16Number, narrowFloat16 } from "../../util/float16.ts";
import type { Numbers } from "./fits.ts";
import type { GgmlForm } from "./ggmlBlocks.ts";

/** A type that is written too. */
export interface GgmlWrittenForm extends GgmlForm {
  /**
   * Whole rows as bytes. `importance` [row] >= 0 is what an error of each of a row's numbers counts, all
   * alike without; types of fewer than 8 bits read it. Throws ConfigError for a number that the type cannot
   * hold.
   */
  pack(values: Float32Array, importance?: ArrayLike<number>): Uint8Array;
}

/** Throws ConfigError for a number that a type cannot hold. */
export const unfit = (x: number, type: string): never => {
  throw new ConfigError(`has the value ${x}, which ${type} cannot hold`, {
    hint: Number.isFinite(x)
      ? "write it as f32"
      : "the weights are damaged: train again or use an earlier one",
  });
};

/** Float16 bits. Throws ConfigError where a number does not fit. */
export const halvesOf = (values: Float32Array, type: string): Uint16Array => {
  const bits = new Uint16Array(values.length);
  narrowFloat16(values, bits);
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7c00) === 0x7c00) unfit(values[i]!, type);
  return bits;
};

/** Writes x as float16 to `bytes[at]`; gives what stands there. Throws ConfigError where it does not fit. */
export const putHalf = (bytes: Uint8Array, at: number, x: number, type: string): number => {
  const [bits] = halvesOf(Float32Array.of(x), type);
  bytes[at] = bits! & 255;
  bytes[at + 1] = bits! >> 8;
  return float16Number(bits!);
};

/** The mean square of some numbers. Throws ConfigError where one is not finite. */
export const meanSquare = (values: Float32Array, from: number, count: number, type: string): number => {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += values[i]! * values[i]!;
  if (Number.isFinite(sum)) return sum / count;
  for (let i = from; i < from + count; i++) if (!Number.isFinite(values[i]!)) unfit(values[i]!, type);
  return sum / count;
};

/** A place of an array, and the importance of the numbers of its rows. */
export interface Weighing {
  readonly values: Float32Array;
  readonly from: number;
  readonly importance: ArrayLike<number> | undefined;
  /** The usual square of numbers there. */
  readonly square: number;
}

/** Takes numbers from `from` on to `into`, with what their errors count: importance, more for larger ones. */
export const weigh = ({ values, from, importance, square }: Weighing, into: Numbers): Numbers => {
  const { values: own, weights } = into;
  const at = importance === undefined ? 0 : from % importance.length;
  let sum = 0;
  for (let i = 0; i < own.length; i++) {
    const x = values[from + i]!;
    own[i] = x;
    weights[i] = (importance === undefined ? 1 : importance[at + i]!) * Math.sqrt(square + x * x);
    sum += weights[i]!;
  }
  // Numbers that nothing ever read.
  if (!(sum > 0)) weights.fill(1);
  return into;
};

/** Room for `count` numbers. */
export const numbers = (count: number): Numbers => ({
  values: new Float64Array(count),
  weights: new Float64Array(count),
});
