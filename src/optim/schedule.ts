/**
 * Learning rate schedules: pure functions of the step's index on the host, fed to the graph as a number. The
 * first step has index 0 and the last `steps - 1`; a decay reaches lrMin at index `steps`, and stays there.
 * Warm-up is nanoGPT's (https://github.com/karpathy/nanoGPT): lrPeak * (step + 1) / (warmup + 1), so the
 * first step is never lost.
 */
import { ConfigError } from "../util/errors.ts";

/** The learning rate at a step, counted from 0. */
export type Schedule = (step: number) => number;

/** The shape of a schedule and its points. */
export interface ScheduleOptions {
  readonly kind: "constant" | "linear" | "cosine" | "wsd" | "inverseSqrt";
  /** Highest learning rate, reached at index `warmup`. */
  readonly lrPeak: number;
  /** Lowest learning rate after the warm-up (0 unless told). */
  readonly lrMin?: number;
  /** Steps of linear warm-up (0 unless told). */
  readonly warmup?: number;
  /** Steps of the whole run. */
  readonly steps: number;
  /** wsd: share of the run that decays, at its end (0.2 unless told). */
  readonly decayShare?: number;
  /**
   * wsd: how it decays: "linear" unless told, or "1-sqrt" (Hägele et al. 2024,
   * https://arxiv.org/abs/2405.18392).
   */
  readonly decay?: "linear" | "1-sqrt";
}

type Checked = Required<ScheduleOptions>;
/** Share of lrPeak - lrMin that is left at a share of the way, both in 0 .. 1. */
type Fall = (share: number) => number;

const fallTo = (fall: Fall, { lrPeak, lrMin }: Checked, share: number): number =>
  lrMin + (lrPeak - lrMin) * fall(Math.min(1, Math.max(0, share)));

const afterWarmup =
  (fall: Fall) =>
  (o: Checked): Schedule => {
    const span = Math.max(1, o.steps - o.warmup);
    return (step) => fallTo(fall, o, (step - o.warmup) / span);
  };

const half = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;
const falls: Record<Checked["decay"], Fall> = {
  linear: (share) => 1 - share,
  "1-sqrt": (share) => 1 - Math.sqrt(share),
};

/** What follows the warm-up. */
const kinds: Readonly<Record<ScheduleOptions["kind"], (options: Checked) => Schedule>> = {
  constant:
    ({ lrPeak }) =>
    () =>
      lrPeak,
  linear: afterWarmup(falls.linear),
  // Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983, one period.
  cosine: afterWarmup(half),
  // Hu et al. 2024, https://arxiv.org/abs/2404.06395.
  wsd: (o) => {
    const span = Math.min(o.steps * o.decayShare, o.steps - o.warmup);
    if (span <= 0) return () => o.lrPeak;
    return (step) => fallTo(falls[o.decay], o, (step - (o.steps - span)) / span);
  },
  // Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; lrMin is a floor.
  inverseSqrt: ({ lrPeak, lrMin, warmup }) => {
    const scale = Math.max(1, warmup);
    return (step) => Math.max(lrMin, lrPeak * Math.sqrt(scale / (scale + Math.max(0, step - warmup))));
  },
};

const check = (ok: boolean, field: keyof ScheduleOptions, message: string): void => {
  if (!ok) throw new ConfigError(message, { field });
};

const checked = (options: ScheduleOptions): Checked => {
  const o: Checked = { lrMin: 0, warmup: 0, decayShare: 0.2, decay: "linear", ...options };
  check(Object.hasOwn(kinds, o.kind), "kind", `"${o.kind}" is none of ${Object.keys(kinds).join(", ")}`);
  check(o.lrPeak >= 0 && o.lrPeak < Infinity, "lrPeak", `${o.lrPeak} is not a number of at least 0`);
  check(o.lrMin >= 0 && o.lrMin <= o.lrPeak, "lrMin", `${o.lrMin} is not between 0 and lrPeak (${o.lrPeak})`);
  check(Number.isInteger(o.steps) && o.steps > 0, "steps", `${o.steps} is not a whole number above 0`);
  const fits = Number.isInteger(o.warmup) && o.warmup >= 0 && o.warmup <= o.steps;
  check(fits, "warmup", `${o.warmup} is not a whole number between 0 and the steps (${o.steps})`);
  check(o.decayShare >= 0 && o.decayShare <= 1, "decayShare", `${o.decayShare} is not between 0 and 1`);
  check(Object.hasOwn(falls, o.decay), "decay", `"${o.decay}" is none of ${Object.keys(falls).join(", ")}`);
  return o;
};

/** The schedule that `options` describe. Throws ConfigError naming the field that cannot be. */
export const scheduleOf = (options: ScheduleOptions): Schedule => {
  const o = checked(options);
  const main = kinds[o.kind](o);
  return (step) => (step < o.warmup ? (o.lrPeak * (step + 1)) / (o.warmup + 1) : main(step));
};

type Rates = Omit<ScheduleOptions, "kind" | "decayShare" | "decay">;
/** lrPeak after the warm-up. */
export const constantSchedule = (options: Rates): Schedule => scheduleOf({ kind: "constant", ...options });
/** From lrPeak to lrMin along a line. */
export const linearSchedule = (options: Rates): Schedule => scheduleOf({ kind: "linear", ...options });
/** From lrPeak to lrMin along half a cosine. */
export const cosineSchedule = (options: Rates): Schedule => scheduleOf({ kind: "cosine", ...options });
/** Warm-up, stable at lrPeak, then a decay to lrMin over the last decayShare of the run. */
export const wsdSchedule = (options: Omit<ScheduleOptions, "kind">): Schedule =>
  scheduleOf({ kind: "wsd", ...options });
/** lrPeak * sqrt(warmup / step) after the warm-up. */
export const inverseSqrtSchedule = (options: Rates): Schedule =>
  scheduleOf({ kind: "inverseSqrt", ...options });
