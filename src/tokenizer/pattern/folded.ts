/** Literal texts and classes, also where case does not matter. */
import { concat, either, type Node } from "./ast.ts";
import type { Folds } from "./caseFold.ts";
import type { CodeTest } from "./codeSet.ts";
import type { ParsedClass } from "./parseClass.ts";

const char = (code: number): Node => ({ type: "char", code });

const oneOf = (codes: readonly number[]): Node => {
  if (codes.length === 1) return char(codes[0]!);
  return { type: "set", test: (code) => codes.includes(code) };
};

/** A letter of each fold, by which two texts are compared. */
const foldOf = ({ alike }: Folds, code: number): number => alike.get(code)?.[0] ?? code;

const codesOf = (text: string): number[] => Array.from(text, (c) => c.codePointAt(0)!);

/** Most parts that a text may become. */
const MAX_PARTS = 1 << 14;

/**
 * A literal text without regard to case: each letter, or the single letters that several fold to. Calls
 * `refuse` where there are too many ways.
 */
export const blindNode = (codes: readonly number[], folds: Folds, refuse: () => never): Node => {
  const folded = codes.map((code) => foldOf(folds, code));
  const several = [...folds.several].map(
    ([text, letters]) => [codesOf(text).map((code) => foldOf(folds, code)), letters] as const,
  );
  let left = MAX_PARTS;
  const from = (start: number): Node => {
    const parts: Node[] = [];
    left -= codes.length - start + 1;
    if (left < 0) refuse();
    for (let at = start; at < codes.length; at++) {
      const fits = several.filter(([text]) => text.every((code, i) => folded[at + i] === code));
      const single = letter(codes[at]!, folds);
      if (fits.length > 0) {
        const rest = fits.map(([text, letters]) => concat([oneOf(letters), from(at + text.length)]));
        parts.push(either([concat([single, from(at + 1)]), ...rest]));
        break;
      }
      parts.push(single);
    }
    return concat(parts);
  };
  return from(0);
};

/** One letter, and what it folds to where that is several. */
const letter = (code: number, folds: Folds): Node => {
  const same = oneOf(folds.alike.get(code) ?? [code]);
  const several = folds.severalOf.get(code);
  if (several === undefined) return same;
  const letters = [...new Set([...(folds.several.get(several) ?? []), ...(folds.alike.get(code) ?? [code])])];
  const spelt = concat(codesOf(several).map((c) => oneOf(folds.alike.get(c) ?? [c])));
  return either([spelt, oneOf(letters)]);
};

/** A literal text as it is. */
export const literalNode = (codes: readonly number[]): Node => concat(codes.map(char));

/** A class; with `folds` without regard to case. */
export const classNode = ({ test, negative }: ParsedClass, folds?: Folds): Node => {
  const isIn: CodeTest =
    folds === undefined
      ? test
      : (code) => test(code) || (folds.alike.get(code)?.some((other) => test(other)) ?? false);
  if (negative) return { type: "set", test: (code) => !isIn(code) };
  const set: Node = { type: "set", test: isIn };
  if (folds === undefined) return set;
  const several = [...folds.severalOf].filter(([code]) => isIn(code)).map(([, text]) => text);
  const spelt = [...new Set(several)].map((text) =>
    concat(codesOf(text).map((code) => oneOf(folds.alike.get(code) ?? [code]))),
  );
  return either([set, ...spelt]);
};
