/** Bracketed classes: ranges, kinds, classes within classes, what both sides of `&&` have. */
import type { CodeTest } from "./codeSet.ts";
import { codeEscape, kindEscape, negated, posixBracket } from "./escapes.ts";
import { propertyTest } from "./properties.ts";
import { refusePattern, type Scanner } from "./scanner.ts";

/** A bracketed class, and whether it stands for all others. */
export interface ParsedClass {
  /** Without `negative`. */
  readonly test: CodeTest;
  readonly negative: boolean;
}

const MAX_DEPTH = 32;

const union = (tests: readonly CodeTest[]): CodeTest => {
  if (tests.length === 1) return tests[0]!;
  return (code) => {
    for (const test of tests) if (test(code)) return true;
    return false;
  };
};

const both =
  (a: CodeTest, b: CodeTest): CodeTest =>
  (code) =>
    a(code) && b(code);

/** A character or a kind of characters of a class. */
const member = (scan: Scanner): number | CodeTest => {
  const char = scan.next();
  if (char === "") return refusePattern(scan.source, "has a class without its end");
  if (char !== "\\") return char.codePointAt(0)!;
  const letter = scan.next();
  if (letter === "b") return 8;
  if (letter === "R" || letter === "X") return refusePattern(scan.source, `has \\${letter} in a class`);
  return kindEscape(scan, letter, propertyTest) ?? codeEscape(scan, letter);
};

/** A range, where `-` and its end come next. */
const range = (scan: Scanner, first: number | CodeTest): CodeTest => {
  const { source } = scan;
  const isRange = scan.peek() === "-" && source[scan.at + 1] !== "]";
  if (!isRange) return typeof first === "number" ? (code) => code === first : first;
  if (typeof first !== "number" || source[scan.at + 1] === "[" || source.startsWith("&&", scan.at + 1))
    return refusePattern(source, "has a range without a character at each end");
  scan.next();
  const last = member(scan);
  if (typeof last !== "number") return refusePattern(source, "has a range without a character at each end");
  if (last < first) return refusePattern(source, "has a range whose end comes before its start");
  // What a second "-" means differs between kinds of patterns.
  if (scan.peek() === "-" && source[scan.at + 1] !== "]") refusePattern(source, "has a range of three ends");
  return (code) => code >= first && code <= last;
};

/** The class whose `[` has been taken. Throws FormatError where it is malformed. */
export const parseClass = (scan: Scanner, depth = 0): ParsedClass => {
  if (depth > MAX_DEPTH) refusePattern(scan.source, "has classes within classes without end");
  const negative = scan.take("^");
  const sides: CodeTest[][] = [[]];
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst && scan.take("]")) break;
    const side = sides.at(-1)!;
    if (scan.take("&&")) {
      sides.push([]);
      continue;
    }
    const posix = posixBracket(scan);
    if (posix !== undefined) side.push(posix);
    else if (scan.take("[")) {
      const inner = parseClass(scan, depth + 1);
      side.push(inner.negative ? negated(inner.test) : inner.test);
    } else side.push(range(scan, member(scan)));
  }
  return { test: sides.map(union).reduce(both), negative };
};
