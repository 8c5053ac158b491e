/** Pareto fronts: the candidates that no other one beats in everything. */

/** Objectives of a candidate, all to be made small. */
export type Objectives<T> = readonly ((candidate: T) => number)[];

/** Whether `a` is nowhere worse than `b` and somewhere better. */
export const dominates = <T>(a: T, b: T, objectives: Objectives<T>): boolean =>
  objectives.every((f) => f(a) <= f(b)) && objectives.some((f) => f(a) < f(b));

/** The candidates that no other dominates, in the order given. */
export const paretoFront = <T>(candidates: readonly T[], objectives: Objectives<T>): T[] =>
  candidates.filter((c) => !candidates.some((other) => dominates(other, c, objectives)));
