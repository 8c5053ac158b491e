/** Choosing the next token from logits. */
import type { Rng } from "../util/rng.ts";

export interface SampleOptions {
  /** 0 is greedy; 1 leaves the distribution as it is. */
  readonly temperature?: number;
  /** Only the k likeliest tokens; 0 means all. */
  readonly topK?: number;
  /**
   * Only the likeliest tokens that together reach this probability (Holtzman et al. 2019,
   * https://arxiv.org/abs/1904.09751).
   */
  readonly topP?: number;
}

/** The index of the largest logit; the first of equals. */
export const argmax = (logits: Float32Array): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
};

/** Ids by falling logit, cut to the k likeliest. */
const likeliest = (logits: Float32Array, k: number): Uint32Array => {
  const ids = Uint32Array.from({ length: logits.length }, (_, i) => i);
  ids.sort((a, b) => logits[b]! - logits[a]! || a - b);
  return k > 0 && k < ids.length ? ids.subarray(0, k) : ids;
};

/** Draws a token id from logits [V]. */
export const sample = (logits: Float32Array, options: SampleOptions, random: Rng): number => {
  const { temperature = 1, topK = 0, topP = 1 } = options;
  if (temperature <= 0) return argmax(logits);
  const ids = likeliest(logits, topK);
  const top = logits[ids[0]!]!;
  const weights = Float64Array.from(ids, (id) => Math.exp((logits[id]! - top) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let kept = 0;
  let mass = 0;
  while (kept < ids.length && (kept === 0 || mass < topP * total)) mass += weights[kept++]!;
  let draw = random.uniform() * mass;
  for (let i = 0; i < kept; i++) {
    draw -= weights[i]!;
    if (draw < 0) return ids[i]!;
  }
  return ids[kept - 1]!;
};
