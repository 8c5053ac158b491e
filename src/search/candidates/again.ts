/**
 * What later processes will measure, by several: the start is measured again now and then while the search
 * goes on, and in turns with the chosen one at its end, each time in a process of its own. How far one
 * process's steps lie apart says little of the next process, and how far processes of one minute lie apart
 * little of another minute. The chosen one has the start's middle over all of the search, times its share of
 * the start turn by turn; how far the start lay apart is how far later ones will. Two candidates are compared
 * by less than that: by turns in which both were measured, or by the middles of their processes.
 */
import type { Figures, Measured } from "../../metrics/metric.ts";
import { middleOf, nextOf, type Spread, spreadOf, studentT, typicalOf } from "../../metrics/next.ts";
import type { MeasuredCandidate } from "./candidate.ts";

import type { Form } from "./formats/format.ts";

/** Measures what some models cost in turns, `most` unless the places say; a list of figures each. */
export type ProbeInTurns = (
  models: readonly Form[],
  most?: number,
) => Promise<readonly (readonly Figures[])[]>;

/** The start's figures and a candidate's, of processes that followed each other. */
export type Turn = readonly [start: Figures, own: Figures];

/** What was measured again. */
export interface Repeated {
  /** The start, while the search went on. */
  readonly between: readonly Figures[];
  /** By the candidate's name; where it is the start, both sides of a turn are one. */
  readonly turns: ReadonlyMap<string, readonly Turn[]>;
}

type Named = Pick<MeasuredCandidate, "name" | "figures">;

/** Logarithms of what is positive. */
const logsOf = (all: readonly Figures[], figure: string): number[] =>
  all.flatMap((figures) => {
    const { value } = figures[figure] ?? { value: 0 };
    return value > 0 && value < Number.POSITIVE_INFINITY ? [Math.log(value)] : [];
  });

const widest = (spreads: readonly Spread[]): Spread =>
  spreads.reduce((a, b) =>
    b.deviation * studentT(b.degrees, 0.995) > a.deviation * studentT(a.degrees, 0.995) ? b : a,
  );

/** Times of the start that tell how far times lie apart. */
const TIMES = 5;

/** What is known of one figure; undefined where the start's was not measured again. */
const knownOf = (start: Named, { between, turns }: Repeated, figure: string) => {
  const lists = Array.from(turns.values(), (list) => ({
    start: logsOf(
      list.map(([first]) => first),
      figure,
    ),
    own: logsOf(
      list.map(([, own]) => own),
      figure,
    ),
  }));
  const whole = [start.figures, ...between, ...Array.from(turns.values()).flatMap((t) => t.map(([s]) => s))];
  const all = logsOf(whole, figure);
  if (all.length < 2) return undefined;
  const times = [
    ...logsOf([start.figures, ...between], figure),
    ...lists.flatMap((list) => list.start.slice(0, 1)),
  ];
  const pooled = spreadOf([all, ...lists.map(({ own }) => own)]);
  // Processes of one minute are more alike than those of several.
  const spread = times.length < TIMES ? pooled : widest([pooled, spreadOf([times])]);
  const shares = new Map(
    Array.from(turns.keys()).flatMap((name, i) => {
      const { start: first, own } = lists[i]!;
      const paired = first.length === own.length && own.length > 0 && name !== start.name;
      return paired ? [[name, own.map((x, turn) => x - first[turn]!)] as const] : [];
    }),
  );
  const paired = spreadOf([...shares.values()]);
  return { spread, paired, shares, n: all.length, middle: middleOf(times, spread) };
};

type Known = NonNullable<ReturnType<typeof knownOf>>;

/** The known of each figure, found once. */
const knowing = (measured: readonly Named[], repeated: Repeated) => {
  const found = new Map<string, Known | undefined>();
  return (figure: string): Known | undefined => {
    if (!found.has(figure)) found.set(figure, knownOf(measured[0]!, repeated, figure));
    return found.get(figure);
  };
};

/** A candidate's figure with the interval that later processes of it lie in. */
const laterFigure = (
  { name, figures }: Named,
  figure: string,
  { isStart, known }: { readonly isStart: boolean; readonly known: Known },
): Measured => {
  const { spread, middle, n, shares, paired } = known;
  const [once] = logsOf([figures], figure);
  if (isStart) return nextOf({ ...middle, n }, spread);
  const own = shares.get(name);
  if (own !== undefined) {
    const share = middleOf(own, paired);
    const error = middle.error + share.error;
    return nextOf({ log: middle.log + share.log, error, n: own.length + 1 }, spread);
  }
  return once === undefined ? figures[figure]! : nextOf(middleOf([once], spread), spread);
};

/** Candidates with intervals that ten later processes all lie in, 95 times in 100; the first is the start. */
export const withAgain = (
  measured: readonly MeasuredCandidate[],
  repeated: Repeated,
): MeasuredCandidate[] => {
  const known = knowing(measured, repeated);
  return measured.map((candidate, i) => {
    const figures = Object.entries(candidate.figures).map(([name, figure]): [string, Measured] => {
      const own = known(name);
      return [
        name,
        own === undefined ? figure : laterFigure(candidate, name, { isStart: i === 0, known: own }),
      ];
    });
    return { ...candidate, figures: Object.fromEntries(figures) };
  });
};

/** One candidate's figure by another's; undefined where nothing says how far it may be off. */
export type RatioOf = (a: string, b: string, figure: string) => Measured | undefined;

/** How candidates compare in what was measured again, by their names. */
export const ratiosOf = (measured: readonly Named[], repeated: Repeated): RatioOf => {
  const known = knowing(measured, repeated);
  const at = (name: string, figure: string, of: Known) => {
    const candidate = measured.find((c) => c.name === name);
    if (candidate === measured[0]) return { log: of.middle.log, error: 0, inTurns: true, n: of.n };
    const own = of.shares.get(name);
    if (own !== undefined) {
      const share = middleOf(own, of.paired);
      return { ...share, log: of.middle.log + share.log, inTurns: true };
    }
    const [log] = candidate === undefined ? [] : logsOf([candidate.figures], figure);
    return log === undefined ? undefined : { ...middleOf([log], of.spread), inTurns: false };
  };
  return (a, b, figure) => {
    const of = known(figure);
    const [one, other] = of === undefined ? [] : [at(a, figure, of), at(b, figure, of)];
    if (of === undefined || one === undefined || other === undefined) return undefined;
    // What was measured once stands beside the start's middle; two that were in turns share it.
    const level = one.inTurns === other.inTurns ? 0 : of.middle.error;
    const { degrees } = one.inTurns && other.inTurns ? of.paired : of.spread;
    const log = one.log - other.log;
    return typicalOf({ log, error: one.error + other.error + level, n: Math.min(one.n, other.n) }, degrees);
  };
};
