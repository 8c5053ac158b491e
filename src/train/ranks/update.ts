/** The third part of a rank's step, as a graph or in passes, and where what it changes lies. */
import type { Engine, Feeds, MemoryLayout, SessionOptions } from "../../engine/engine.ts";
import { openPasses } from "../../engine/onePass/passes.ts";
import type { PassPlan } from "../../engine/onePass/plan.ts";
import { type TensorType, zeros } from "../../ir/tensor.ts";
import { bucket, unbucketed } from "./bucket.ts";
import { type Tensors, typesOf, type Zeros } from "./held.ts";
import type { Shard } from "./shards.ts";

/** What a rank's update needs to know: plain data. */
export interface UpdatePlan {
  readonly shards: readonly Shard[];
  /** Whether small params are stored joined (see bucket.ts). */
  readonly joined: boolean;
  /** The types of the own shard's optimizer state, by path. */
  readonly opt: Shard;
  /** How the engine lays out memory. */
  readonly layout: MemoryLayout;
  /** Threads inside ops. */
  readonly threads: number;
  /** Weights that may be trained where they lie, by path; absent: all are copied. */
  readonly taken?: Tensors;
  /** `updateStep`, as an ONNX model or in passes. */
  readonly graphs: { readonly update: Uint8Array | PassPlan };
}

/** What updates a rank's shard. */
export interface Updating {
  /** Makes the optimizer's state. */
  readonly state: Zeros;
  /** Makes params and gradients. */
  readonly params: Zeros;
  run(feeds: Feeds, fetches: Feeds): Promise<unknown>;
  dispose(): Promise<void>;
}

/** How a rank's graphs are loaded. */
export const sessionOptions = ({ threads, layout }: UpdatePlan): SessionOptions => ({
  ...{ inPlace: true, threads, idle: "sleep", layout },
});

/** Opens the update of a rank, whose params and gradients may go to others and come back in other places. */
export const openUpdate = async (engine: Engine, plan: UpdatePlan, isMoved: boolean): Promise<Updating> => {
  const { graphs, opt, joined, shards, taken } = plan;
  if (!("code" in graphs.update)) {
    const session = await engine.load(graphs.update, sessionOptions(plan));
    const { run, dispose } = session;
    return { run: run.bind(session), dispose: dispose.bind(session), state: zeros, params: zeros };
  }
  const stored = isMoved ? [] : typesOf((joined ? bucket : unbucketed)(shards[0]!));
  const params = stored.filter(([path]) => !taken?.has(path));
  const types: TensorType[] = [...Object.values(opt), ...[...stored, ...params].map(([, type]) => type)];
  const passes = openPasses(graphs.update, types);
  return {
    run: async (feeds, fetches) => passes.run(feeds, fetches),
    dispose: async () => {},
    state: passes.zeros,
    params: isMoved ? zeros : passes.zeros,
  };
};
