/** Scores made finite, or log-probabilities again. */
import { type LogitsProcessor, logSumExp } from "./processor.ts";

/** The largest float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/** NaN becomes 0, infinite scores the largest finite ones. */
export const removeInvalid: LogitsProcessor = {
  change: ({ removeInvalid: wanted = false }) =>
    wanted
      ? (scores) => {
          for (let id = 0; id < scores.length; id++) {
            const score = scores[id]!;
            scores[id] = Number.isNaN(score) ? 0 : Math.max(-LARGEST, Math.min(LARGEST, score));
          }
        }
      : undefined,
};

/** Makes scores log-probabilities. */
export const renormalize: LogitsProcessor = {
  change: ({ renormalize: wanted = false }) =>
    wanted
      ? (scores) => {
          const shift = logSumExp(scores);
          for (let id = 0; id < scores.length; id++) scores[id]! -= shift;
        }
      : undefined,
};
