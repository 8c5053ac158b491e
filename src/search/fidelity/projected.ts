/** Trials that were stopped on their way, as they would likely have ended. */
import { isMeasured, type Measured, type Trial } from "../trial.ts";

const median = (xs: readonly number[]): number => {
  const sorted = xs.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** What complete trials gained, in the median, from a rung to their end; undefined where none was there. */
const gainsFrom = (rung: number, complete: readonly Measured[]): number[] | undefined => {
  const passed = complete.filter(({ rungs }) => rungs?.[rung] !== undefined);
  return passed[0]?.objectives.map((_, axis) =>
    median(passed.map(({ objectives, rungs }) => objectives[axis]! - rungs![rung]![axis]!)),
  );
};

/**
 * Trials for a sampler to learn from: one that was stopped at a rung counts as complete, with what it had
 * there and the median of what complete ones gained from there. A guess: fronts and reports leave it out.
 */
export const projected = (trials: readonly Trial[]): Trial[] => {
  const complete = trials.filter(isMeasured);
  const gains = new Map<number, number[] | undefined>();
  return trials.map((trial) => {
    if (trial.state !== "pruned" || !trial.rungs?.length) return trial;
    const rung = trial.rungs.length - 1;
    if (!gains.has(rung)) gains.set(rung, gainsFrom(rung, complete));
    const gained = gains.get(rung);
    if (gained === undefined) return trial;
    return { ...trial, state: "complete", objectives: trial.rungs[rung]!.map((x, i) => x + gained[i]!) };
  });
};
