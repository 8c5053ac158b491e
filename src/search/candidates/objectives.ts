/** A candidate as a point: what is made small, and by how much each limit is broken. */
import type { Figures } from "../../metrics/metric.ts";
import { type Bound, boundsOf, type Choosable, excess } from "../budget.ts";
import { type Budget, type Figure, figureNamed, LOST, measuredValue, SIZE } from "../figures.ts";
import type { Point } from "../front/sort.ts";

/** The figures that a front is made of: what is lost, size, the median time, and what else is limited. */
export const objectiveFigures = (figures: readonly Figure[], budget: Budget): readonly Figure[] => {
  const usual = [LOST, SIZE, figureNamed(figures, "p50Ms")?.name ?? SIZE];
  // Quality is one objective, whatever it is counted in.
  const limited = budget.map(({ figure }) => figureNamed(figures, figure)!).filter((f) => !f.quality);
  return [...new Set([...usual, ...limited.map(({ name }) => name)])].map(
    (name) => figureNamed(figures, name)!,
  );
};

/** The figures as numbers that are to be small. */
export const pointOf = (objectives: readonly Figure[], figures: Figures): Point =>
  objectives.map(({ name, better }) => (better === "less" ? 1 : -1) * measuredValue({ figures }, name));

/** By what share each limit is exceeded; one with a fault breaks one more. */
export const violationsOf = (candidate: Choosable, bounds: readonly Bound[]): number[] => [
  ...bounds.map((bound) => Math.min(excess(candidate, bound), 1e6)),
  candidate.fault === undefined ? 0 : 1,
];

/** The bounds on what candidates cost, as they are known before any is made. */
export const costBounds = (budget: Budget, figures: readonly Figure[], start: Choosable): Bound[] =>
  boundsOf(budget, figures, start).filter(({ figure }) => !figure.quality);
