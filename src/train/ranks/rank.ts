/**
 * One rank of a data-parallel run (ZeRO stage 1, Rajbhandari et al. 2020, https://arxiv.org/abs/1910.02054).
 * Each rank holds all params and finds gradients for its share of the batch, but owns one shard, of which it
 * alone has the optimizer's state: it adds up that shard's gradients, updates it and gives it to the others.
 * A run without others is a run of one rank.
 */
import { byShape, type ShapedSessions } from "../../engine/byShape.ts";
import type { Engine, Feeds, Session } from "../../engine/engine.ts";
import { scalar } from "../../ir/tensor.ts";
import { type Flow, openFlow, type PipelinePlan } from "../pipeline/flow.ts";
import { ONLY, widthKey, widthOf } from "../width.ts";
import { bucket, unbucketed } from "./bucket.ts";
import type { Collective, Parcel } from "./collective.ts";
import {
  allocate,
  checkHas,
  fillWith,
  type Held,
  holding,
  numbers,
  prefixed,
  type ShardState,
  shardState,
  type Tensors,
  tensorsOf,
  typesOf,
  viewer,
} from "./held.ts";
import { noRounds, openRounds, type Rounds } from "./rounds.ts";
import { type StageSessions, shardedFinder, stageSessions } from "./sharded.ts";
import type { Stages } from "./stages.ts";
import { openUpdate, sessionOptions, type UpdatePlan, type Updating } from "./update.ts";
import type { Wire } from "./wire.ts";

/** What a rank needs to know: plain data, so that it can be sent to another thread. */
export interface RankPlan extends UpdatePlan {
  /** Whether gradients of several micro-batches are added up. */
  readonly accumulates: boolean;
  /** Weights that stand still, as feeds of the gradient's graph. */
  readonly frozen: Feeds;
  /** ONNX models of `gradientStep` and `sumStep`; `updateStep`. */
  readonly graphs: UpdatePlan["graphs"] & {
    /** By the width of a batch's rows. */
    readonly gradients: Readonly<Record<string, Uint8Array>>;
    readonly sum: Uint8Array;
  };
  /** Gradients are found in stages, and each rank keeps those of its shard: these, not `graphs.gradients`. */
  readonly stages?: Stages;
  /** The rank has a stage of a pipeline, and that one's params as its only shard: not `graphs.gradients`. */
  readonly pipeline?: PipelinePlan;
  /** State that the update can write where it lies. */
  readonly inPlace: readonly string[] | "all";
}

/** What came of an update. One whose loss or gradients are not finite was left out. */
export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
  /** Whether a rank has asked to leave. */
  readonly leaves?: boolean;
}

/** What is the same for all ranks in an update. */
export interface Update {
  readonly lr: number;
  /** Counted from 1. */
  readonly step: number;
  /** 1 over what counts in all micro-batches and ranks. */
  readonly scale: number;
  /** Whether this rank asks all to leave after it. */
  readonly asks?: boolean;
}

/** One rank of a run. */
export interface Rank {
  /** One update from this rank's share of the micro-batches. All ranks take it together. */
  step(micro: readonly Feeds[], update: Update): Promise<StepResult>;
  /** All params by path, as views; overwritten by later steps. */
  params(): Tensors;
  /** The optimizer's state of the own shard's params by path, as views; overwritten by later steps. */
  opt(): Tensors;
  /** Copies params, and of the optimizer's state what concerns the own shard, into this rank. */
  load(params: Tensors, opt?: Tensors): void;
  dispose(): Promise<void>;
}

interface Sessions {
  readonly gradients: ShapedSessions;
  readonly stages: StageSessions;
  readonly flow?: Flow;
  readonly sum: Session;
  readonly update: Updating;
}

