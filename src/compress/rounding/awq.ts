/**
 * AWQ (Lin et al. 2023, https://arxiv.org/abs/2306.00978; https://github.com/mit-han-lab/llm-awq): inputs that
 * are strong are made weaker and their weights larger by as much, so that rounding takes less of them. How
 * much is a power of the mean magnitude, searched for by what rounding does to the outputs. The authors
 * compare the outputs of a whole attention or MLP; here it is the products that read these inputs, which
 * their second moments give without a run of the model.
 */
import { type Codes, dequantized, type GridOptions, type Rows } from "./codes.ts";
import { outputError } from "./error.ts";
import type { SecondMoments } from "./moments.ts";
import { nearest } from "./nearest.ts";

/** Powers that are tried: 0, 1 / 20 ... 19 / 20. */
const POWERS = 20;

/** The mean squared error of a product's outputs where `after` [N, K] stands for its matrix. */
export type OutputError = (
  rows: Rows,
  after: Float32Array,
  moments: SecondMoments,
) => number | Promise<number>;

/** How the scales are searched for. */
export interface AwqOptions extends GridOptions {
  /** What rounding the scaled matrices gives; to nearest unless told. */
  readonly round?: (rows: Rows, options: GridOptions) => Codes;
  /**
   * How matrices with inputs that are divided by scales are rounded in the end, where that is another way:
   * the power that was found, half of it and none are then compared by it.
   */
  readonly settle?: (rows: Rows, scales: Float64Array) => Codes;
  readonly errorOf?: OutputError;
}

/** A matrix with its inputs' weights multiplied by `scales` [K]. */
export const scaledInputs = ({ n, k, values }: Rows, scales: ArrayLike<number>): Rows => {
  const scaled = new Float32Array(n * k);
  for (let j = 0; j < n; j++) for (let i = 0; i < k; i++) scaled[j * k + i] = values[j * k + i]! * scales[i]!;
  return { n, k, values: scaled };
};

/** The scales of one power, around 1. */
const scalesOf = (magnitudes: Float64Array, power: number): Float64Array => {
  const scales = magnitudes.map((x) => Math.max(1e-4, x ** power));
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const s of scales) [low, high] = [Math.min(low, s), Math.max(high, s)];
  const middle = Math.sqrt(low * high);
  return scales.map((s) => s / middle);
};

/** What was found. */
export interface AwqScales {
  /** What the inputs are divided by and the weights multiplied by, [K]. */
  readonly scales: Float64Array;
  readonly power: number;
  /** The outputs' mean squared error, of all matrices that read these inputs, and that of the power 0. */
  readonly error: number;
  readonly plainError: number;
}

/** The best scales for matrices that read the same inputs. */
export const awqScales = async (
  matrices: readonly Rows[],
  moments: SecondMoments,
  options: AwqOptions,
): Promise<AwqScales> => {
  const { round = nearest, settle, errorOf = outputError, ...grid } = options;
  const magnitudes = moments.absolutes.map((sum) => sum / moments.count);
  const bestOf = async (
    powers: readonly number[],
    by: (rows: Rows, scales: Float64Array) => Codes,
  ): Promise<AwqScales> => {
    let best: AwqScales | undefined;
    for (const power of powers) {
      const scales = scalesOf(magnitudes, power);
      const inverse = scales.map((s) => 1 / s);
      let error = 0;
      for (const rows of matrices) {
        const codes = by(scaledInputs(rows, scales), scales);
        const { values } = scaledInputs({ ...rows, values: dequantized(codes) }, inverse);
        error += (await errorOf(rows, values as Float32Array, moments)) * rows.n;
      }
      if (best === undefined || error < best.error)
        best = { scales, power, error, plainError: best?.plainError ?? error };
    }
    return best!;
  };
  const all = Array.from({ length: POWERS }, (_, step) => step / POWERS);
  const found = await bestOf(all, (rows) => round(rows, grid));
  if (settle === undefined || found.power === 0) return found;
  return bestOf([0, found.power / 2, found.power], settle);
};
