/**
 * Asynchronous successive halving (Li et al. 2020, https://arxiv.org/abs/1810.05934) over several objectives
 * (Schmucker et al. 2021, https://arxiv.org/abs/2106.12639): at a rung a trial goes on where it is among the best
 * 1 / eta of all that were measured there. We deviate in three things: none is stopped before the ranks at
 * the rung have been seen to be nearly those at the end; none that would be on the front if it gained as much
 * from here as any trial did; and ties within a front go by hypervolume.
 */
import { beats, type Point } from "../front/sort.ts";
import { bestOf } from "../samplers/tpe.ts";
import { isMeasured, type Measured, type Trial, violationOf } from "../trial.ts";
import { allowsStop, type Foretold, foretold } from "./rungs.ts";

/** What is decided of a trial at a rung. */
export interface Verdict {
  readonly stop: boolean;
  /** What the rung foretells; undefined where too few trials have ended. */
  readonly known: Foretold | undefined;
}

/** The share of trials that goes on from a rung to the next, as its inverse. */
export const ETA = 3;

/** Indices of the best 1 / eta of points, at least one: fronts first, the last one by hypervolume. */
export const survivors = (points: readonly Point[], eta = ETA): Set<number> => {
  const as = points.map(
    (objectives, number): Measured => ({
      ...{ number, objectives, values: {} },
      state: "complete",
    }),
  );
  return new Set(bestOf(as, Math.max(1, Math.floor(points.length / eta))).map(({ number }) => number));
};

/**
 * Whether a trial that gains as much from a rung as any that went on from there would be dominated by one
 * that has ended all the same.
 */
const isHopeless = (at: Point, rung: number, trials: readonly Trial[]): boolean => {
  const ended = trials.filter(isMeasured).filter((t) => violationOf(t) === 0);
  const passed = ended.filter(({ rungs }) => rungs?.[rung] !== undefined);
  const hope = at.map((x, axis) => {
    return x + Math.min(...passed.map(({ objectives, rungs }) => objectives[axis]! - rungs![rung]![axis]!));
  });
  return ended.some(({ objectives }) => beats(objectives, hope));
};

/**
 * Whether a trial that has come to its last rung is to be stopped there, by what others had at that rung. One
 * that keeps its constraints is never compared with one that does not.
 */
export const asha = (trial: Trial, trials: readonly Trial[], eta = ETA): Verdict => {
  const rung = (trial.rungs?.length ?? 0) - 1;
  const others = trials.filter((t) => t.number !== trial.number && t.rungs?.[rung] !== undefined);
  const known = foretold(others, rung);
  if (rung < 0 || !allowsStop(known)) return { stop: false, known };
  const sound = others.filter((t) => violationOf(t) === 0);
  const points = [trial, ...sound].map(({ rungs }) => rungs![rung]!);
  if (!points[0]!.every(Number.isFinite)) return { stop: true, known };
  return { stop: !survivors(points, eta).has(0) && isHopeless(points[0]!, rung, sound), known };
};
