/** Whether what a configuration would cost rules it out before it is made, or before it is measured. */
import { exactly } from "../../metrics/metric.ts";
import { type Bound, excess } from "../budget.ts";
import { figureNamed, SIZE, writtenValue } from "../figures.ts";
import { keyOf, type Values } from "../space/space.ts";
import { sizeBound } from "./fitted.ts";
import type { Foreteller } from "./foretell.ts";
import type { Form } from "./formats/format.ts";
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

/** "size foretold as 2.00 MB, of 1.50" */
const said = (
  { options: { figures } }: Run,
  { figure, bound }: Bound,
  how: string,
  value: number,
): string => {
  const { label, unit } = figureNamed(figures, figure.name)!;
  const [at, limit] = [value, bound].map((x) => writtenValue(figure, x));
  return `${label} ${how} ${at} ${unit}, of ${limit}`.replace("  ", " ");
};

/** Where a size that is fitted to its limit ends up, or why there is nothing to fit. */
const fitting = (run: Run, { size }: Foreteller, values: Values): number | GivenUp | undefined => {
  const bound = sizeBound(run.bounds ?? []);
  const [wide, least] = [size({ ...values, dtype: "q8", rounding: "search" }), size(values)];
  if (bound === undefined || wide === undefined || least === undefined) return undefined;
  const { bound: limit } = bound;
  const why = (how: string, value: number): GivenUp => ({ stage: "size", why: said(run, bound, how, value) });
  if (wide * (1 + MARGIN.size) <= limit) return why("even with 8 bits in all matrices foretold as", wide);
  if (least > limit * (1 + MARGIN.size)) return why("even with 4 bits in all matrices foretold as", least);
  return Math.min(Math.max(limit, least), wide);
};

/**
 * Why a configuration is not made; undefined where it may keep the limits on what it costs. Its size is asked
 * first; its speed, which takes a measurement, only where that is limited.
 */
export const ruledOut = async (run: Run, values: Values): Promise<GivenUp | undefined> => {
  const { bounds = [], foreteller } = run;
  const costs = bounds.filter(({ figure }) => !figure.quality);
  if (foreteller === undefined || costs.length === 0) return undefined;
  const found = values.rounding === "fitted" ? fitting(run, foreteller, values) : foreteller.size(values);
  if (typeof found === "object") return found;
  const size: Foretold = found === undefined ? {} : { [SIZE]: found };
  run.foretold.set(keyOf(values), size);
  const large = exceeded(size, costs, MARGIN.size);
  if (large !== undefined) return { stage: "size", why: said(run, large, "foretold as", found!) };
  if (costs.every(({ figure }) => figure.name === SIZE)) return undefined;
  const foretold: Foretold = { ...(await foreteller.figures(values)), ...size };
  run.foretold.set(keyOf(values), foretold);
  const slow = exceeded(foretold, costs, MARGIN.speed);
  if (slow === undefined) return undefined;
  return { stage: "speed", why: said(run, slow, "foretold as", foretold[slow.figure.name]!) };
};

/** By what share a figure of a shape is to keep its limit for room to be left. */
const ROOM = 0.1;

/**
 * Whether one of some forms is foretold to keep the limits on what it costs with room to spare, so that
 * teaching is not wasted on what measuring refuses.
 */
export const leavesRoom = async (run: Run, forms: readonly Values[]): Promise<boolean> => {
  const costs = (run.bounds ?? []).filter(({ figure }) => !figure.quality && figure.name !== SIZE);
  for (const values of forms) {
    if ((await ruledOut(run, values)) !== undefined) continue;
    const foretold = run.foretold.get(keyOf(values)) ?? {};
    const tight = costs.some(({ figure: { name }, most, bound }) => {
      const value = foretold[name] ?? Number.NaN;
      return most ? value > bound * (1 - ROOM) : value < bound * (1 + ROOM);
    });
    if (!tight) return true;
  }
  return false;
};

/** Why a form that was made is not measured: its files are too large. */
export const tooLarge = (run: Run, form: Form): GivenUp | undefined => {
  const bound = sizeBound(run.bounds ?? []);
  if (bound === undefined || run.options.spares !== true) return undefined;
  const bytes = run.options.format.bytes(form);
  return bytes > bound.bound * (1 + MARGIN.size)
    ? { stage: "size", why: said(run, bound, "is", bytes) }
    : undefined;
};
