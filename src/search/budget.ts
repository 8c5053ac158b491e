/** Choosing the best candidate that a budget allows. */
import { ConfigError, RunError } from "../util/errors.ts";

/** What a candidate was measured to cost. */
export interface Figures {
  /** What it loses of the task's figure against the reference; below 0 where it gains. */
  readonly lost: number;
  /** Median time of a step: of a generated token, of a text that is read. */
  readonly p50Ms: number;
  readonly sizeBytes: number;
  /** Why it may not be chosen whatever it costs: what it computes is not what its model does. */
  readonly fault?: string;
}

/** What the chosen candidate may cost at most. */
export interface Budget {
  /** Largest size of the model file, megabytes (10^6 bytes). */
  readonly maxMb?: number;
  /** Longest median time of a step (a token, a text), milliseconds. */
  readonly maxMs?: number;
  /** Most that may be lost of the task's figure against the reference model, in its own units. */
  readonly maxLoss?: number;
}

/** The chosen candidate and why. */
export interface Choice<T> {
  readonly chosen: T;
  /** Whether the chosen one is within the budget; if not, it is the nearest. */
  readonly met: boolean;
  /** How the choice was made, in words. */
  readonly rule: string;
  /** What the chosen one exceeds: empty where the budget is met. */
  readonly exceeded: readonly string[];
}

interface Limit {
  readonly name: string;
  readonly value: number;
  readonly limit: number | undefined;
  readonly unit: string;
}

/** How the figures of a task are called. */
export interface Units {
  /** "bits per byte" */
  readonly quality: string;
  /** What a step is: "token", "text". */
  readonly step: string;
}

const limits = (f: Figures, budget: Budget, { quality, step }: Units): Limit[] => [
  { name: "size", value: f.sizeBytes / 1e6, limit: budget.maxMb, unit: "MB" },
  { name: "time", value: f.p50Ms, limit: budget.maxMs, unit: `ms/${step}` },
  { name: "loss", value: f.lost, limit: budget.maxLoss, unit: quality },
];

const excess = ({ value, limit }: Limit): number =>
  limit === undefined || value <= limit ? 0 : (value - limit) / Math.max(Math.abs(limit), 1e-3);

const check = (budget: Budget): void => {
  for (const [field, value] of Object.entries(budget)) {
    const bad = value !== undefined && !(value >= 0 && Number.isFinite(value));
    if (bad)
      throw new ConfigError(`must be a number of at least 0, not ${value}`, { field: `budget.${field}` });
  }
};

/**
 * The best of `candidates` within `budget`: under a limit on size or time the one that loses least, else (a
 * limit on the loss alone) the smallest file. Where none fits, the one with the least total relative excess.
 * One with a fault is never chosen. Throws ConfigError for a budget that cannot be and RunError where each
 * candidate has a fault.
 */
export const choose = <T extends Figures>(
  candidates: readonly T[],
  budget: Budget,
  units: Units,
): Choice<T> => {
  check(budget);
  if (candidates.length === 0) throw new ConfigError("there are no candidates to choose from");
  const sound = candidates.filter(({ fault }) => fault === undefined);
  if (sound.length === 0) throw new RunError(`no candidate may be chosen: ${candidates[0]!.fault}`);
  const over = (c: T) => limits(c, budget, units).reduce((sum, limit) => sum + excess(limit), 0);
  const least = (list: readonly T[], by: (c: T) => number): T =>
    list.reduce((best, c) => (by(c) < by(best) ? c : best));
  const fitting = sound.filter((c) => over(c) === 0);
  const bounded = budget.maxMb !== undefined || budget.maxMs !== undefined;
  if (fitting.length > 0) {
    const chosen = least(fitting, bounded ? (c) => c.lost : (c) => c.sizeBytes);
    const rule = bounded
      ? "lowest loss within the size and time allowed"
      : "smallest file within the loss allowed";
    return { chosen, met: true, rule, exceeded: [] };
  }
  const chosen = least(sound, over);
  const exceeded = limits(chosen, budget, units)
    .filter((l) => excess(l) > 0)
    .map((l) => `${l.name} ${l.value.toPrecision(3)} ${l.unit} (limit ${l.limit})`);
  return { chosen, met: false, rule: "nearest to the budget, which nothing meets", exceeded };
};
