/** Pruning by magnitude: the smallest numbers of a matrix go, whatever they multiply. The yardstick. */
import type { Rows } from "../rounding/codes.ts";
import { markGroups, type Pattern } from "./pattern.ts";

/** A matrix [N, K] without its smallest numbers: those up to the one at the share, as in Wanda's code. */
export const magnitude = ({ values }: Rows, pattern: Pattern): Float32Array => {
  const scores = values.map(Math.abs);
  if ("share" in pattern) {
    const threshold = scores.slice().sort()[Math.floor(values.length * pattern.share)]!;
    return Float32Array.from(values, (v, i) => (scores[i]! <= threshold ? 0 : v));
  }
  const mask = new Uint8Array(values.length);
  markGroups(mask, scores, pattern);
  return Float32Array.from(values, (v, i) => (mask[i] === 1 ? 0 : v));
};
