/**
 * Gradients of which each rank keeps those of its own shard alone (ZeRO stage 2): they are found in stages,
 * and those of a stage go to their owners before the next begins.
 */
import type { Feeds } from "../../engine/engine.ts";
import { scalar, sizeOf, type Tensor, type TensorType, zeros } from "../../ir/tensor.ts";
import type { Collective, Parcel } from "./collective.ts";
import type { Shard } from "./shards.ts";
import type { StageGraph } from "./stages.ts";

/** What a stage's session runs as. */
export interface StageRun {
  readonly kept: StageGraph["kept"];
  run(feeds: Feeds, fetches: Feeds): Promise<unknown>;
}

/** Whose gradients are found, and where they go. */
export interface Sharded {
  readonly collective: Collective;
  /** Of all ranks. */
  readonly shards: readonly Shard[];
  /** Paths whose gradients each stage finds. */
  readonly groups: readonly (readonly string[])[];
  /** Room for the sums of the own shard, by path. */
  readonly own: ReadonlyMap<string, Tensor>;
}

/** Room for numbers that is used again for each stage. */
const arena = (floats: number) => {
  const memory = new Float32Array(floats);
  return (types: readonly TensorType[]): Tensor[] => {
    let at = 0;
    return types.map(({ shape }) => {
      const start = at;
      at += sizeOf(shape);
      return { dtype: "float32", shape: shape as readonly number[], data: memory.subarray(start, at) };
    });
  };
};

const total = (types: readonly TensorType[]): number =>
  types.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Adds `from` to `to`, element by element. */
const addTo = (to: Tensor, from: Float32Array): void => {
  const data = to.data as Float32Array;
  for (let i = 0; i < data.length; i++) data[i] = data[i]! + from[i]!;
};

/** A stage: where its gradients are found, and where those that other ranks found of the own shard come. */
interface StageRoom {
  readonly found: ReadonlyMap<string, Tensor>;
  readonly parcels: readonly Parcel[];
  readonly room: readonly Parcel[];
  /** Where what is of the own shard is added. */
  readonly sums: readonly Tensor[];
}

const roomsOf = ({ collective, shards, groups, own }: Sharded): readonly StageRoom[] => {
  const { rank, size } = collective;
  const types = (paths: readonly string[]): TensorType[] =>
    paths.map((path) => shards.find((shard) => path in shard)![path]!);
  const ownOf = (paths: readonly string[]) => paths.filter((path) => path in shards[rank]!);
  const most = (of: (paths: readonly string[]) => number): number => Math.max(...groups.map(of));
  const find = arena(most((paths) => total(types(paths))));
  const take = Array.from({ length: size }, (_, r) =>
    arena(r === rank ? 0 : most((paths) => total(types(ownOf(paths))))),
  );
  const data = (tensors: readonly Tensor[]): Parcel => tensors.map((t) => t.data as Float32Array);
  return groups.map((paths) => {
    const tensors = find(types(paths));
    const found = new Map(paths.map((path, i) => [path, tensors[i]!]));
    const of = (shard: Shard): Parcel =>
      data(paths.filter((path) => path in shard).map((path) => found.get(path)!));
    return {
      found,
      parcels: shards.map(of),
      room: take.map((place, r) => (r === rank ? [] : data(place(types(ownOf(paths)))))),
      sums: ownOf(paths).map((path) => own.get(path)!),
    };
  });
};

/**
 * Finds the gradients of a rank's share of the micro-batches, of which `own` gets the sums over all ranks of
 * its shard, and resolves to this rank's part of the mean loss.
 */
export const shardedFinder = (sharded: Sharded) => {
  const { collective, own } = sharded;
  const rooms = roomsOf(sharded);
  const kept = new WeakMap<StageGraph["kept"], Feeds>();
  const roomFor = (types: StageGraph["kept"]): Feeds => {
    const room =
      kept.get(types) ?? Object.fromEntries(Object.entries(types).map(([name, type]) => [name, zeros(type)]));
    kept.set(types, room);
    return room;
  };
  const once = async (stages: readonly StageRun[], feeds: Feeds): Promise<number> => {
    const loss = scalar(0);
    const given: Record<string, Tensor> = { ...feeds };
    for (const [k, stage] of stages.entries()) {
      const { found, parcels, room, sums } = rooms[k]!;
      const gives = roomFor(stage.kept);
      const grads = Array.from(found, ([path, t]) => [`grads.${path}`, t] as const);
      await stage.run(given, { ...Object.fromEntries(grads), ...gives, loss });
      Object.assign(given, gives);
      for (const parcel of await collective.exchange(parcels, room)) {
        for (const [i, sum] of sums.entries()) addTo(sum, parcel[i]!);
      }
    }
    return loss.data[0] as number;
  };
  return async (
    micro: readonly Feeds[],
    stagesOf: (batch: Feeds) => Promise<readonly StageRun[]>,
    feeds: Feeds,
  ): Promise<number> => {
    for (const { data } of own.values()) (data as Float32Array).fill(0);
    let sum = 0;
    for (const batch of micro) sum += await once(await stagesOf(batch), { ...feeds, ...batch });
    return sum;
  };
};
