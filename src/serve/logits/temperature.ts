/** Divides scores: below 1 the likely become likelier. */
import type { LogitsProcessor } from "./processor.ts";

/** Divides all scores by the temperature. */
export const temperature: LogitsProcessor = {
  change: ({ temperature: t = 1 }) =>
    t === 1
      ? undefined
      : (scores) => {
          for (let id = 0; id < scores.length; id++) scores[id]! /= t;
        },
};
