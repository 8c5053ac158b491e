/**
 * Data parallelism (Goyal et al. 2017, https://arxiv.org/abs/1706.02677) with sharded optimizer state: each
 * rank takes an equal share of every batch. The gradient is that of the whole batch wherever rows count
 * differently (padding), unlike the mean of means of PyTorch's DistributedDataParallel.
 */
import type { Tensor } from "../ir/tensor.ts";
import { type Counter, openCounter } from "../train/counter.ts";
import { checkSame } from "../train/ranks/held.ts";
import { rankPlans } from "../train/ranks/plan.ts";
import { openRank, type Rank } from "../train/ranks/rank.ts";
import type { StepOptions } from "../train/step.ts";
import { asBatch, type MakeStepper, type Stepper, under, weightsOf } from "../train/stepper.ts";
import { ConfigError } from "../util/errors.ts";
import { type Share, sharer } from "./share.ts";
import type { Crew, Team } from "./team.ts";

type Tensors = ReadonlyMap<string, Tensor>;

const check = ({ batch }: StepOptions, { size }: Team): void => {
  if (batch % size === 0) return;
  throw new ConfigError(`a batch of ${batch} does not divide among ${size} replicas`, {
    field: "train.replicas",
    hint: "make the batch a multiple of the replicas",
  });
};

/** Params, and every rank's optimizer state: the same names for any number of ranks. */
const allState = async (first: Rank, crew: Crew, others: readonly number[]): Promise<Tensors> => {
  const parts = await Promise.all(others.map((r) => crew.order(r, { do: "opt" })));
  return new Map([
    ...Array.from(first.params(), ([path, t]) => [`params.${path}`, t] as const),
    ...[first.opt(), ...parts].flatMap((part) =>
      Array.from(part!, ([path, t]) => [`opt.${path}`, t] as const),
    ),
  ]);
};

interface Ranks {
  readonly first: Rank;
  readonly crew: Crew;
  readonly counter: Counter;
  readonly size: number;
}

const stepperOf = ({ first, crew, counter, size }: Ranks, shareOf: Share): Stepper => {
  const others = Array.from({ length: size - 1 }, (_, i) => i + 1);
  return {
    async run(micro, lr, step) {
      const share = (rank: number) => micro.map((feeds) => asBatch(shareOf(feeds, rank)));
      const shares = [share(0), ...others.map(share)];
      const update = { lr, step, scale: await counter.scale(micro.map(asBatch)) };
      const orders = others.map((r) => crew.order(r, { do: "step", micro: shares[r]!, update }));
      const [result] = await Promise.all([first.step(shares[0]!, update), ...orders]);
      return result;
    },
    weights: () => first.params(),
    state: () => allState(first, crew, others),
    async load(state) {
      const [params, opt] = [under("params.", state), under("opt.", state)];
      checkSame(first.params(), params);
      first.load(params, opt);
      await Promise.all(others.map((r) => crew.order(r, { do: "load", params, opt })));
    },
    async dispose() {
      await crew.end();
      await first.dispose();
      await counter.dispose();
    },
  };
};

/**
 * Training on all ranks of `team`, the caller being the first. Throws ConfigError where the batch does not
 * divide among them, or clipping by the norm does not come first.
 */
export const dataParallel =
  (team: Team): MakeStepper =>
  async (engine, model, options) => {
    check(options, team);
    const threads = Math.max(1, Math.floor(engine.threads / team.size));
    const plans = rankPlans(model, options, { ranks: team.size, threads });
    const crew = await team.start(plans);
    try {
      const first = await openRank(engine, plans[0]!, crew.collective);
      const params = weightsOf(model);
      first.load(params);
      const others = plans.slice(1).map((_, i) => crew.order(i + 1, { do: "load", params }));
      await Promise.all(others);
      const counter = await openCounter(engine, model, options);
      const ranks = { first, crew, counter, size: team.size };
      return stepperOf(ranks, sharer(model, options, team.size));
    } catch (error) {
      await crew.end();
      throw error;
    }
  };
