/** The time that a search has: it ends early enough that the best can be measured again and delivered. */

/** A signal that the time is over. */
export interface Clock {
  readonly until: AbortSignal;
  /** Milliseconds until then; infinite without end. */
  left(): number;
  /** Does what writes a result, which tells how long the last of it takes. */
  shipping(work: () => Promise<void>): Promise<void>;
  /** A candidate was measured, which tells how long measuring the best again takes. */
  probed(ms: number): void;
  /** How long measuring again may take, milliseconds. */
  again(): number;
  stop(): void;
}

/** Shares of the time that are left for the end at least, and at most for measuring again. */
const [RESERVE, AGAIN] = [0.02, 0.1];
/** What delivering takes at the end against a point of the front: every dtype, card, report, samples. */
const WHOLE = 3;
/** Measurements at the end: of the start and the chosen one, so many times each. */
export const TURNS = 6;
/** How long they may take where no time is given. */
const PATIENCE_MS = 60_000;

/** Counts `seconds` from `startedMs` on performance.now()'s clock; 0: without end. */
export const clockOf = (seconds: number, startedMs: number): Clock => {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const reserve = { ship: 1000 * seconds * RESERVE, again: 0 };
  let slowest = 0;
  const left = (): number =>
    seconds <= 0
      ? Number.POSITIVE_INFINITY
      : startedMs + 1000 * seconds - performance.now() - reserve.ship - reserve.again;
  const set = (): void => {
    clearTimeout(timer);
    if (seconds <= 0) return;
    timer = setTimeout(() => over.abort(), Math.max(0, left()));
    timer.unref();
  };
  set();
  return {
    ...{ until: over.signal, left },
    async shipping(work) {
      const before = performance.now();
      await work();
      const took = performance.now() - before;
      if (took > 0) reserve.ship = Math.max(1000 * seconds * RESERVE, WHOLE * took);
      set();
    },
    probed(ms) {
      slowest = Math.max(slowest, ms);
      reserve.again = Math.min(1000 * seconds * AGAIN, 2 * TURNS * slowest);
      set();
    },
    again: () => (seconds <= 0 ? PATIENCE_MS : reserve.again),
    stop: () => clearTimeout(timer),
  };
};
