/**
 * Which rate a student is taught at: what was cut a little and fitted is undone by one that a fresh model
 * needs. A short run at each tells, the highest first.
 */
import type { TrainHooks, TrainOptions } from "../../train/loop.ts";

/** What a rate decides of a run. */
export type Paced = Pick<TrainOptions & TrainHooks, "steps" | "schedule" | "evalEvery">;

/** A rate: the short run that tries it, and the whole one. */
export interface Rate {
  readonly tried: Paced;
  readonly whole: Paced;
}

/** A run that changes nothing, behind which the loss is what it was. */
const STILL: Paced = { steps: 1, schedule: () => 0, evalEvery: 1 };

/**
 * The first of `rates`, the highest first, whose short run leaves less of the held-out loss than there was;
 * the last where none does, which is not tried; undefined where there are none.
 */
export const bearableRate = async (
  rates: readonly Rate[],
  lossBehind: (run: Paced) => Promise<number>,
): Promise<Rate | undefined> => {
  if (rates.length < 2) return rates[0];
  const before = await lossBehind(STILL);
  for (const rate of rates.slice(0, -1)) if ((await lossBehind(rate.tried)) < before) return rate;
  return rates.at(-1);
};
