/** What two models differ in, and whether the second keeps what the budget says. */
import { type Figures, type Measured, mapped } from "../../metrics/metric.ts";
import { boundsOf, excess } from "../../search/budget.ts";
import {
  type Budget,
  type Figure,
  figureNamed,
  type Limit,
  LOST,
  limitWords,
  measuredValue,
  SIZE,
} from "../../search/figures.ts";
import { examplesToTell } from "../../search/noise.ts";
import { type Difference, differenceOf } from "../../search/picks/difference.ts";
import { ConfigError } from "../../util/errors.ts";
import type { JudgedLimit } from "./comparison.ts";

/** The figures of both, and of the costs that were measured in turns the second's by the first's. */
export interface Sides {
  readonly first: { readonly figures: Figures };
  readonly second: { readonly figures: Figures };
  readonly ratios: Figures;
}

/** How the second differs in a figure: in pairs, turn by turn, or by what is known of both. */
const differenceIn = ({ first, second, ratios }: Sides, figure: Figure): Difference | undefined => {
  return differenceOf([second, first], figure, ratios[figure.name]);
};

/** What is lost, size, and speed and memory where they were measured. */
export const differencesOf = (sides: Sides, figures: readonly Figure[]): Difference[] =>
  figures
    .filter(({ name, quality }) => name === LOST || !quality)
    .flatMap((figure) => differenceIn(sides, figure) ?? []);

/** What a limit is held against, with the bound in its terms. */
const heldAgainst = (
  limit: Limit,
  sides: Sides,
  figures: readonly Figure[],
): readonly (readonly [Measured, number])[] => {
  const { first, second, ratios } = sides;
  const figure = figureNamed(figures, limit.figure)!;
  const measured = second.figures[figure.name];
  if (measured === undefined) {
    throw new ConfigError(`${figure.name} was not measured, and is limited`, {
      field: "budget.limits",
      hint: "leave the limit out, or measure it: --turns 6",
    });
  }
  const bounds = boundsOf([limit], figures, first);
  if (limit.relative !== true) return bounds.map(({ bound }) => [measured, bound]);
  const whole = measuredValue(first, figure.name);
  const ratio = ratios[figure.name];
  if (ratio !== undefined) return bounds.map(({ bound }) => [ratio, bound / whole]);
  const shareOf = (x: number): number => x / whole;
  if (figure.name !== figures[0]!.name) {
    return bounds.map(({ bound }) => [mapped(measured, shareOf), bound / whole]);
  }
  // The figure that decides was measured in pairs: its noise is that of what is lost.
  const lost = second.figures[LOST]!;
  const at = (x: number): number => (figure.better === "less" ? whole + x : whole - x);
  const ends = [at(lost.low), at(lost.high)];
  const paired = { value: measured.value, low: Math.min(...ends), high: Math.max(...ends), n: lost.n };
  return bounds.map(({ bound }) => [mapped(paired, shareOf), bound / whole]);
};

const judge = (
  limit: Limit,
  sides: Sides,
  { figures, example }: { readonly figures: readonly Figure[]; readonly example: string },
): JudgedLimit[] => {
  const figure = figureNamed(figures, limit.figure)!;
  const bounds = boundsOf([limit], figures, sides.first);
  return heldAgainst(limit, sides, figures).map(([measured, bound], i) => {
    const sure = !(measured.low <= bound && bound <= measured.high) || measured.low === measured.high;
    const more = examplesToTell(measured, bound) - measured.n;
    const of = figure.quality ? example : "turn";
    return {
      limit: limitWords(limit, figures),
      ...{ figure: figure.name, measured, bound, share: limit.relative === true },
      kept: excess(sides.second, bounds[i]!) === 0,
      sure,
      ...(sure || !Number.isFinite(more) ? {} : { needed: { more: Math.max(1, more), of } }),
    };
  });
};

/** Each limit of a budget, held against the second. Throws ConfigError for one of what was not measured. */
export const judgedLimits = (
  budget: Budget,
  sides: Sides,
  about: { readonly figures: readonly Figure[]; readonly example: string },
): JudgedLimit[] => budget.flatMap((limit) => judge(limit, sides, about));

/** The figures that a comparison shows: the one that decides, what is lost and kept, size, usual costs. */
export const shownIn = (figures: readonly Figure[], sides: Sides, budget: Budget): readonly Figure[] => {
  const limited = budget.map(({ figure }) => figureNamed(figures, figure)!.name);
  const usual = /(^|\/)(lost|kept|p50Ms|p95Ms|firstTokenMs|memoryBytes)$/;
  return figures.filter(
    ({ name }, i) =>
      sides.second.figures[name] !== undefined &&
      (i === 0 || name === SIZE || usual.test(name) || limited.includes(name)),
  );
};
