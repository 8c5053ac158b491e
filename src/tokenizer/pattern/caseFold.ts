/**
 * Case folding (https://www.unicode.org/Public/16.0.0/ucd/CaseFolding.txt) as Oniguruma has it: a letter
 * matches those of the same fold, and one whose full fold is several letters (sharp s) matches these, and
 * they it.
 */
import { isNewer } from "../unicode16.ts";

/** First and last of the blocks that have letters with case. */
const BLOCKS = [
  [0x41, 0x24ff],
  [0x2c00, 0x2dff],
  [0xa640, 0xabff],
  [0xfb00, 0xfb1f],
  [0xff21, 0xff5a],
  [0x10400, 0x105ff],
  [0x10c80, 0x10dff],
  [0x118a0, 0x118ff],
  [0x16e40, 0x16e7f],
  [0x1e900, 0x1e95f],
] as const;

const inBlocks = (visit: (code: number) => void): void => {
  for (const [first, last] of BLOCKS) for (let code = first; code <= last; code++) visit(code);
};

const single = (text: string): boolean => text.length === (text.codePointAt(0)! > 0xffff ? 2 : 1);

/** Which code points match one another whatever their case. */
export interface Folds {
  /** Code points of one simple fold, by each of them; those alone are absent. */
  readonly alike: ReadonlyMap<number, readonly number[]>;
  /** Letters by the several that they fold to. */
  readonly several: ReadonlyMap<string, readonly number[]>;
  /** The letters that one letter folds to, where they are several. */
  readonly severalOf: ReadonlyMap<number, string>;
}

const push = <K>(map: Map<K, number[]>, key: K, code: number): void => {
  const list = map.get(key);
  if (list === undefined) map.set(key, [code]);
  else list.push(code);
};

/** The folds of all letters: made once for a pattern that needs them. */
export const caseFolds = (): Folds => {
  const byFold = new Map<string, number[]>();
  const several = new Map<string, number[]>();
  const severalOf = new Map<number, string>();
  inBlocks((code) => {
    const char = String.fromCodePoint(code);
    const [upper, lower] = [char.toUpperCase(), char.toLowerCase()];
    // The dotless i has a capital, but no fold.
    if ((upper === char && lower === char) || code === 0x131 || isNewer(code)) return;
    const folded = Array.from(upper, (c) => c.toLowerCase()).join("");
    push(byFold, single(upper) ? folded : lower, code);
    const full = single(upper) ? lower : folded;
    const whole = code === 0x1e9e ? "ss" : full;
    if (single(whole)) return;
    push(several, whole, code);
    severalOf.set(code, whole);
  });
  const alike = new Map([...byFold.values()].flatMap((codes) => codes.map((code) => [code, codes] as const)));
  return { alike, several, severalOf };
};
