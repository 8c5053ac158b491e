/** Choosing the next token from logits. */

import type { Rng } from "../util/rng.ts";
import { top } from "./top.ts";

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
  /**
   * Only tokens at least this share as likely as the likeliest (Nguyen et al. 2024,
   * https://arxiv.org/abs/2407.01082).
   */
  readonly minP?: number;
  /**
   * Logits of tokens that were there already are divided by this where positive and multiplied where negative
   * (Keskar et al. 2019, https://arxiv.org/abs/1909.05858); 1 changes nothing.
   */
  readonly repetitionPenalty?: number;
}

/** The index of the largest logit; the first of equals. */
export const argmax = (logits: Float32Array): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
};

/** Applies the repetition penalty to `logits` in place, once for each distinct token of `seen`. */
export const penalize = (logits: Float32Array, seen: Iterable<number>, penalty: number): void => {
  if (penalty === 1) return;
  for (const id of new Set(seen)) {
    const logit = logits[id]!;
    logits[id] = logit > 0 ? logit / penalty : logit * penalty;
  }
};

// Plain loops: a vocabulary is walked at every token, and iterators over typed arrays are ten times slower.

const massOf = (weights: Float64Array, ids: Uint32Array): number => {
  let mass = 0;
  for (let i = 0; i < ids.length; i++) mass += weights[ids[i]!]!;
  return mass;
};

const sumOf = (weights: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i]!;
  return sum;
};

/** Ids that weigh at least `least`, in their own order. */
const heavier = (weights: Float64Array, least: number): Uint32Array => {
  const ids = new Uint32Array(weights.length);
  let count = 0;
  for (let id = 0; id < weights.length; id++) if (weights[id]! >= least) ids[count++] = id;
  return ids.subarray(0, count);
};

/** The nucleus of all tokens. Those that are sorted out first are together less than what it leaves out. */
const nucleusOfAll = (weights: Float64Array, topP: number): Uint32Array => {
  const total = sumOf(weights);
  const ids = heavier(weights, ((1 - topP) * total) / weights.length);
  ids.sort((a, b) => weights[b]! - weights[a]! || a - b);
  return nucleus(ids, weights, topP, total);
};

/** The shortest start of `ids`, ordered by falling weight, that holds the share `topP` of `total`. */
const nucleus = (ids: Uint32Array, weights: Float64Array, topP: number, total: number): Uint32Array => {
  let kept = 0;
  for (let mass = 0; kept < ids.length && (kept === 0 || mass < topP * total); kept++) {
    mass += weights[ids[kept]!]!;
  }
  return ids.subarray(0, kept);
};

/** Token ids that may be drawn. */
const candidates = (logits: Float32Array, weights: Float64Array, options: SampleOptions): Uint32Array => {
  const { topK = 0, topP = 1, minP = 0 } = options;
  if (topK > 0 && topK < logits.length) {
    const likeliest = top(logits, topK);
    const ids = topP < 1 ? nucleus(likeliest, weights, topP, massOf(weights, likeliest)) : likeliest;
    return ids.filter((id) => weights[id]! >= minP); // the likeliest weighs 1
  }
  return topP < 1 ? nucleusOfAll(weights, topP).filter((id) => weights[id]! >= minP) : heavier(weights, minP);
};

/** Draws a token id from logits [V]. */
export const sample = (logits: Float32Array, options: SampleOptions, random: Rng): number => {
  const { temperature = 1 } = options;
  if (temperature <= 0) return argmax(logits);
  const most = logits[argmax(logits)]!;
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < logits.length; id++) weights[id] = Math.exp((logits[id]! - most) / temperature);
  const ids = candidates(logits, weights, options);
  let draw = random.uniform() * massOf(weights, ids);
  for (let i = 0; i < ids.length; i++) {
    draw -= weights[ids[i]!]!;
    if (draw < 0) return ids[i]!;
  }
  return ids.at(-1)!;
};