const sessionsOf = async (engine: Engine, plan: RankPlan, collective: Collective): Promise<Sessions> => {
  const { graphs, pipeline } = plan;
  const options = sessionOptions(plan);
  return {
    gradients: byShape((feeds) =>
      engine.load(graphs.gradients[ONLY] ?? graphs.gradients[widthKey(widthOf(feeds, "batch."))]!, options),
    ),
    stages: stageSessions(engine, plan.stages, options),
    ...(pipeline === undefined ? {} : { flow: openFlow(engine, pipeline, collective, options) }),
    sum: await engine.load(graphs.sum, options),
    update: await openUpdate(engine, plan, collective.size > 1 && pipeline === undefined),
  };
};

interface Setting {
  readonly plan: RankPlan;
  readonly collective: Collective;
  readonly sessions: Sessions;
  readonly shards: readonly Held[];
  readonly own: Held;
  readonly rounds: Rounds;
  readonly state: ShardState;
}

/** Finds the gradients of all shards from this rank's share, and returns its part of the mean loss. */
const finder = ({ plan, sessions, shards }: Setting) => {
  const views = viewer();
  const viewsOf = (prefix: string, of: "params" | "grads"): Feeds =>
    Object.assign({}, ...shards.map((held) => views(prefix, held.bucket, held[of])));
  return async (micro: readonly Feeds[], scale: number): Promise<number> => {
    if (plan.accumulates) for (const { grads } of shards) for (const data of numbers(grads)) data.fill(0);
    const sums = plan.accumulates ? viewsOf("sums", "grads") : {};
    const loss = scalar(0);
    const feeds = { ...plan.frozen, ...viewsOf("params", "params"), scale: scalar(scale) };
    const fetches = { ...viewsOf("grads", "grads"), loss };
    let total = 0;
    for (const batch of micro) {
      const gradient = await sessions.gradients.at(batch);
      await gradient.run({ ...feeds, ...sums, ...batch }, fetches);
      total += loss.data[0] as number;
    }
    return total;
  };
};

/** The same, by which `own` has the sums of the own shard over all ranks. */
const stagedFinder = ({ plan, collective, sessions, shards, own }: Setting, { groups }: Stages) => {
  const views = viewer();
  const sums = own.bucket.view(own.grads);
  const find = shardedFinder({ collective, shards: plan.shards, groups, own: sums });
  return (micro: readonly Feeds[], scale: number): Promise<number> => {
    const params = shards.map((held) => views("params", held.bucket, held.params));
    const feeds = Object.assign({ ...plan.frozen, scale: scalar(scale) }, ...params);
    return find(micro, (batch) => sessions.stages.at(batch), feeds);
  };
};

/** The same of a stage of a pipeline: all gradients of its params, and the loss on the last rank. */
const flowFinder = ({ plan, own }: Setting, flow: Flow) => {
  const views = viewer();
  return (micro: readonly Feeds[], scale: number): Promise<number> => {
    if (plan.accumulates) for (const data of numbers(own.grads)) data.fill(0);
    const sums = plan.accumulates ? views("sums", own.bucket, own.grads) : {};
    const params = views("params", own.bucket, own.params);
    const feeds = { ...plan.frozen, ...params, ...sums, scale: scalar(scale) };
    return flow.find(micro, { feeds, fetches: views("grads", own.bucket, own.grads) });
  };
};

interface Sums {
  readonly grads: Tensors;
  /** Of the squares of all elements, before and after they were limited. */
  readonly squares: number;
  readonly limited: number;
}

/** Adds up what each rank found for the own shard; nothing is given where they are added up already. */
const adder = ({ collective: { rank }, sessions, own }: Setting) => {
  const limits = sessions.sum.outputNames.includes("limited");
  // Where values are limited their squares before are still read when those after are written.
  const apart = limits ? allocate(typesOf(own.bucket)) : undefined;
  return async (given: readonly Parcel[] | undefined): Promise<Sums> => {
    const feeds = given?.map((parcel, r) =>
      prefixed(`given.r${r}`, r === rank ? own.grads : tensorsOf(own.bucket, parcel)),
    ) ?? [prefixed("given.r0", own.grads)];
    const grads = apart ?? own.grads;
    const [squares, limited] = [scalar(0), scalar(0)];
    await sessions.sum.run(Object.assign({}, ...feeds), { ...prefixed("grads", grads), squares, limited });
    const before = squares.data[0] as number;
    return { grads, squares: before, limited: limits ? (limited.data[0] as number) : before };
  };
};

