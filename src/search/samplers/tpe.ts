/**
 * The tree-structured Parzen estimator, multivariate and over several objectives (Bergstra et al. 2011;
 * Ozaki et al. 2022, https://doi.org/10.1613/jair.1.13188), as Optuna 5 has it: what is tried next is likely
 * among the best tenth of the trials and unlikely among the rest. Trials that break a constraint count after
 * those that keep all; running ones are taken to be bad, so that trials in parallel keep apart.
 */
import { rng } from "../../util/rng.ts";
import { referenceOf, subsetOf } from "../front/hypervolume.ts";
import { nonDominatedSort } from "../front/sort.ts";
import type { Space, Values } from "../space/space.ts";
import { parzen } from "../surrogate/parzen.ts";
import { isMeasured, type Measured, type Trial, violationOf } from "../trial.ts";
import { quasiRandom } from "./quasiRandom.ts";
import type { MakeSampler } from "./sampler.ts";

/** Configurations that are drawn from the good ones, of which the best is tried. */
const CANDIDATES = 24;
const STARTUP = 10;
/** So many of the newest trials weigh 1 each; older ones fade. */
const RECENT = 25;

/** Weights of `n` trials in their order. */
const fading = (n: number): number[] =>
  Array.from({ length: n }, (_, i) => {
    const old = n - RECENT;
    if (i >= old) return 1;
    return old === 1 ? 1 / n : 1 / n + ((1 - 1 / n) * i) / (old - 1);
  });

/** The `size` best of trials: front by front, the last one by the volume that they dominate together. */
export const bestOf = (trials: readonly Measured[], size: number): Measured[] => {
  const points = trials.map(({ objectives }) => objectives);
  if (points[0]?.length === 1) {
    return trials.toSorted((a, b) => a.objectives[0]! - b.objectives[0]!).slice(0, size);
  }
  const best: Measured[] = [];
  for (const front of nonDominatedSort(points)) {
    const room = size - best.length;
    if (room <= 0) break;
    const own = front.map((i) => points[i]!);
    const kept = front.length <= room ? front : subsetOf(own, room, referenceOf(own)).map((k) => front[k]!);
    best.push(...kept.map((i) => trials[i]!));
  }
  return best;
};

/** A trial of which nothing is known is among the rest. */
const byRung = (a: Trial, b: Trial): number =>
  (b.rungs?.length ?? 0) - (a.rungs?.length ?? 0) ||
  (a.objectives?.[0] ?? Number.POSITIVE_INFINITY) - (b.objectives?.[0] ?? Number.POSITIVE_INFINITY);

/** Trials in two: the `size` best, and the rest; both in the order of their numbers. */
export const split = (trials: readonly Trial[], size: number) => {
  const infeasible = (t: Trial): boolean => t.state !== "running" && violationOf(t) > 0;
  const sound = trials.filter((t) => !infeasible(t));
  const order = [
    ...bestOf(sound.filter(isMeasured), size),
    ...sound.filter(({ state }) => state === "pruned").sort(byRung),
    ...trials.filter(infeasible).sort((a, b) => violationOf(a) - violationOf(b)),
  ];
  const below = new Set(order.slice(0, size));
  const numbered = trials.toSorted((a, b) => a.number - b.number);
  return {
    below: numbered.filter((t) => below.has(t)),
    above: numbered.filter((t) => !below.has(t)),
  };
};

/** What tells how promising a configuration is: log density among the best less that among the rest. */
export const acquisition = (space: Space, trials: readonly Trial[]) => {
  const ended = trials.filter(({ state }) => state !== "running");
  const objectives = ended.find(isMeasured)?.objectives.length ?? 1;
  const tenth = Math.ceil(0.1 * ended.length);
  const { below, above } = split(trials, objectives > 1 ? tenth : Math.min(25, tenth));
  const densityOf = (some: readonly Trial[], weights: readonly number[]) =>
    parzen(
      space,
      some.map(({ values }) => values),
      weights,
    );
  const good = densityOf(below, objectives > 1 ? below.map(() => 1) : fading(below.length));
  const rest = densityOf(above, fading(above.length));
  return { good, rest, of: (values: Values): number => good.logAt(values) - rest.logAt(values) };
};

/** TPE; its first trials are quasi-random. */
export const tpe: MakeSampler = (space, { seed = 1, startup = STARTUP } = {}) => {
  const first = quasiRandom(space, { seed });
  return (number, trials) => {
    const known = trials.filter(({ state }) => state !== "failed");
    const ended = known.filter(({ state }) => state !== "running").length;
    if (ended < startup) return first(number, trials);
    const { good, of } = acquisition(space, known);
    return {
      *[Symbol.iterator]() {
        const random = rng(seed, `tpe ${number}`);
        for (;;) {
          const drawn = Array.from({ length: CANDIDATES }, () => good.sample(random));
          const scored = drawn.map((values) => ({ values, score: of(values) }));
          yield* scored.sort((a, b) => b.score - a.score).map(({ values }) => values);
        }
      },
    };
  };
};
