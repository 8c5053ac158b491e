/**
 * Measures the start and the chosen one again, each time in a process of its own and in turns: what one
 * process shows of its own steps is not how far the next one is from it. The choice is made by what comes of
 * that; how far processes lie apart tells the same of the others, of which there was one each.
 */
import type { Figures, Measured } from "../../metrics/metric.ts";
import { nextOf, type Spread, spreadOf } from "../../metrics/next.ts";
import type { Model } from "../../models/model.ts";
import type { MeasuredCandidate } from "./candidate.ts";

/** Measures what some models cost in turns; a list of figures each. */
export type ProbeInTurns = (models: readonly Model[]) => Promise<readonly (readonly Figures[])[]>;

/** What was measured again: series of each figure, by the candidate's name. */
export type Again = ReadonlyMap<string, Series>;

/** Turns of figures as a series a figure; those that are not positive in all turns say nothing. */
export const seriesOf = (turns: readonly Figures[]): Series =>
  Object.fromEntries(
    Object.keys(turns[0] ?? {}).flatMap((name) => {
      const values = turns.map((turn) => turn[name]?.value ?? Number.NaN);
      return values.every((x) => x > 0 && x < Number.POSITIVE_INFINITY) ? [[name, values] as const] : [];
    }),
  );

type Series = Readonly<Record<string, readonly number[]>>;

/**
 * With what was measured first: turns that follow each other tell less of what the machine is like at other
 * times.
 */
const seriesWith = ({ figures }: Pick<MeasuredCandidate, "figures">, again: Series): Series =>
  Object.fromEntries(
    Object.entries(again).map(([name, values]) => {
      const first = figures[name]?.value ?? Number.NaN;
      return [name, first > 0 ? [first, ...values] : values];
    }),
  );

/** How far processes lie apart in each figure. */
const spreadsOf = (all: readonly Series[]): Map<string, Spread> => {
  const names = new Set(all.flatMap((series) => Object.keys(series)));
  return new Map(
    Array.from(names, (name) => [
      name,
      spreadOf(all.flatMap((series) => (series[name] ? [series[name]] : []))),
    ]),
  );
};

/** A figure with the interval of the next process. */
const nextFigure = (once: Measured, series: readonly number[] | undefined, spread: Spread): Measured => {
  // Of few turns the spread of all tells more than its own.
  if (series !== undefined) return nextOf(series, spread);
  return once.value > 0 ? nextOf([once.value], spread) : once;
};

/**
 * Candidates by what was measured again: of those that were not, with intervals as wide as processes
 * differ.
 */
export const withAgain = (measured: readonly MeasuredCandidate[], again: Again): MeasuredCandidate[] => {
  const all = new Map(
    measured.flatMap((candidate) => {
      const own = again.get(candidate.name);
      return own === undefined ? [] : [[candidate.name, seriesWith(candidate, own)] as const];
    }),
  );
  const spreads = spreadsOf([...all.values()]);
  return measured.map((candidate) => {
    const own = all.get(candidate.name);
    const figures = Object.entries(candidate.figures).map(([name, figure]): [string, Measured] => {
      const spread = spreads.get(name);
      return [name, spread === undefined ? figure : nextFigure(figure, own?.[name], spread)];
    });
    return { ...candidate, figures: Object.fromEntries(figures) };
  });
};
