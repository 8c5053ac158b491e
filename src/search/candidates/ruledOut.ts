/** Whether what a configuration would cost rules it out before it is made. */
import { exactly } from "../../metrics/metric.ts";
import { type Bound, excess } from "../budget.ts";
import { figureNamed, SIZE, writtenValue } from "../figures.ts";
import { keyOf, type Values } from "../space/space.ts";
import type { Foretold, GivenUp, Run } from "./run.ts";

/** By what share a foretold figure may exceed a limit: sizes, and what is measured of a shape. */
const MARGIN = { size: 0.03, speed: 0.2 } as const;

/** The first of some bounds that is exceeded by more than a margin. */
const exceeded = (foretold: Foretold, bounds: readonly Bound[], margin: number): Bound | undefined =>
  bounds.find((bound) => {
    const { name } = bound.figure;
    const value = foretold[name];
    return value !== undefined && excess({ figures: { [name]: exactly(value) } }, bound) > margin;
  });

const said = ({ options: { figures } }: Run, { figure, bound }: Bound, foretold: Foretold): string => {
  const { label, unit } = figureNamed(figures, figure.name)!;
  const [value, limit] = [foretold[figure.name]!, bound].map((x) => writtenValue(figure, x));
  return `${label} foretold as ${value} ${unit}, of ${limit}`.replace("  ", " ");
};

/**
 * Why a configuration is not made; undefined where it may keep the limits on what it costs. Its size is asked
 * first; its speed, which takes a measurement, only where that is limited.
 */
export const ruledOut = async (run: Run, values: Values): Promise<GivenUp | undefined> => {
  const { bounds = [], foreteller } = run;
  const costs = bounds.filter(({ figure }) => !figure.quality);
  if (foreteller === undefined || costs.length === 0) return undefined;
  const size = foreteller.size(values);
  let foretold: Foretold = size === undefined ? {} : { [SIZE]: size };
  run.foretold.set(keyOf(values), foretold);
  // What fits a limit on size is made to.
  const large = values.rounding === "fitted" ? undefined : exceeded(foretold, costs, MARGIN.size);
  if (large !== undefined) return { stage: "size", why: said(run, large, foretold) };
  if (costs.every(({ figure }) => figure.name === SIZE)) return undefined;
  foretold = await foreteller.figures(values);
  run.foretold.set(keyOf(values), foretold);
  const slow = exceeded(foretold, costs, MARGIN.speed);
  return slow === undefined ? undefined : { stage: "speed", why: said(run, slow, foretold) };
};
