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
  /** How often the best may be measured again, and how long that may take. */
  again(): { readonly count: number; readonly mostMs: number };
  stop(): void;
}

/** Share of the time that is left for the end at least. */
const RESERVE = 0.02;
/** Shares of the time for measuring again: what is used where there is much to measure, and at most. */
const [AGAIN, MOST] = [0.1, 0.2];
/** What delivering takes at the end against a point of the front: every dtype, card, report, samples. */
const WHOLE = 3;
/** Measurements at the end: of the start and the chosen one, so many times each, at least and at most. */
export const LEAST = 3;
const TURNS = 6;
/** How long more than the least may take where no time is given. */
const PATIENCE_MS = 60_000;

/** Counts `seconds` from `startedMs` on performance.now()'s clock; 0: without end. */
export const clockOf = (seconds: number, startedMs: number): Clock => {
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const reserve = { ship: 1000 * seconds * RESERVE, again: 0 };
  const probes: number[] = [];
  // The first that is measured is the start; the chosen one takes about as long as the others do.
  const turnMs = (): number => {
    const [first = 0, ...others] = probes;
    return first + (others.length === 0 ? first : others.reduce((a, b) => a + b, 0) / others.length);
  };
  const mostMs = (): number =>
    seconds <= 0 ? PATIENCE_MS : Math.max(1000 * seconds * AGAIN, LEAST * turnMs());
  const turns = (): number => (seconds > 0 && LEAST * turnMs() > 1000 * seconds * MOST ? 0 : TURNS);
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
      probes.push(ms);
      reserve.again = Math.min(mostMs(), turns() * turnMs());
      set();
    },
    again: () => ({ count: turns(), mostMs: mostMs() }),
    stop: () => clearTimeout(timer),
  };
};
