/** Ranks in one process, whose collectives copy as those between processes do. */
import type { Collective, Parcel, Windows } from "../src/train/ranks/collective.ts";

/** Memory that the ranks of a machine, of `perMachine` each, see of each other. */
const sharing = (size: number, perMachine: number) => {
  const opened: ArrayBuffer[][] = [];
  const calls = new Array<number>(size).fill(0);
  return async (rank: number, bytes: number): Promise<Windows> => {
    const call = calls[rank]!++;
    opened[call] ??= [];
    opened[call][rank] = new ArrayBuffer(bytes);
    while (Object.keys(opened[call]).length < size) await new Promise((turn) => setImmediate(turn));
    const machine = (r: number): number => Math.floor(r / perMachine);
    return opened[call].map((memory, r) => (machine(r) === machine(rank) ? memory : undefined));
  };
};

/**
 * One collective for each of `size` ranks. An exchange ends as soon as all have come to it. With `perMachine`,
 * as many share memory.
 */
export const localRanks = (size: number, perMachine?: number): readonly Collective[] => {
  const share = perMachine === undefined ? undefined : sharing(size, perMachine);
  let waiting: { readonly parcels: readonly Parcel[]; readonly room: readonly Parcel[]; done(): void }[] = [];
  const at: number[] = [];
  const copyAll = (): void => {
    for (const [i, { room }] of waiting.entries()) {
      for (const [j, { parcels }] of waiting.entries()) {
        if (i === j) continue;
        const [to, from] = [room[at[j]!] ?? [], parcels[at[i]!] ?? []];
        if (to.map((data) => data.length).join() !== from.map((data) => data.length).join()) {
          throw new Error(`rank ${at[j]} gives ${from.length} arrays where rank ${at[i]} takes ${to.length}`);
        }
        for (const [k, data] of to.entries()) data.set(from[k]!);
      }
    }
  };
  return Array.from(
    { length: size },
    (_, rank): Collective => ({
      rank,
      size,
      copies: true,
      ...(share === undefined ? {} : { windows: (bytes: number) => share(rank, bytes) }),
      exchange: (parcels, room = parcels) =>
        new Promise((resolve, reject) => {
          const result = () => parcels.map((own, r) => (r === rank ? own : room[r]!));
          waiting.push({ parcels, room, done: () => resolve(result()) });
          at.push(rank);
          if (waiting.length < size) return;
          try {
            copyAll();
          } catch (error) {
            reject(error);
            return;
          }
          const all = waiting;
          waiting = [];
          at.length = 0;
          for (const { done } of all) done();
        }),
    }),
  );
};
