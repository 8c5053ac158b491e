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

/** Lines between ranks: what was sent is taken where it lies, and stays its sender's until then. */
const lines = () => {
  const sent = new Map<string, { readonly data: Float32Array; done(): void }[]>();
  const waiting = new Map<string, (() => void)[]>();
  const of = <T>(all: Map<string, T[]>, key: string): T[] => {
    if (!all.has(key)) all.set(key, []);
    return all.get(key)!;
  };
  return (rank: number): Required<Pick<Collective, "send" | "receive">> => ({
    send: (to, data) =>
      new Promise((done) => {
        of(sent, `${rank} ${to}`).push({ data, done });
        of(waiting, `${rank} ${to}`).shift()?.();
      }),
    async receive(from, room) {
      const key = `${from} ${rank}`;
      if (of(sent, key).length === 0) await new Promise<void>((come) => of(waiting, key).push(come));
      const { data, done } = of(sent, key).shift()!;
      if (data.length !== room.length)
        throw new Error(`${data.length} numbers where ${room.length} are taken`);
      room.set(data);
      done();
    },
  });
};

/**
 * One collective for each of `size` ranks. An exchange ends as soon as all have come to it. With `perMachine`,
 * as many share memory.
 */
export const localRanks = (size: number, perMachine?: number): readonly Collective[] => {
  const share = perMachine === undefined ? undefined : sharing(size, perMachine);
  let waiting: { readonly parcels: readonly Parcel[]; readonly room: readonly Parcel[]; done(): void }[] = [];
  const at: number[] = [];
  const linesOf = lines();
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
      ...linesOf(rank),
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
