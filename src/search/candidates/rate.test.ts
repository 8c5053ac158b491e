import { expect, test } from "vitest";
import { bearableRate, type Paced, type Rate } from "./rate.ts";

const at = (steps: number): Rate => {
  const paced = (n: number): Paced => ({ steps: n, schedule: () => 1 });
  return { tried: paced(steps), whole: paced(100 * steps) };
};
const rates = [1, 2, 3].map(at);

/** Which is taken by the losses behind each, of 4 before, and which were tried. */
const found = async (losses: readonly number[]) => {
  const tried: number[] = [];
  const taken = await bearableRate(rates, async ({ steps, schedule }) => {
    if (schedule(0) === 0) return 4;
    tried.push(steps);
    return losses[steps - 1]!;
  });
  return { taken: taken?.whole.steps, tried };
};

test("the highest rate that leaves less of the loss is taken, and none below it is tried", async () => {
  expect(await found([3, 2, 1])).toEqual({ taken: 100, tried: [1] });
  expect(await found([5, 3, 1])).toEqual({ taken: 200, tried: [1, 2] });
});

test("where each undoes what was there, or its loss is no number, it is the lowest", async () => {
  expect(await found([5, 4, 3])).toEqual({ taken: 300, tried: [1, 2] });
  expect(await found([Number.NaN, 5, 3])).toEqual({ taken: 300, tried: [1, 2] });
  expect(await bearableRate([], async () => 0)).toBeUndefined();
});
