/**
 * Data parallelism (Goyal et al. 2017, https://arxiv.org/abs/1706.02677) with sharded optimizer state: each
 * rank takes an equal share of every batch. The gradient is that of the whole batch wherever rows count
 * differently (padding), unlike the mean of means of PyTorch's DistributedDataParallel.
 */
import type { Feeds } from "../engine/engine.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, sizeOf, type Tensor, type TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { type Counter, openCounter } from "../train/counter.ts";
import { checkSame } from "../train/held.ts";
import { rankPlans } from "../train/plan.ts";
import { openRank, type Rank } from "../train/rank.ts";
import { batchTypes, type StepOptions } from "../train/step.ts";
import { asBatch, type MakeStepper, type Stepper, under, weightsOf } from "../train/stepper.ts";
import { type WidthOptions, widthKey, widthOf } from "../train/width.ts";
import { ConfigError } from "../util/errors.ts";
import type { Crew, Team } from "./team.ts";

type Tensors = ReadonlyMap<string, Tensor>;

type Types = Readonly<Record<string, TensorType>>;

/** The types of a whole micro-batch, and of a rank's share of it. */
interface BatchTypes {
  readonly whole: Types;
  readonly share: Types;
}

/** Throws ConfigError unless `t` is the whole of an input, to be cut along its first dimension if at all. */
const checkInput = (name: string, t: Tensor, { whole, share }: BatchTypes): void => {
  const [all, part] = [whole[name]?.shape ?? t.shape, share[name]?.shape ?? t.shape];
  if (t.data.length !== sizeOf(all)) {
    throw new ConfigError(`has ${shapeText(t.shape)} where the step takes ${shapeText(all)}`, {
      field: `batch.${name}`,
      hint: "give micro-batches of train.batch sequences",
    });
  }
  if (sizeOf(part) !== sizeOf(all) && !sameShape(part.slice(1), all.slice(1))) {
    throw new ConfigError(`${shapeText(all)} cannot be divided: its rows are not those of the batch`, {
      field: `batch.${name}`,
      hint: "put the batch first, or train on one replica",
    });
  }
};

/**
 * The share of rank `rank` in a micro-batch: an equal part of what has rows for each sequence, the whole of
 * all else, and a dropout seed of its own.
 */
const shareOf = (feeds: Feeds, rank: number, types: BatchTypes): Feeds => {
  const cut = ([name, t]: [string, Tensor]): [string, Tensor] => {
    if (name === "seed") {
      return [name, { ...t, data: Int32Array.of(Number(t.data[0]) ^ Math.imul(rank, 0x9e3779b1)) }];
    }
    checkInput(name, t, types);
    const shape = (types.share[name]?.shape ?? t.shape) as readonly number[];
    const size = sizeOf(shape);
    if (size === t.data.length) return [name, t];
    return [name, { ...t, shape, data: t.data.slice(rank * size, (rank + 1) * size) }];
  };
  return Object.fromEntries(Object.entries(feeds).map(cut));
};

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

type Share = (feeds: Feeds, rank: number) => Feeds;

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

/** The types of a micro-batch and of a share of it, by the width of its rows. */
const typesByWidth = (model: Model, options: StepOptions, size: number) => {
  const known = new Map<string, BatchTypes>();
  return (feeds: Feeds): BatchTypes => {
    const width: WidthOptions = options.widths === undefined ? options : widthOf(feeds);
    const key = widthKey(width);
    const found = known.get(key);
    if (found !== undefined) return found;
    const step = { ...options, ...width };
    const [whole, share] = [1, size].map((ranks) => batchTypes(model, step, { ranks }));
    const types = { whole: whole!, share: share! };
    known.set(key, types);
    return types;
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
      const types = typesByWidth(model, options, team.size);
      const counter = await openCounter(engine, model, options);
      const ranks = { first, crew, counter, size: team.size };
      return stepperOf(ranks, (feeds, rank) => shareOf(feeds, rank, types(feeds)));
    } catch (error) {
      await crew.end();
      throw error;
    }
  };
