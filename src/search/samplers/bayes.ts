/**
 * Multi-objective Bayesian optimization: a Gaussian process for each objective and each constraint, and the
 * configuration of which most hypervolume is expected, times the chance that it keeps the constraints. For
 * few, dear trials: a suggestion takes time with the cube of their number. Running trials are believed to
 * end as the process says, so that trials in parallel keep apart. Where it is told what trials took, the gain
 * counts by what a configuration likely takes (Snoek et al. 2012, https://arxiv.org/abs/1206.2944).
 */
import { type Rng, rng } from "../../util/rng.ts";
import { undominated } from "../front/boxes.ts";
import type { Point } from "../front/sort.ts";
import { frontOf } from "../front/sort.ts";
import { configurations, sizeOf } from "../space/configurations.ts";
import type { Space, Values } from "../space/space.ts";
import { atPoint, pointOf } from "../space/unit.ts";
import { varianceReduction } from "../surrogate/design.ts";
import { fitKernel, type Observations, posterior } from "../surrogate/gp.ts";
import { logFeasible, logHypervolumeImprovement } from "../surrogate/improvement.ts";
import { isMeasured, type Measured, type Trial, violationOf } from "../trial.ts";
import { halton } from "./quasiRandom.ts";
import type { MakeSampler } from "./sampler.ts";

/** Spaces of up to so many configurations are looked through whole. */
const ALL = 4096;
/** Points that are looked at in larger spaces: evenly spread, and around the front. */
const SPREAD = 256;
const NEAR = 128;
const CLIMBS = 4;

/** Values as so many standard deviations from their mean. */
const standardized = (values: readonly number[]): number[] => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  const sd = Math.sqrt(variance) || 1;
  return values.map((v) => (v - mean) / sd);
};

/** Constraints in units of their spread: what is kept stays at most 0. */
const scaled = (values: readonly number[]): number[] => {
  const sd = Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length) || 1;
  return values.map((v) => v / sd);
};

/** A point of a configuration for a process: an unordered choice that is absent equals none. */
const coordinates = (space: Space, values: Values): number[] => {
  const point = pointOf(space, values);
  return Object.entries(space).map(([name, param], i) =>
    param.kind === "categorical" && values[name] === undefined ? -1 : point[i]!,
  );
};

/** A process of one figure, in which running trials are believed to end as it says. */
const believing = (observations: Observations, running: readonly (readonly number[])[]) => {
  const kernel = fitKernel(observations);
  const first = posterior(observations, kernel);
  if (running.length === 0) return first;
  const x = [...observations.x, ...running];
  return posterior(
    { ...observations, x, y: [...observations.y, ...running.map((r) => first(r).mean)] },
    kernel,
  );
};

/** Of each parameter, whether its values are equal or not and no more. */
const nominalOf = (space: Space): boolean[] =>
  Object.values(space).map((p) => p.kind === "categorical" && !p.ordered);

/** Makes processes of figures of some trials. */
const processOf = (space: Space, trials: readonly Trial[], running: readonly Trial[] = []) => {
  const x = trials.map(({ values }) => coordinates(space, values));
  const nominal = nominalOf(space);
  const busy = running.map(({ values }) => coordinates(space, values));
  return (y: readonly number[]) => believing({ x, y, nominal }, busy);
};

const columns = (rows: readonly Point[]): number[][] =>
  Array.from({ length: rows[0]?.length ?? 0 }, (_, i) => rows.map((row) => row[i]!));

/** A tenth beyond the worst of each objective that was seen. */
const reference = (points: readonly Point[]): number[] =>
  columns(points).map((values) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return most + 0.1 * (most - least || 1);
  });

/** How promising each configuration is: log of the gain in hypervolume that is expected under constraints. */
export const gainOf = (
  space: Space,
  measured: readonly Measured[],
  running: readonly Trial[] = [],
): ((values: Values) => number) => {
  const process = processOf(space, measured, running);
  const values = columns(measured.map(({ objectives }) => objectives)).map(standardized);
  const points = measured.map((_, i) => values.map((column) => column[i]!));
  const objectives = values.map(process);
  const constraints = columns(measured.map(({ violations = [] }) => violations)).map((v) =>
    process(scaled(v)),
  );
  const feasible = points.filter((_, i) => violationOf(measured[i]!) === 0);
  const boxes = undominated(frontOf(feasible), reference(points));
  return (asked) => {
    const at = coordinates(space, asked);
    const likely = logFeasible(constraints.map((p) => p(at)));
    // Where nothing keeps the constraints yet, keeping them comes first.
    if (feasible.length === 0) return likely;
    return (
      likely +
      logHypervolumeImprovement(
        boxes,
        objectives.map((p) => p(at)),
      )
    );
  };
};

