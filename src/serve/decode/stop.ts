/** Ending a text at stop strings while it is being streamed. */

export interface StopFilter {
  /** What is certain to be part of the text after one more piece. */
  push(piece: string): string;
  /** Whether a stop string has been met; later pieces are dropped. */
  readonly stopped: boolean;
  /** What was held back, where no stop string came. */
  end(): string;
}

/** Length of the longest end of `text` with which one of `stops` begins. */
const begun = (text: string, stops: readonly string[]): number => {
  let most = 0;
  for (const stop of stops) {
    for (let n = Math.min(stop.length - 1, text.length); n > most; n--) {
      if (text.endsWith(stop.slice(0, n))) most = n;
    }
  }
  return most;
};

/** Cuts a stream of text before the first of `stops`; what may be the start of one is held back. */
export const stopFilter = (stops: readonly string[]): StopFilter => {
  const wanted = stops.filter((s) => s !== "");
  let held = "";
  let stopped = false;
  return {
    get stopped() {
      return stopped;
    },
    push(piece) {
      if (stopped) return "";
      held += piece;
      const at = wanted.map((s) => held.indexOf(s)).filter((i) => i >= 0);
      stopped = at.length > 0;
      const sure = stopped ? Math.min(...at) : held.length - begun(held, wanted);
      const out = held.slice(0, sure);
      held = stopped ? "" : held.slice(sure);
      return out;
    },
    end: () => (stopped ? "" : held),
  };
};
