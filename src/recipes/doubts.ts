/** What a choice rests on that the held-out text is too small to tell. */
import {
  type Budget,
  type Choice,
  type Figures,
  type LossDifference,
  lossDifference,
  withinNoise,
} from "../search/index.ts";

/** A difference that decides the choice and is smaller than its noise. */
export interface Doubt extends LossDifference {
  /** The candidate that loses more by `nats`, or less. */
  readonly candidate: string;
  /** What it is compared with: the chosen candidate, or the reference that the loss is counted against. */
  readonly against: string;
  /** What the difference may be at most, where the budget's limit on the loss is in doubt, nats per token. */
  readonly limit?: number;
}

interface Named extends Figures {
  readonly name: string;
  readonly natsPerToken: number;
}

export interface Measurements<T extends Named> {
  /** All candidates; the first is the reference. */
  readonly candidates: readonly T[];
  /** Losses of the same held-out tokens, nats, by the candidate's name. */
  readonly losses: ReadonlyMap<string, Float32Array>;
  readonly choice: Choice<T>;
  readonly budget: Budget;
}

const fits = ({ maxMb = Number.POSITIVE_INFINITY, maxMs = Number.POSITIVE_INFINITY }: Budget, c: Figures) =>
  c.fault === undefined && c.sizeBytes / 1e6 <= maxMb && c.p50Ms <= maxMs;

/**
 * The limit on the loss: whether the chosen one keeps it, and whether those that would have won, had they
 * kept it, do not.
 */
const limitDoubts = <T extends Named>(given: Measurements<T>): Doubt[] => {
  const { candidates, losses, choice, budget } = given;
  const [whole] = candidates;
  if (budget.maxLoss === undefined || whole === undefined) return [];
  // Both figures are one loss in two units.
  const limit = (budget.maxLoss * whole.natsPerToken) / whole.bitsPerByte;
  const bounded = budget.maxMb !== undefined || budget.maxMs !== undefined;
  const { chosen, met } = choice;
  return candidates.flatMap((c) => {
    const over = c.bitsPerByte - whole.bitsPerByte > budget.maxLoss!;
    const wouldWin = over && (!met || (!bounded && c.sizeBytes < chosen.sizeBytes));
    if (!fits(budget, c) || !(c === chosen || wouldWin)) return [];
    const difference = lossDifference(losses.get(c.name)!, losses.get(whole.name)!);
    if (!withinNoise(difference, limit)) return [];
    return [{ candidate: c.name, against: whole.name, ...difference, limit }];
  });
};

/** Under a limit on size or time the lowest loss wins: those that may be as low as the chosen one. */
const rivalDoubts = <T extends Named>({ candidates, losses, choice, budget }: Measurements<T>): Doubt[] => {
  const bounded = budget.maxMb !== undefined || budget.maxMs !== undefined;
  const { chosen, met } = choice;
  if (!bounded || !met) return [];
  return candidates.flatMap((c) => {
    if (c === chosen || !fits(budget, c)) return [];
    const difference = lossDifference(losses.get(c.name)!, losses.get(chosen.name)!);
    return withinNoise(difference) ? [{ candidate: c.name, against: chosen.name, ...difference }] : [];
  });
};

/** The differences that decided the choice and are within two standard errors of going the other way. */
export const doubtsOf = <T extends Named>(given: Measurements<T>): Doubt[] => [
  ...limitDoubts(given),
  ...rivalDoubts(given),
];

const spread = ({ nats, standardError }: Doubt): string => {
  const noise = Number.isFinite(standardError) ? (2 * standardError).toFixed(4) : "unknown";
  return `${nats.toFixed(4)} \u00b1 ${noise}`;
};

const sentence = (doubt: Doubt): string => {
  const { candidate, against, limit } = doubt;
  const difference = `differs from ${against} by ${spread(doubt)} nats per token`;
  return limit === undefined
    ? `${candidate} ${difference}`
    : `${candidate} ${difference}, where at most ${limit.toFixed(4)} is allowed`;
};

/** The doubts as one remark with what to do; none where there is no doubt. */
export const doubtNotes = (doubts: readonly Doubt[]): string[] => {
  const [first] = doubts;
  if (first === undefined) return [];
  const what = doubts.map(sentence).join("; ");
  const tokens = first.tokens === 1 ? "1 held-out token does" : `${first.tokens} held-out tokens do`;
  return [`The choice is within the noise: ${tokens} not decide it (${what}). More held-out text would.`];
};
