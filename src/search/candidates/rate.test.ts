import { expect, test } from "vitest";
import { bestRate, type Paced, type Rate } from "./rate.ts";

const at = (steps: number): Rate => {
  const paced = (n: number): Paced => ({ steps: n, schedule: () => 1 });
  return { tried: paced(steps), whole: paced(100 * steps) };
};
const rates = [1, 2, 3, 4].map(at);

/** Which is best of the losses by rate, and which were tried. */
const found = async (losses: readonly number[]) => {
  const tried: number[] = [];
  const best = await bestRate(rates, async ({ steps }) => {
    tried.push(steps);
    return losses[steps - 1]!;
  });
  return { best: best?.whole.steps, tried };
};

test("the highest rate is taken while each leaves less than the one before; none is tried beyond", async () => {
  expect(await found([4, 3, 2, 1])).toEqual({ best: 400, tried: [1, 2, 3, 4] });
  expect(await found([4, 3, 5, 1])).toEqual({ best: 200, tried: [1, 2, 3] });
  expect(await found([4, 4, 3, 2])).toEqual({ best: 100, tried: [1, 2] });
});

test("a loss that is no number ends it", async () => {
  expect(await found([4, Number.NaN, 1, 1])).toEqual({ best: 100, tried: [1, 2] });
  expect((await found([Number.NaN, 1, 1, 1])).best).toBeUndefined();
});
