/** Which numbers of a matrix may be 0: a share of all, or so many of each few neighbouring inputs. */
import { ConfigError } from "../../util/errors.ts";

/** A share of the numbers, or `zeros` of every `of` neighbouring inputs of an output. */
export type Pattern = { readonly share: number } | { readonly zeros: number; readonly of: number };

/** "0.5" or "2:4" (2 of 4 are 0) as a pattern. Throws ConfigError for anything else. */
export const patternOf = (text: string): Pattern => {
  const parts = /^(\d+):(\d+)$/.exec(text);
  const [zeros, of] = [Number(parts?.[1]), Number(parts?.[2])];
  if (parts !== null && zeros >= 1 && zeros < of) return { zeros, of };
  const share = Number(text);
  if (text.trim() !== "" && share > 0 && share < 1) return { share };
  throw new ConfigError(`must be a share between 0 and 1, or 2:4 and the like, not ${JSON.stringify(text)}`, {
    field: "prune.sparsity",
    hint: "0.5 makes half of each matrix 0, 2:4 two of every four neighbours",
  });
};

/** "50 %", "2 of 4" */
export const patternInWords = (pattern: Pattern): string =>
  "share" in pattern ? `${+(100 * pattern.share).toFixed(1)} %` : `${pattern.zeros} of ${pattern.of}`;

/** Throws ConfigError naming a matrix whose inputs do not divide into a pattern's groups. */
export const checkPattern = (path: string, k: number, pattern: Pattern): void => {
  if ("share" in pattern || k % pattern.of === 0) return;
  throw new ConfigError(`has ${k} inputs, which do not divide into groups of ${pattern.of}`, {
    field: path,
    hint: "ask for a share: --sparsity 0.5",
  });
};

/** Marks the `count` least of scores `from` to `to`, the first of equal ones. */
export const markLeast = (
  mask: Uint8Array,
  scores: ArrayLike<number>,
  [from, to]: readonly [number, number],
  count: number,
): void => {
  if (count <= 0) return;
  const sorted = Float64Array.from({ length: to - from }, (_, i) => scores[from + i]!).sort();
  const last = sorted[count - 1]!;
  let left = count;
  for (let i = from; i < to; i++) {
    if (scores[i]! >= last) continue;
    mask[i] = 1;
    left--;
  }
  for (let i = from; i < to && left > 0; i++) {
    if (scores[i] !== last) continue;
    mask[i] = 1;
    left--;
  }
};

/** Marks so many of each few neighbours of rows [N, K]. */
export const markGroups = (
  mask: Uint8Array,
  scores: ArrayLike<number>,
  { zeros, of }: { readonly zeros: number; readonly of: number },
): void => {
  for (let from = 0; from < mask.length; from += of) {
    for (let zero = 0; zero < zeros; zero++) {
      let least = -1;
      for (let i = from; i < from + of; i++) {
        if (mask[i] === 0 && (least < 0 || scores[i]! < scores[least]!)) least = i;
      }
      mask[least] = 1;
    }
  }
};
