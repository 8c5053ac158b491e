/** Ranks in one process, whose collectives copy as those between processes do. */
import type { Collective, Parcel } from "../src/train/collective.ts";

/** One collective for each of `size` ranks. An exchange ends as soon as all have come to it. */
export const localRanks = (size: number): readonly Collective[] => {
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
