/** A few cases of every format that is fuzzed: `npm run fuzz -- FORMAT` runs as many as one has time for. */
import { expect, test } from "vitest";
import { formats } from "../fuzz/formats/index.ts";
import { faultsIn } from "../fuzz/work.ts";

const CASES = 100;
/** Of formats whose case loads a whole model. */
const few: Readonly<Record<string, number>> = { gguf: 30 };

test.each(Object.keys(formats))("%s is read, or refused with a typed error", async (name) => {
  const faults = await faultsIn(name, { seed: 1, from: 0, to: few[name] ?? CASES });
  expect(faults.map(({ case: number, what }) => `case ${number}: ${what}`)).toEqual([]);
});
