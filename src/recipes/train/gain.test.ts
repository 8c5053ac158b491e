import { expect, test } from "vitest";
import { gainText } from "./gain.ts";

const told = (share: number): string =>
  gainText({ before: 4, tuned: 3, merged: { fp32: { loss: 3, share: 1 }, q4: { loss: 4 - share, share } } });

test("shares of a gain are said in words where they are none: more than all of it, less than nothing", () => {
  expect(told(0.812)).toBe(
    "held-out loss 4.0000 -> 3.0000; merged fp32 keeps 100.0 % of the gain, q4 81.2 %",
  );
  expect(told(1.52)).toMatch(/q4 all \(and by chance 52\.0 % more\)$/);
  expect(told(-0.3)).toMatch(/q4 nothing \(the model before is better\)$/);
  expect(gainText({ before: 3, tuned: 3.1, merged: {} })).toMatch(/the tuning gained nothing$/);
});