/** Trials by which it is known what others take. */
const TOLD = 3;

/**
 * How dear each configuration is likely to be: log of its compute, by a process of that of trials that were
 * not stopped; all alike where few are known.
 */
export const dearnessOf = (space: Space, trials: readonly Trial[]): ((values: Values) => number) => {
  const known = trials.filter(({ state, compute = 0 }) => state !== "pruned" && compute > 0);
  if (known.length < TOLD) return () => 0;
  const logs = known.map(({ compute }) => Math.log(compute!));
  const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
  const sd = Math.sqrt(logs.reduce((sum, v) => sum + (v - mean) ** 2, 0) / logs.length);
  const at = processOf(space, known)(standardized(logs));
  return (values) => mean + sd * at(coordinates(space, values)).mean;
};

/** A point a step away from another, in some of its coordinates. */
const stepFrom = (point: readonly number[], random: Rng, width: number): number[] => {
  const chosen = random.int(point.length);
  return point.map((x, i) => {
    if (i !== chosen && random.uniform() > 0.3) return x;
    if (random.uniform() < 0.2) return random.uniform();
    return Math.min(1 - 1e-12, Math.max(0, x + width * random.normal()));
  });
};

/** Configurations with their gains, best first: all of a small space, else what a search of it finds. */
const ranked = (
  space: Space,
  gain: (values: Values) => number,
  good: readonly (readonly number[])[],
  { seed, number }: { readonly seed: number; readonly number: number },
): Values[] => {
  const score = (values: Values) => ({ values, gain: gain(values) });
  if (sizeOf(space, ALL + 1) <= ALL) {
    const all = Array.from(configurations(space), score);
    return all.sort((a, b) => b.gain - a.gain).map(({ values }) => values);
  }
  const random = rng(seed, `bayes ${number}`);
  const spread = halton(Object.keys(space).length, seed + number);
  const around = (points: readonly (readonly number[])[], width: number) =>
    Array.from({ length: NEAR }, () => stepFrom(points[random.int(points.length)]!, random, width));
  const scoreAll = (points: readonly (readonly number[])[]) =>
    points.map((point) => ({ point, ...score(atPoint(space, point)) }));
  let all = scoreAll([...Array.from({ length: SPREAD }, (_, i) => spread(i)), ...around(good, 0.1)]);
  for (let climb = 0; climb < CLIMBS; climb++) {
    all = all.sort((a, b) => b.gain - a.gain).slice(0, NEAR);
    all.push(
      ...scoreAll(
        around(
          all.slice(0, 8).map(({ point }) => point),
          0.1 / 2 ** climb,
        ),
      ),
    );
  }
  return all.sort((a, b) => b.gain - a.gain).map(({ values }) => values);
};

/** Of so many the first trials are chosen: more would be nearer to the middle, but alike with every seed. */
const OFFERED = 32;

/** Evenly spread configurations, those first after which a process would be surest of all. */
const opening = (space: Space, trials: readonly Trial[], seed: number): Values[] => {
  const point = halton(Object.keys(space).length, seed);
  const all = Array.from({ length: SPREAD }, (_, i) => atPoint(space, point(i)));
  const spread = all.slice(0, OFFERED);
  const [points, known] = [spread, trials.map((t) => t.values)].map((some) =>
    some.map((values) => coordinates(space, values)),
  );
  const lowered = varianceReduction(points!, known!, nominalOf(space));
  const order = spread.map((_, i) => i).sort((a, b) => lowered[b]! - lowered[a]!);
  return [...order.map((i) => spread[i]!), ...all.slice(OFFERED)];
};

/** Trials by which a process, with its priors, chooses better than what knows no values. */
const STARTUP = 2;

/** Bayesian optimization; its first trials fill the space, from the middle on. */
export const bayes: MakeSampler = (space, { seed = 1, startup = STARTUP } = {}) => {
  return (number, trials) => {
    const measured = trials.filter(isMeasured);
    if (measured.length < startup) return opening(space, trials, seed);
    const running = trials.filter(({ state }) => state === "running");
    const [own, dearness] = [gainOf(space, measured, running), dearnessOf(space, trials)];
    const gain = (values: Values): number => own(values) - dearness(values);
    const front = new Set(frontOf(measured.map(({ objectives }) => objectives)));
    const good = measured
      .filter(({ objectives }) => front.has(objectives))
      .map((t) => pointOf(space, t.values));
    return ranked(space, gain, good, { seed, number });
  };
};
