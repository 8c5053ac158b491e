/** The time that a search has: it ends early enough that the best can be delivered. */

/** A signal that the time is over. */
export interface Clock {
  readonly until: AbortSignal;
  /** Does what writes a result, which tells how long the last of it takes. */
  shipping(work: () => Promise<void>): Promise<void>;
  stop(): void;
}

/** Shares of the time that are left for the end at least. */
const RESERVE = 0.02;
/** What delivering takes at the end against a point of the front: every dtype, card, report, samples. */
const WHOLE = 3;

/** Counts `seconds` from `startedMs` on performance.now()'s clock; 0: without end. */
export const clockOf = (seconds: number, startedMs: number): Clock => {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const set = (reserveMs: number): void => {
    clearTimeout(timer);
    if (seconds <= 0) return;
    const left = startedMs + 1000 * seconds - performance.now() - reserveMs;
    timer = setTimeout(() => over.abort(), Math.max(0, left));
    timer.unref();
  };
  set(1000 * seconds * RESERVE);
  return {
    until: over.signal,
    async shipping(work) {
      const before = performance.now();
      await work();
      const took = performance.now() - before;
      if (took > 0) set(Math.max(1000 * seconds * RESERVE, WHOLE * took));
    },
    stop: () => clearTimeout(timer),
  };
};
