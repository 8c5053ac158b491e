/**
 * Gradients of which each rank keeps those of its own shard alone (ZeRO stage 2): they are found in stages,
 * and those of a stage go to their owners before the next begins.
 */
import type { Engine, Feeds, Session, SessionOptions } from "../../engine/engine.ts";
import { scalar, sizeOf, type Tensor, type TensorType, zeros } from "../../ir/tensor.ts";
import { ONLY, widthKey, widthOf } from "../width.ts";
import type { Collective, Parcel } from "./collective.ts";
import type { Shard } from "./shards.ts";
import type { StageGraph, Stages } from "./stages.ts";

/** What a stage's session runs as. */
export interface StageRun {
  readonly kept: StageGraph["kept"];
  run(feeds: Feeds, fetches: Feeds): Promise<unknown>;
}

/** What the stages of batches run as, by the batch. */
export interface StageSessions {
  at(batch: Feeds): Promise<readonly StageRun[]>;
  dispose(): Promise<void>;
}

/** The stages of a batch's width, opened when it is first met. */
export const stageSessions = (
  engine: Engine,
  stages: Stages | undefined,
  options: SessionOptions,
): StageSessions => {
  const opened = new Map<string, Promise<readonly (StageRun & Session)[]>>();
  const open = (key: string) =>
    Promise.all(
      stages!.graphs[key]!.map(async ({ model, kept }) => ({ ...(await engine.load(model, options)), kept })),
    );
  return {
    at(batch) {
      const key = stages!.graphs[ONLY] === undefined ? widthKey(widthOf(batch, "batch.")) : ONLY;
      const found = opened.get(key) ?? open(key);
      opened.set(key, found);
      return found;
    },
    async dispose() {
      for (const found of opened.values()) for (const session of await found) await session.dispose();
    },
  };
};

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
const addTo = (to: Float32Array, from: Float32Array): void => {
  for (let i = 0; i < to.length; i++) to[i] = to[i]! + from[i]!;
};

/** Most numbers that a rank gives to another at once: what comes needs that much room from each. */
const PIECE = 2 ** 18;

const pieces = (arrays: Parcel): Float32Array[] =>
  arrays.flatMap((data) =>
    Array.from({ length: Math.ceil(data.length / PIECE) }, (_, i) =>
      data.subarray(i * PIECE, (i + 1) * PIECE),
    ),
  );

/** What goes to whom at once, where it comes, and the sums to which that is added. */
interface Round {
  readonly parcels: readonly Parcel[];
  readonly room: readonly Parcel[];
  readonly sums: Parcel;
}

/** A stage: where its gradients are found, and how they get to their owners. */
interface StageRoom {
  readonly found: ReadonlyMap<string, Tensor>;
  readonly rounds: readonly Round[];
}

const roomsOf = ({ collective, shards, groups, own }: Sharded): readonly StageRoom[] => {
  const { rank, size } = collective;
  const types = (paths: readonly string[]): TensorType[] =>
    paths.map((path) => shards.find((shard) => path in shard)![path]!);
  const find = arena(Math.max(...groups.map((paths) => total(types(paths)))));
  const take = Array.from({ length: size }, (_, r) => new Float32Array(r === rank ? 0 : PIECE));
  return groups.map((paths) => {
    const tensors = find(types(paths));
    const found = new Map(paths.map((path, i) => [path, tensors[i]!]));
    const of = (from: ReadonlyMap<string, Tensor>, r: number): Float32Array[] =>
      pieces(paths.filter((path) => path in shards[r]!).map((path) => from.get(path)!.data as Float32Array));
    const given = shards.map((_, r) => of(found, r));
    const sums = of(own, rank);
    const rounds = Array.from({ length: Math.max(...given.map(({ length }) => length)) }, (_, i): Round => {
      const at = (all: Parcel): Parcel => all.slice(i, i + 1);
      const comes = at(sums);
      return {
        parcels: given.map(at),
        room: take.map((place, r) =>
          r === rank ? [] : comes.map(({ length }) => place.subarray(0, length)),
        ),
        sums: comes,
      };
    });
    return { found, rounds };
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
      const { found, rounds } = rooms[k]!;
      const gives = roomFor(stage.kept);
      const grads = Array.from(found, ([path, t]) => [`grads.${path}`, t] as const);
      await stage.run(given, { ...Object.fromEntries(grads), ...gives, loss });
      Object.assign(given, gives);
      for (const { parcels, room, sums } of rounds) {
        const come = await collective.exchange(parcels, room);
        for (const [i, sum] of sums.entries()) for (const parcel of come) addTo(sum, parcel[i]!);
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
