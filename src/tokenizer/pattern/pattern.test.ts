/** Patterns as the Rust library reads them, by test/golden/patterns.py. */
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../util/errors.ts";
import { replacer } from "../steps/matches.ts";
import { piecesOf } from "../steps/pieces.ts";
import { compile } from "./compile.ts";
import { parse } from "./parse.ts";
import { patternOf } from "./pattern.ts";
import { machine, matchAt } from "./run.ts";

interface Row {
  readonly pattern: string;
  readonly refused?: true;
  readonly rows?: readonly (readonly [text: string, replaced: string, ...cuts: string[][]])[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/patterns.json", import.meta.url), "utf8"),
) as { patterns: Row[]; foreign: string[]; sets: Record<string, number> };

const BEHAVIORS = ["Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous", "Removed"];

/** Patterns that can be read there, and are refused here. */
const refusedHere = (pattern: string): boolean => {
  try {
    patternOf(pattern);
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return true;
  }
};

describe("what the reference reads", () => {
  const read = golden.patterns.filter(({ refused }) => refused === undefined);

  test("is read the same, or refused where it is rare", () => {
    const here = read.filter(({ pattern }) => !refusedHere(pattern));
    expect(here.length).toBeGreaterThan(read.length * 0.95);
    for (const [i, { pattern, rows = [] }] of here.entries()) {
      const replaced = replacer(patternOf(pattern), "#");
      const behaviors = i % 4 === 0 ? BEHAVIORS : [];
      const cutters = behaviors.map((behavior) =>
        piecesOf({ type: "Split", pattern: { Regex: pattern }, behavior, invert: false }),
      );
      for (const [text, expected, ...cuts] of rows) {
        expect([pattern, text, replaced(text)]).toEqual([pattern, text, expected]);
        const found = cutters.map((cut) => cut({ text, first: true }).map((piece) => piece.text));
        expect([pattern, text, ...found]).toEqual([pattern, text, ...cuts.slice(0, found.length)]);
      }
    }
  });

  test("is matched the same by programs with a memory", () => {
    for (const { pattern, rows = [] } of read) {
      if (refusedHere(pattern)) continue;
      const [fast, linear] = [false, true].map((remembers) => compile(pattern, parse(pattern), remembers));
      for (const [text] of rows) {
        const remembering = machine(linear!, text, 1e6);
        for (let at = 0; at <= text.length; at++) {
          if (/[\udc00-\udfff]/.test(text[at] ?? "")) continue;
          const end = matchAt(machine(fast!, text, 1e6), at);
          expect([pattern, text, at, matchAt(remembering, at)]).toEqual([pattern, text, at, end]);
        }
      }
    }
  });
});

test("what the reference cannot read is refused, and so is what cannot be read here", () => {
  const refused = golden.patterns.filter((row) => row.refused === true).slice(0, 9);
  for (const { pattern } of refused) expect(refusedHere(pattern), pattern).toBe(true);
  for (const pattern of golden.foreign) {
    expect(() => patternOf(pattern)).toThrow(FormatError);
    expect(() => patternOf(pattern)).toThrow(JSON.stringify(pattern));
  }
  expect(() => patternOf(`(?i:${"s".repeat(60)})`)).toThrow("too many ways");
  expect(() => patternOf("(?:(?:a{1,90}){1,90}){1,90}")).toThrow("written out");
  expect(() => patternOf("(".repeat(5000))).toThrow("groups within groups");
  expect(() => patternOf("[".repeat(5000))).toThrow("classes within classes");
});

test("classes have the reference's characters, of Unicode 16", () => {
  const codes = Array.from({ length: 0x12000 }, (_, code) => code).filter((c) => c < 0xd800 || c > 0xdfff);
  const all = codes.map((code) => String.fromCodePoint(code));
  for (const [pattern, expected] of Object.entries(golden.sets)) {
    const members = new Set<string>();
    const text = all.join("");
    patternOf(pattern)(text, (start, end) => members.add(text.slice(start, end)));
    const bits = all.map((char) => (members.has(char) ? "1" : "0")).join("");
    expect([pattern, crc32(bits)]).toEqual([pattern, expected]);
  }
});

describe("patterns that backtrack without end elsewhere take time that grows with the text", () => {
  test.each([
    ["(?:a+)+b", 0],
    ["(a|a)*b", 0],
    ["(a*)(a*)(a*)(a*)b", 0],
    ["(?>a*)b", 0],
    ["(?=a*b)", 0],
    ["(?!a*b)", 20_001],
    ["(?:a+)+b|(?:\\s|.)", 20_000],
  ])("%s", (pattern, expected) => {
    let found = 0;
    patternOf(pattern)("a".repeat(20_000), () => found++);
    expect(found).toBe(expected);
  });

  test("and what would still take too long is refused", () => {
    expect(() => patternOf("a{9000}b")("a".repeat(50_000), () => {})).toThrow("takes too long");
  });
});
