/** What a choice rests on that the held-out text, or the processes that were timed, are too few to tell. */
import { exactly } from "../metrics/metric.ts";
import { count } from "../render/figures.ts";
import { boundsOf, type Choice, type Choosable, excess, limitsCost, mostLost } from "./budget.ts";
import { type Budget, type Figure, LOST, measuredValue, SIZE, writtenValue } from "./figures.ts";
import { type LossDifference, lossDifference, withinNoise } from "./noise.ts";

/** A difference that decides the choice and is smaller than its noise. */
export interface Doubt extends LossDifference {
  /** The candidate that loses more by `mean`, or less. */
  readonly candidate: string;
  /** What it is compared with: the chosen candidate, or the reference that the loss is counted against. */
  readonly against: string;
  /** What the difference may be at most, where the budget's limit on the loss is in doubt. */
  readonly limit?: number;
}

interface Named extends Choosable {
  readonly name: string;
}

/** What was measured, and what was chosen by it. */
export interface Measurements<T extends Named> {
  /** All candidates; the first is the reference. */
  readonly candidates: readonly T[];
  /** What each held-out example costs, in the unit of scores, by the candidate's name. */
  readonly losses: ReadonlyMap<string, Float32Array>;
  /** Units of the loss's figure to one unit of scores (bits per byte to a nat per token). */
  readonly scale: number;
  readonly choice: Choice<T>;
  readonly budget: Budget;
  readonly figures: readonly Figure[];
}

/** Whether a candidate keeps the limits on what it costs. */
const fitsOf = <T extends Named>({ candidates, budget, figures }: Measurements<T>): ((c: T) => boolean) => {
  const bounds = boundsOf(budget, figures, candidates[0]!).filter(({ figure }) => !figure.quality);
  return (c) => c.fault === undefined && bounds.every((bound) => excess(c, bound) === 0);
};

/**
 * The limit on the loss: whether the chosen one keeps it, and whether those that would have won, had they
 * kept it, do not.
 */
const limitDoubts = <T extends Named>(given: Measurements<T>): Doubt[] => {
  const { candidates, losses, choice, budget, figures } = given;
  const whole = candidates[0]!;
  const most = mostLost(budget, figures, whole);
  if (most === undefined) return [];
  const limit = most / Math.abs(given.scale);
  const bounded = limitsCost(budget, figures);
  const { chosen, met } = choice;
  const fits = fitsOf(given);
  return candidates.flatMap((c) => {
    const over = measuredValue(c, LOST) > most;
    const wouldWin = over && (!met || (!bounded && measuredValue(c, SIZE) < measuredValue(chosen, SIZE)));
    if (!fits(c) || !(c === chosen || wouldWin)) return [];
    const difference = lossDifference(losses.get(c.name)!, losses.get(whole.name)!);
    if (!withinNoise(difference, limit)) return [];
    return [{ candidate: c.name, against: whole.name, ...difference, limit }];
  });
};

/** Under a limit on what it costs the lowest loss wins: those that may be as low as the chosen one. */
const rivalDoubts = <T extends Named>(given: Measurements<T>): Doubt[] => {
  const { candidates, losses, choice, budget, figures } = given;
  const { chosen, met } = choice;
  if (!limitsCost(budget, figures) || !met) return [];
  const fits = fitsOf(given);
  return candidates.flatMap((c) => {
    if (c === chosen || !fits(c)) return [];
    const difference = lossDifference(losses.get(c.name)!, losses.get(chosen.name)!);
    return withinNoise(difference) ? [{ candidate: c.name, against: chosen.name, ...difference }] : [];
  });
};

/** The differences that decided the choice and are within two standard errors of going the other way. */
export const doubtsOf = <T extends Named>(given: Measurements<T>): Doubt[] => [
  ...limitDoubts(given),
  ...rivalDoubts(given),
];

const spread = ({ mean, standardError }: Doubt): string => {
  const noise = Number.isFinite(standardError) ? (2 * standardError).toFixed(4) : "unknown";
  return `${mean.toFixed(4)} \u00b1 ${noise}`;
};

/** What scores are counted in, and of what. */
export interface ScoreUnits {
  /** "nats per token" */
  readonly unit: string;
  /** "token" */
  readonly example: string;
}

/** Examples that would decide it: noise falls with the root of their number. */
const enough = ({ mean, standardError, n, limit = 0 }: Doubt): number =>
  Math.ceil(n * ((2 * standardError) / Math.abs(mean - limit)) ** 2);
/** Of how many times the examples it is told that they would decide: beyond that two are as good as equal. */
const MOST = 20;

const sentence = (doubt: Doubt, unit: string): string => {
  const { candidate, against, limit, n } = doubt;
  const difference = `differs from ${against} by ${spread(doubt)} ${unit}`;
  const needed = enough(doubt);
  const told = needed <= MOST * n ? `; about ${count(needed)} would tell` : "";
  return limit === undefined
    ? `${candidate} ${difference}${told}`
    : `${candidate} ${difference}, where at most ${limit.toFixed(4)} is allowed${told}`;
};

/** The doubts as one remark with what to do; none where there is no doubt. */
export const doubtNotes = (doubts: readonly Doubt[], { unit, example }: ScoreUnits): string[] => {
  const [first] = doubts;
  if (first === undefined) return [];
  const what = doubts.map((doubt) => sentence(doubt, unit)).join("; ");
  const { n } = first;
  const examples = n === 1 ? `1 held-out ${example} does` : `${n} held-out ${example}s do`;
  return [`The choice is within the noise: ${examples} not decide it (${what}). More held-out text would.`];
};

/** How wide the interval of the median of one is, by that of later ones. */
const MEDIAN = 0.75;

/** Whether a later process may break what the chosen one keeps, or keep what it breaks; a remark each. */
export const limitNotes = <T extends Named>({
  candidates,
  choice,
  budget,
  figures,
}: Pick<Measurements<T>, "candidates" | "choice" | "budget" | "figures">): string[] =>
  boundsOf(budget, figures, candidates[0]!).flatMap(({ figure, bound }) => {
    const { low, high, value, n } = choice.chosen.figures[figure.name] ?? exactly(Number.NaN);
    if (figure.quality || n < 3 || !(low < bound && bound < high)) return [];
    const [at, from, to, limit] = [value, low, high, bound].map((x) => writtenValue(figure, x));
    const share = (MEDIAN * Math.log(high / low)) / 2 / Math.sqrt(n) / Math.abs(Math.log(value / bound));
    const more = share > 1 && Number.isFinite(share);
    const times = more ? `; about ${count(Math.ceil(n * share ** 2))} would tell where the median is` : "";
    const unit = figure.unit === "" ? "" : ` ${figure.unit}`;
    return [
      `${figure.label} of ${choice.chosen.name} is ${at}${unit} in ${n} processes, and in the next ten ` +
        `${from} to ${to}: the limit of ${limit} lies within${times}.`,
    ];
  });
