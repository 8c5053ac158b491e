/**
 * Which rate a student learns best at: what was cut a little and fitted is undone by one that a fresh model
 * needs. Short runs from the same weights on the same batches are compared by the held-out loss behind them.
 */
import type { TrainHooks, TrainOptions } from "../../train/loop.ts";

/** What a rate decides of a run. */
export type Paced = Pick<TrainOptions & TrainHooks, "steps" | "schedule" | "evalEvery">;

/** A rate: the short run that tries it, and the whole one. */
export interface Rate {
  readonly tried: Paced;
  readonly whole: Paced;
}

/**
 * The rate of `rates`, the lowest first, behind which no higher one leaves less of the loss that `tried`
 * gives; undefined where there is none. What is higher than one that was worse is not tried.
 */
export const bestRate = async (
  rates: readonly Rate[],
  tried: (run: Paced) => Promise<number>,
): Promise<Rate | undefined> => {
  let best: Rate | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const rate of rates) {
    const loss = await tried(rate.tried);
    if (!(loss < least)) break;
    [best, least] = [rate, loss];
  }
  return best;
};
