/** Sequences of n tokens that appear once at most, or that are not taken from the source. */
import { forbid, type LogitsProcessor } from "./processor.ts";

/** Ids that would end an n-gram of `text` whose start is the end of `ids`. */
const completions = (text: ArrayLike<number>, ids: readonly number[], n: number): number[] => {
  const found: number[] = [];
  const tail = ids.length - n + 1;
  if (tail < 0) return found;
  for (let at = 0; at + n <= text.length; at++) {
    let same = 0;
    while (same < n - 1 && text[at + same] === ids[tail + same]) same++;
    if (same === n - 1) found.push(text[at + n - 1]!);
  }
  return found;
};

/** Never completes n tokens that the text has already. */
export const noRepeatNgram: LogitsProcessor = {
  change: ({ noRepeatNgram: n = 0 }) =>
    n > 0 ? (scores, ids) => forbid(scores, completions(ids, ids, n)) : undefined,
};

/** Never completes n tokens that the source has. */
export const encoderNoRepeatNgram: LogitsProcessor = {
  change: ({ encoderNoRepeatNgram: n = 0 }, { source }) =>
    n > 0 ? (scores, ids) => forbid(scores, completions(source, ids, n)) : undefined,
};
