/**
 * Wanda (Sun et al. 2023, https://arxiv.org/abs/2306.11695; https://github.com/locuslab/wanda): of each
 * output the numbers go whose magnitude times the norm of what they multiply is least.
 */
import type { Rows } from "../rounding/codes.ts";
import type { Moments } from "../rounding/moments.ts";
import { markGroups, markLeast, type Pattern } from "./pattern.ts";

/** A matrix [N, K] without the numbers that count for least in their output. */
export const wanda = ({ n, k, values }: Rows, pattern: Pattern, { squares }: Moments): Float32Array => {
  const norms = Float64Array.from(squares, Math.sqrt);
  const scores = Float64Array.from(values, (v, i) => Math.abs(v) * norms[i % k]!);
  const mask = new Uint8Array(values.length);
  if ("share" in pattern) {
    const count = Math.floor(k * pattern.share);
    for (let j = 0; j < n; j++) markLeast(mask, scores, [j * k, (j + 1) * k], count);
  } else markGroups(mask, scores, pattern);
  return Float32Array.from(values, (v, i) => (mask[i] === 1 ? 0 : v));
};
