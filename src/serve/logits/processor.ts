/**
 * What a model's scores meet before a token is chosen: a chain of processors, each of which reads its own
 * settings. Meanings and order are those of transformers' logits processors
 * (https://huggingface.co/docs/transformers/internal/generation_utils).
 */
import type { LogitsSettings } from "../../models/generation.ts";

/** Logits or log-probabilities of the next token, [V]. */
export type Scores = Float32Array | Float64Array;

/** What is known of a text before its first new token. */
export interface TextStart {
  /** Ids that the decoder has read: the prompt's, or the one that starts a target. */
  readonly promptTokens: number;
  /** Ids at the very end, those of the prompt among them. */
  readonly maxLength: number;
  /** Ids that end the text. */
  readonly eos: readonly number[];
  /** What the encoder read; of a decoder alone, the prompt. */
  readonly source: ArrayLike<number>;
  /** Fewest tokens that sampling keeps. */
  readonly leastKept: number;
}

/** Changes scores in place; `ids` is all that the decoder has read of this text. */
export type Change = (scores: Scores, ids: readonly number[]) => void;

/** One kind of change to the scores of the next token, made of the settings it reads. */
export interface LogitsProcessor {
  /** The change that the settings ask for; undefined where they ask for none. */
  change(settings: LogitsSettings, start: TextStart): Change | undefined;
}

/** The score of what cannot be. */
export const NONE = Number.NEGATIVE_INFINITY;

/** Makes ids impossible; those beyond the vocabulary are so anyway. */
export const forbid = (scores: Scores, ids: Iterable<number>): void => {
  for (const id of ids) if (id < scores.length) scores[id] = NONE;
};

/** The largest score. */
export const largest = (scores: Scores): number => {
  let most = NONE;
  for (let id = 0; id < scores.length; id++) if (scores[id]! > most) most = scores[id]!;
  return most;
};

/** The logarithm of the sum of the exponentials of scores: subtracted, it makes them log-probabilities. */
export const logSumExp = (scores: Scores): number => {
  const most = largest(scores);
  let sum = 0;
  for (let id = 0; id < scores.length; id++) sum += Math.exp(scores[id]! - most);
  return most + Math.log(sum);
};

/** Probabilities of scores, [V]. */
export const softmax = (scores: Scores): Float64Array => {
  const shift = logSumExp(scores);
  const probs = new Float64Array(scores.length);
  for (let id = 0; id < scores.length; id++) probs[id] = Math.exp(scores[id]! - shift);
  return probs;
};

/** Whether some of `ids` end with `tail`. */
export const endsWith = (ids: readonly number[], tail: readonly number[], length = tail.length): boolean => {
  if (length > ids.length) return false;
  for (let i = 0; i < length; i++) if (ids[ids.length - length + i] !== tail[i]) return false;
  return true;
};
