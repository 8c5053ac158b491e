import { expect, test } from "vitest";
import type { StageReport } from "../records/document.ts";
import { lossHint, lossText } from "./losses.ts";

const stage = (
  name: string,
  docsIn: number,
  docsOut: number,
  reasons: Record<string, number>,
): StageReport => ({
  name,
  docsIn,
  docsOut,
  bytesIn: 0,
  bytesOut: 0,
  reasons: Object.entries(reasons).map(([reason, count]) => ({
    reason,
    count,
    examples: [{ id: "a:1", excerpt: `${reason} of\n a text that goes on and on and on and on` }],
  })),
});

test("what took documents is told by its rule, with counts and an example, the most first", () => {
  const stages = [
    stage("repair", 100, 98, { empty: 2 }),
    stage("filters", 98, 1, { "c4.a": 3, "gopher.b": 90, "gopher.c": 2, "gopher.d": 1 }),
    stage("exact duplicates", 1, 1, { "exact duplicate": 0 }),
  ];
  expect(lossText(stages)).toBe(
    '; filters dropped 97 of 98: 90 by gopher.b, such as "gopher.b of a text that goes on and on a"; ' +
      '3 by c4.a, such as "c4.a of a text that goes on and on and o"; ' +
      '2 by gopher.c, such as "gopher.c of a text that goes on and on a"; and 1 more reasons' +
      '; repair dropped 2 of 100: 2 by empty, such as "empty of a text that goes on and on and "',
  );
  expect(lossHint(stages)).toBe("turn the rule off with --threshold gopher.b=off, or all with --rules none");
});

test.each([
  ["language", "--languages"],
  ["near duplicate", "--near off"],
  ["only repeated paragraphs", "--lines off"],
  ["contamination", "--decontaminate"],
])("%s is undone by %s", (reason, flag) => {
  expect(lossHint([stage("x", 2, 1, { [reason]: 1 })])).toContain(flag);
});

test("nothing dropped is not told", () => {
  expect([lossText([stage("x", 2, 2, { mojibake: 2 })]), lossHint([])]).toEqual(["", undefined]);
});
