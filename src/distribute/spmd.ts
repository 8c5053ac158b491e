/**
 * Data parallelism without a first among equals: every rank runs the same training on its own share of each
 * batch (single program, multiple data), and owns the optimizer's state of its shard alone (ZeRO stage 1).
 * The sums are those of `dataParallel`, in the same order: to the bit.
 */
import type { Tensor } from "../ir/tensor.ts";
import { openCounter } from "../train/counter.ts";
import { bucket, unbucketed } from "../train/ranks/bucket.ts";
import type { Collective } from "../train/ranks/collective.ts";
import { allocate, checkSame } from "../train/ranks/held.ts";
import { rankPlans } from "../train/ranks/plan.ts";
import { openRank, type Rank, type RankPlan } from "../train/ranks/rank.ts";
import type { Wire } from "../train/ranks/wire.ts";
import type { StepOptions } from "../train/step.ts";
import { asBatch, type MakeStepper, type Stepper, under, weightsOf } from "../train/stepper.ts";
import { ConfigError } from "../util/errors.ts";
import { shared } from "./agree.ts";
import { sharer } from "./share.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Throws ConfigError where a batch does not divide among the ranks. */
export const requireShares = ({ batch }: StepOptions, { size }: Collective): void => {
  if (batch % size === 0) return;
  throw new ConfigError(`${batch} does not divide among ${size} ranks`, {
    field: "train.batch",
    hint: `make the batch a multiple of ${size}, or start fewer ranks`,
  });
};

/** Room for the optimizer's state of a rank's shard, by path. */
const roomFor = (plan: RankPlan, rank: number): Tensors => {
  const { view } = (plan.joined ? bucket : unbucketed)(plan.shards[rank]!);
  return view(allocate(Object.entries(plan.opt)));
};

const prefixed = (prefix: string, tensors: Tensors): [string, Tensor][] =>
  Array.from(tensors, ([path, t]) => [prefix + path, t]);

/** All names that a whole state has. */
const namesIn = (rank: Rank, plans: readonly RankPlan[]): Tensors =>
  new Map([
    ...prefixed("params.", rank.params()),
    ...plans.flatMap((plan, r) => prefixed("opt.", roomFor(plan, r))),
  ]);

/** How the ranks of a collective train together. */
export interface Spmd {
  readonly stepper: MakeStepper;
  /** What the loop watches instead of the signal that was given. */
  readonly signal: AbortSignal;
}

/** When ranks leave, and how numbers travel between them. */
export interface SpmdOptions {
  /** Aborted on one rank: all leave after the same step. */
  readonly signal?: AbortSignal | undefined;
  readonly wire?: Wire;
  /** The stage of ZeRO: 1 shards the optimizer's state, 2 gradients too (default: 1). */
  readonly zero?: 1 | 2;
}

/**
 * Training on all ranks of `collective`, of which each calls this. The stepper's state is of the own shard:
 * those of all ranks are the whole. Throws ConfigError where the batch does not divide among
 * them, or clipping by the norm does not come first.
 */
export const spmd = (
  collective: Collective,
  { signal, wire = "float32", zero = 1 }: SpmdOptions = {},
): Spmd => {
  // Aborted after the same step on all ranks, as soon as `signal` is on one of them.
  const leaving = new AbortController();
  const stepper: MakeStepper = async (engine, model, options): Promise<Stepper> => {
    requireShares(options, collective);
    if (zero === 2 && wire !== "float32") {
      throw new ConfigError(`is ${wire}: gradients that are sharded travel as they are`, {
        field: "train.wire",
        hint: "set train.wire (--wire) to float32, or train.zero (--zero) to 1",
      });
    }
    const plans = rankPlans(model, options, { ranks: collective.size, threads: engine.threads, zero });
    const rank = await openRank(engine, plans[collective.rank]!, collective, wire);
    rank.load(weightsOf(model));
    const counter = await openCounter(engine, model, options);
    const share = sharer(model, options, collective.size);
    const own = plans[collective.rank]!.shards[collective.rank]!;
    const writes = (path: string): boolean => path in own;
    return {
      async run(micro, lr, step) {
        const own = micro.map((feeds) => asBatch(share(feeds, collective.rank)));
        const scale = await counter.scale(micro.map(asBatch));
        const result = await rank.step(own, { lr, step, scale, asks: signal?.aborted ?? false });
        if (result.leaves) leaving.abort(signal?.reason);
        return result;
      },
      weights: () => rank.params(),
      writes,
      async state() {
        const params = [...rank.params()].filter(([path]) => writes(path));
        return new Map([...prefixed("params.", new Map(params)), ...prefixed("opt.", rank.opt())]);
      },
      async load(state) {
        checkSame(namesIn(rank, plans), state);
        rank.load(under("params.", state), under("opt.", state));
      },
      agreed: (values) => shared(collective, values),
      async dispose() {
        await rank.dispose();
        await counter.dispose();
      },
    };
  };
  return { stepper, signal: leaving.signal };
};
