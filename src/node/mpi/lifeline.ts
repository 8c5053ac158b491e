/**
 * Signs of life around the ring of ranks: each gives one to the next every second, and notices where the one
 * before falls silent: its process was stopped, or its machine is cut off.
 */
import { RunError } from "../../util/errors.ts";
import type { Mpi } from "./library.ts";

const TAG = 2;
/** Milliseconds between two signs. */
const EVERY = 1000;
/** What a sign says: that its sender is there, or that it ends in order. */
const ALIVE = 0;
const LEAVES = 1;

/** Signs of life to the next rank and from the one before. */
export interface Lifeline {
  /** From now on silence is noticed: ranks no longer do what keeps them from giving signs. */
  watch(): void;
  /** Gives and takes signs. Throws RunError where the rank before has been silent for too long. */
  tick(): void;
  /** Whether the rank before has left in order, after this one has said that it leaves. */
  left(): boolean;
  /** Says that this rank leaves. */
  leave(): void;
}

/** The lifeline of a rank; `silenceMs` is how long the one before may be silent. */
export const lifelineOf = (mpi: Mpi, silenceMs: number, now = () => performance.now()): Lifeline => {
  const [rank, size] = [mpi.rank(), mpi.size()];
  const [next, before] = [(rank + 1) % size, (rank + size - 1) % size];
  const [sign, heard] = [Float32Array.of(ALIVE), new Float32Array(1)];
  const [sending, hearing] = [mpi.requests(1), mpi.requests(1)];
  let [watched, leaving, gone] = [false, false, false];
  let [last, sent, silent] = [now(), Number.NEGATIVE_INFINITY, 0];
  const give = (what: number): void => {
    sign[0] = what;
    mpi.send(sign, next, TAG, sending);
    sent = now();
  };
  const hear = (): void => {
    while (!gone && mpi.completed(hearing)) {
      silent = 0;
      if (heard[0] === LEAVES) gone = true;
      else mpi.receive(heard, before, TAG, hearing);
    }
  };
  mpi.receive(heard, before, TAG, hearing);
  return {
    watch() {
      watched = true;
      silent = 0;
    },
    tick() {
      const at = now();
      // What passes while this rank computes is no silence of the other: both do so.
      silent += Math.min(at - last, EVERY);
      last = at;
      hear();
      if (!leaving && at - sent >= EVERY && mpi.completed(sending)) give(ALIVE);
      if (gone || !watched || silent < silenceMs) return;
      throw new RunError(`rank ${before} has given no sign of life for ${Math.round(silent / 1000)} s`, {
        hint: "its process was stopped, or its machine is cut off; start again with --resume",
      });
    },
    left() {
      hear();
      if (leaving) return gone && mpi.completed(sending);
      if (mpi.completed(sending)) {
        leaving = true;
        give(LEAVES);
      }
      return false;
    },
    leave() {
      watched = false;
    },
  };
};
