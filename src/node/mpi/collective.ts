/**
 * A collective over MPI. Nothing blocks: requests are tested in turns with the event loop, which serves
 * signals and signs of life meanwhile. What is added up is added up by the step, in the order
 * of the ranks, so that its bits are the same whatever the library.
 */
import { setTimeout as nap, setImmediate as turn } from "node:timers/promises";
import type { Collective, Parcel } from "../../train/ranks/collective.ts";
import { RunError } from "../../util/errors.ts";
import type { Mpi, Requests } from "./library.ts";

const [READY, DATA, LINE] = [0, 1, 3];
/** Elements of a message: MPI counts them in an int. */
const CHUNK = 2 ** 28;
/** Milliseconds of testing in every turn, after which a rank that waits for others rests in between. */
const EAGER = 2;
const NAP = 1;

/** What watches over exchanges. */
export interface Watch {
  /** Called over and over while a rank waits. Throws where it need not wait any longer. */
  tick(): void;
  /** Milliseconds that an exchange may take. */
  readonly limitMs: number;
}

/** Waits until all of `requests` have completed. */
const settled = async (mpi: Mpi, requests: Requests, watch: Watch, rests: boolean): Promise<void> => {
  const start = performance.now();
  while (!mpi.completed(requests)) {
    watch.tick();
    const waited = performance.now() - start;
    if (waited > watch.limitMs) {
      throw new RunError(`waited ${Math.round(waited / 1000)} s for the other ranks`, {
        hint: "one of them hangs, or the ranks do not run the same command",
      });
    }
    await (rests && waited > EAGER ? nap(NAP) : turn());
  }
};

const chunks = (parcel: Parcel): Float32Array[] =>
  parcel.flatMap((data) => {
    if (data.length <= CHUNK) return data.length === 0 ? [] : [data];
    return Array.from({ length: Math.ceil(data.length / CHUNK) }, (_, i) =>
      data.subarray(i * CHUNK, (i + 1) * CHUNK),
    );
  });

/** Arrays and elements of a parcel, as bits in three float32. */
const measureOf = (parcel: Parcel): Float32Array => {
  const elements = parcel.reduce((sum, { length }) => sum + length, 0);
  const bits = Uint32Array.of(parcel.length, elements % 2 ** 32, Math.floor(elements / 2 ** 32));
  return new Float32Array(bits.buffer);
};

const sizeText = (measure: Float32Array): string => {
  const [arrays = 0, low = 0, high = 0] = new Uint32Array(measure.buffer);
  return `${high * 2 ** 32 + low} numbers in ${arrays} arrays`;
};

/** One way between two ranks: what is posted first comes first. */
const linesOf = (
  mpi: Mpi,
  watch: Watch,
  held: Set<unknown>,
): Required<Pick<Collective, "send" | "receive">> => {
  const line = async (data: Float32Array, post: (piece: Float32Array, at: Requests) => void) => {
    const pieces = chunks([data]);
    const requests = mpi.requests(pieces.length);
    const all = [requests, data];
    held.add(all);
    for (const [i, piece] of pieces.entries()) post(piece, requests.subarray(i, i + 1));
    await settled(mpi, requests, watch, true);
    held.delete(all);
  };
  return {
    send: (to, data) => line(data, (piece, at) => mpi.send(piece, to, LINE, at)),
    receive: (from, room) => line(room, (piece, at) => mpi.receive(piece, from, LINE, at)),
  };
};

/** The ranks of MPI's world. `watch` is asked while they wait for each other. */
export const mpiCollective = (mpi: Mpi, watch: Watch): Collective => {
  const [rank, size] = [mpi.rank(), mpi.size()];
  const others = Array.from({ length: size }, (_, r) => r).filter((r) => r !== rank);
  // What MPI still reads or writes must not be freed, even where an exchange fails.
  const held = new Set<unknown>();

  /** Begins to give and to take; what comes back waits until all is done. */
  const begin = (
    given: ReadonlyMap<number, Parcel>,
    into: ReadonlyMap<number, Parcel>,
    { tag, rests }: { readonly tag: number; readonly rests: boolean },
  ): (() => Promise<void>) => {
    const pieces = (of: ReadonlyMap<number, Parcel>) =>
      others.flatMap((r) => chunks(of.get(r)!).map((data) => [r, data] as const));
    const [come, go] = [pieces(into), pieces(given)];
    const requests = mpi.requests(come.length + go.length);
    const all = [requests, come, go];
    held.add(all);
    for (const [i, [r, data]] of come.entries()) mpi.receive(data, r, tag, requests.subarray(i, i + 1));
    for (const [i, [r, data]] of go.entries()) mpi.send(data, r, tag, requests.subarray(come.length + i));
    return async () => {
      await settled(mpi, requests, watch, rests);
      held.delete(all);
    };
  };

  /** Waits until all are there, and agrees with each on what is to come. */
  const meet = async (given: ReadonlyMap<number, Parcel>, into: ReadonlyMap<number, Parcel>) => {
    const told = new Map(others.map((r) => [r, [measureOf(given.get(r)!)]]));
    const heard = new Map(others.map((r) => [r, [new Float32Array(3)]]));
    const met = begin(told, heard, { tag: READY, rests: true });
    // On its way before all are there: the last to come waits for nothing but the data.
    const moved = begin(given, into, { tag: DATA, rests: false });
    await met();
    for (const r of others) {
      const [is, expected] = [sizeText(heard.get(r)![0]!), sizeText(measureOf(into.get(r)!))];
      if (is === expected) continue;
      throw new RunError(`rank ${r} gives ${is} where rank ${rank} takes ${expected}`, {
        hint: "run the same command with the same data on all ranks",
      });
    }
    await moved();
  };

  return {
    rank,
    size,
    copies: true,
    ...linesOf(mpi, watch, held),
    async exchange(parcels, room = parcels) {
      const byRank = (all: readonly Parcel[]) => new Map(others.map((r) => [r, all[r] ?? []]));
      const [given, into] = [byRank(parcels), byRank(room)];
      await meet(given, into);
      return parcels.map((own, r) => (r === rank ? own : into.get(r)!));
    },
  };
};
