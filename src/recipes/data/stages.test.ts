import { expect, test } from "vitest";
import { repeats } from "../../data/pipeline/distinct.ts";
import { silent } from "../context/ui.ts";
import { describeEvaluation, describeStages } from "./stages.ts";

/** What is warned of where a stage dropped so many of 100 documents. */
const warnings = (counts: Readonly<Record<string, number>>): readonly string[] => {
  const said: string[] = [];
  const reasons = Object.entries(counts).map(([reason, count]) => ({ reason, count, examples: [] }));
  const stage = { name: "near duplicates", docsIn: 100, docsOut: 10, bytesIn: 1, bytesOut: 1, reasons };
  describeStages({ stages: [stage] }, { ...silent, warn: (text) => void said.push(text) });
  return said;
};

test("near-duplicates that may be records of their own are warned of, with the way to keep them", () => {
  expect(warnings({ [repeats.near]: 50 })).toEqual([]);
  expect(warnings({ [repeats.exact]: 90 })).toEqual([]);
  expect(warnings({ [repeats.near]: 51 })).toEqual([expect.stringMatching(/^51 of 100.*near.*--near off/)]);
  const numbers = expect.stringMatching(/^3 of 100 documents.*numbers.*--near off/);
  expect(warnings({ [repeats.near]: 51, [repeats.numbers]: 3 })).toEqual([numbers]);
});

test("evaluation records that are not looked for are warned of", () => {
  const said: string[] = [];
  const ui = { ...silent, warn: (text: string) => void said.push(text) };
  describeEvaluation(undefined, ui);
  describeEvaluation({ records: 3, tooShort: 0 }, ui);
  describeEvaluation({ records: 3, tooShort: 1 }, ui);
  expect(said).toEqual(["1 of 3 evaluation records is too short to be looked for in the data"]);
});
