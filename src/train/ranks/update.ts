/** The third part of a rank's step, as a graph or in passes, and where what it changes lies. */
import type { Engine, Feeds, SessionOptions } from "../../engine/engine.ts";
import { openPasses } from "../../engine/onePass/passes.ts";
import { type TensorType, zeros } from "../../ir/tensor.ts";
import { bucket, unbucketed } from "./bucket.ts";
import type { Collective } from "./collective.ts";
import { typesOf, type Zeros } from "./held.ts";
import type { RankPlan } from "./rank.ts";

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
export const sessionOptions = ({ threads, layout }: RankPlan): SessionOptions => ({
  ...{ inPlace: true, threads, idle: "sleep", layout },
});

/** Opens the update of a rank's plan. */
export const openUpdate = async (engine: Engine, plan: RankPlan, { size }: Collective): Promise<Updating> => {
  const { graphs, pipeline, opt, joined, shards, taken } = plan;
  if (!("code" in graphs.update)) {
    const session = await engine.load(graphs.update, sessionOptions(plan));
    const { run, dispose } = session;
    return { run: run.bind(session), dispose: dispose.bind(session), state: zeros, params: zeros };
  }
  // Gradients and params that are sent to others come back in other places.
  const isMoved = size > 1 && pipeline === undefined;
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