/** Updates the own shard. */
const updater = ({ sessions, state }: Setting) => {
  return async (grads: Tensors, scalars: Feeds): Promise<void> => {
    const feeds = { ...state.feeds(), ...prefixed("grads", grads), ...scalars };
    await sessions.update.run(feeds, state.fetches());
    state.advance();
  };
};

const total = (parcels: readonly Parcel[], at: number): number =>
  parcels.reduce((sum, [values]) => sum + values![at]!, 0);

/** The three rounds of a step: gradients to their owners, what all must know, new params to all. */
const stepper = (setting: Setting): Rank["step"] => {
  const { collective, rounds, plan, sessions } = setting;
  const { stages } = plan;
  const find = sessions.flow
    ? flowFinder(setting, sessions.flow)
    : stages === undefined
      ? finder(setting)
      : stagedFinder(setting, stages);
  const [addUp, update] = [adder(setting), updater(setting)];
  const each = Array.from({ length: collective.size });
  return async (micro, { lr, step, scale, asks = false }) => {
    const loss = await find(micro, scale);
    const given = await rounds.gather();
    const { grads, squares, limited } = await addUp(given);
    const facts = each.map(() => [Float32Array.of(loss, squares, limited, asks ? 1 : 0)]);
    const room = each.map(() => [new Float32Array(4)]);
    const known = await collective.exchange(facts, room);
    const leaves = total(known, 3) > 0;
    const result = { loss: total(known, 0), gradNorm: Math.sqrt(total(known, 1)), leaves };
    const updated = Number.isFinite(result.loss) && Number.isFinite(result.gradNorm);
    if (updated) {
      const gradNorm = scalar(Math.sqrt(total(known, 2)));
      await update(grads, { gradNorm, lr: scalar(lr), step: scalar(step) });
    }
    await rounds.spread(given ?? [], updated);
    return result;
  };
};

/** Loads a rank's graphs into `engine`. */
export const openRank = async (
  engine: Engine,
  plan: RankPlan,
  collective: Collective,
  wire?: Wire,
): Promise<Rank> => {
  const sessions = await sessionsOf(engine, plan, collective);
  const { stages, taken, pipeline } = plan;
  const mine = pipeline === undefined ? collective.rank : 0;
  const shards = plan.shards.map((shard, r) =>
    holding((plan.joined ? bucket : unbucketed)(shard), {
      ...(taken === undefined ? {} : { taken }),
      grads: stages === undefined || r === mine,
      make: sessions.update.params,
    }),
  );
  const own = shards[mine]!;
  const moved = { collective, shards, own };
  const rounds = pipeline === undefined ? await openRounds(moved, wire, stages !== undefined) : noRounds;
  const state = shardState(own, plan, sessions.update.state);
  return {
    step: stepper({ plan, collective, sessions, shards, own, rounds, state }),
    params: () => new Map(shards.flatMap(({ bucket: { view }, params }) => [...view(params)])),
    opt: () => own.bucket.view(state.opt()),
    load(params, opt) {
      for (const held of shards) checkHas(held.bucket.view(held.params), params);
      if (opt !== undefined) checkHas(own.bucket.view(state.opt()), opt);
      for (const held of shards) fillWith(held.bucket.view(held.params), params);
      if (opt !== undefined) fillWith(own.bucket.view(state.opt()), opt);
    },
    async dispose() {
      for (const held of Object.values(sessions)) await held.dispose();
    },
  };
};
