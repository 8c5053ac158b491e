/**
 * Mixture weights from a small proxy model, in the manner of DoReMi (Xie et al. 2023,
 * https://arxiv.org/abs/2305.10429, algorithm 1): a reference learns from all sources alike; then a proxy
 * learns with weights that move, by group DRO, to the sources where it is furthest behind the reference;
 * their mean over the steps is the result. Each step has one micro-batch of every source, where the paper
 * draws sources at random: the same expectation, with less noise at few steps.
 */
import { batches } from "../../data/batch/batches.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { scalar, type Tensor, type TensorType, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Weight } from "../../nn/param.ts";
import { mul } from "../../ops/elementwise.ts";
import { adamw } from "../../optim/adamw.ts";
import { cosineSchedule } from "../../optim/schedule.ts";
import { languageModelling } from "../../tasks/languageModelling.ts";
import { type Objective, tokenLosses } from "../../tasks/objective.ts";
import { type Stepper, seedTensor, stepper } from "../../train/stepper.ts";
import { ConfigError, RunError } from "../../util/errors.ts";
import { mapTree } from "../../util/tree.ts";

// S sources, B batch, T context, N = B * T

/** A source's tokens. */
export interface ProxySource {
  readonly name: string;
  readonly tokens: Uint32Array;
}

/** Size and length of the two trainings. */
export interface ProxyOptions {
  /** Updates of each of the two models (200). */
  readonly steps?: number;
  /** Windows of each source in an update (8). */
  readonly batch?: number;
  readonly context: number;
  /** Learning rate at its peak (1e-3). */
  readonly lrPeak?: number;
  /** How fast weights move: the step of the exponentiated gradient (1). */
  readonly rate?: number;
  /** Share of the uniform mixture in every step's weights, so that none becomes 0 (1e-3). */
  readonly smoothing?: number;
  /**
   * What is clipped at 0: the excess loss of a "source" in a batch, or of each "token" as in the paper, which
   * takes chance differences on text that cannot be learnt for excess, the more so the smaller the models are
   * ("source").
   */
  readonly clip?: "source" | "token";
  readonly seed?: number;
  readonly signal?: AbortSignal;
  /** Called after each update with the weights so far. */
  readonly onStep?: (row: ProxyStep) => void;
}

/** What one update did. */
export interface ProxyStep {
  readonly model: "reference" | "proxy";
  readonly step: number;
  /** [S] weights of this update. */
  readonly weights: readonly number[];
}

/** A source's weight, and the losses that it comes from. */
export interface ProxyWeight {
  readonly name: string;
  /** Share of the mixture; they sum to 1. */
  readonly weight: number;
  /** Mean loss, nats per token, over the last tenth of the proxy's steps: of the proxy and the reference. */
  readonly proxyLoss: number;
  readonly referenceLoss: number;
}

/** Next-token loss times an input `share`, so that one program serves all sources and all weights. */
const weighted: Objective = {
  name: "weighted-lm",
  inputs: (shape) => ({ ...languageModelling.inputs(shape), share: { dtype: "float32", shape: [] } }),
  totals: (outputs, { share, ...rest }) => {
    const { total, count } = languageModelling.totals(outputs, rest);
    return { total: mul(total, share!), count };
  },
};

type Params = ReadonlyMap<string, Tensor>;

interface Shape {
  readonly batch: number;
  readonly context: number;
}

/** Losses of all tokens of a batch, [N], under weights that are inputs. */
const lossesOf = async (engine: Engine, model: Model, { batch, context }: Shape) => {
  const params = mapTree<Weight, TensorType>(model.weights, (w) => ({ dtype: w.dtype, shape: w.shape }));
  const inputIds: TensorType = { dtype: "int32", shape: [batch, context] };
  const labels: TensorType = { dtype: "int32", shape: [batch * context] };
  const program = trace({ params, inputIds, labels }, (v) => {
    const outputs = model.arch.forward(v.params, { inputIds: v.inputIds }, model.config);
    return { losses: tokenLosses(outputs, v.labels).losses };
  });
  const session = await compile(engine, program);
  const run = async (weights: Params, feeds: Feeds): Promise<ArrayLike<number>> => {
    const named = Object.fromEntries(Array.from(weights, ([path, t]) => [`params.${path}`, t]));
    const out = await session.run({ ...named, ...feeds });
    return (out.losses as Tensor).data as Float32Array;
  };
  return { run, dispose: () => session.dispose() };
};

/** Micro-batch `index` of each source, [S], in an order of `stream`'s own. */
const feedsOf = (sources: readonly ProxySource[], { batch, context }: Shape, seed: number) => {
  const makers = sources.map(({ tokens }) => batches({ tokens, batch, context, seed, order: "random" }));
  return (index: number): Feeds[] =>
    makers.map((make) => {
      const { inputIds, labels } = make(index);
      return {
        inputIds: tensor("int32", [batch, context], inputIds),
        labels: tensor("int32", [batch * context], labels),
      };
    });
};

/** Next weights: exponentiated gradient ascent on the excess losses, mixed with the uniform weights. */
export const nextWeights = (
  weights: readonly number[],
  excess: readonly number[],
  { rate = 1, smoothing = 1e-3 }: Pick<ProxyOptions, "rate" | "smoothing"> = {},
): number[] => {
  const most = Math.max(...excess);
  const raised = weights.map((w, i) => w * Math.exp(rate * (excess[i]! - most)));
  const total = raised.reduce((a, b) => a + b, 0);
  return raised.map((w) => ((1 - smoothing) * w) / total + smoothing / weights.length);
};

const mean = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/** How far the proxy is behind the reference, nats per token; 0 where it is ahead. */
const excessOf = (
  proxy: ArrayLike<number>,
  reference: ArrayLike<number>,
  clip: "source" | "token",
): number => {
  let sum = 0;
  for (let i = 0; i < proxy.length; i++) {
    const behind = proxy[i]! - reference[i]!;
    sum += clip === "token" ? Math.max(0, behind) : behind;
  }
  return Math.max(0, sum / proxy.length);
};

interface Trainer {
  readonly made: Stepper;
  readonly schedule: (step: number) => number;
  readonly seed: number;
}

/** One update on all sources by their weights. */
const update = async (
  { made, schedule, seed }: Trainer,
  step: number,
  shares: readonly [Feeds, number][],
) => {
  const micro = shares.map(([feeds, weight], m) => ({
    ...feeds,
    share: scalar(weight * shares.length),
    seed: seedTensor(seed, step, m),
  }));
  const { loss } = await made.run(micro, schedule(step), step + 1);
  if (Number.isFinite(loss)) return;
  throw new RunError(`the loss of step ${step + 1} is not finite`, {
    hint: "lower the proxy's learning rate",
  });
};

const copied = (weights: Params): Params =>
  new Map(Array.from(weights, ([name, t]) => [name, { ...t, data: t.data.slice() }]));

/** What both models' training needs. */
interface Run {
  readonly engine: Engine;
  readonly model: Model;
  readonly sources: readonly ProxySource[];
  readonly options: Required<Omit<ProxyOptions, "signal" | "onStep">> & Pick<ProxyOptions, "signal">;
  readonly onStep: (row: ProxyStep) => void;
}

const checkRun = ({ sources, options }: Run): void => {
  if (sources.length < 2) throw new ConfigError("needs at least two sources", { field: "sources" });
  for (const field of ["steps", "batch", "lrPeak", "rate"] as const) {
    const value = options[field];
    if (!(value > 0)) throw new ConfigError(`must be above 0, not ${value}`, { field: `proxy.${field}` });
  }
  const { smoothing } = options;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new ConfigError(`must be from 0 to 1, not ${smoothing}`, { field: "proxy.smoothing" });
  }
};

/** Trains a fresh copy of the model, with each step's weights from `weigh`; then hands it to `use`. */
const trained = async <R>(
  { engine, model, sources, options, onStep }: Run,
  name: ProxyStep["model"],
  weigh: (micro: readonly Feeds[], made: Stepper, step: number) => Promise<readonly number[]>,
  use: (made: Stepper) => R,
): Promise<R> => {
  const { steps, lrPeak, signal } = options;
  const seed = options.seed + (name === "proxy" ? 1 : 0);
  const schedule = cosineSchedule({ lrPeak, lrMin: lrPeak / 10, warmup: Math.ceil(steps / 20), steps });
  const made = await stepper(engine, model, {
    ...options,
    optimizer: adamw({ weightDecay: 0.01 }),
    objective: weighted,
    accumulate: sources.length,
    clipNorm: 1,
  });
  try {
    const feeds = feedsOf(sources, options, seed);
    for (let step = 0; step < steps; step++) {
      signal?.throwIfAborted();
      const micro = feeds(step);
      const weights = await weigh(micro, made, step);
      await update(
        { made, schedule, seed },
        step,
        micro.map((f, s) => [f, weights[s]!]),
      );
      onStep({ model: name, step: step + 1, weights });
    }
    return use(made);
  } finally {
    await made.dispose();
  }
};

/** Trains the proxy beside the reference; its mean weights, and the losses of its last tenth of steps. */
const proxied = async (run: Run, reference: Params): Promise<ProxyWeight[]> => {
  const { engine, model, sources, options } = run;
  const { steps, clip } = options;
  const tail = Math.ceil(steps / 10);
  const sums = sources.map(() => ({ weight: 0, proxyLoss: 0, referenceLoss: 0 }));
  const losses = await lossesOf(engine, model, options);
  let weights: readonly number[] = sources.map(() => 1 / sources.length);
  const weigh = async (micro: readonly Feeds[], made: Stepper, step: number) => {
    const excess: number[] = [];
    for (const [s, feeds] of micro.entries()) {
      const own = await losses.run(made.weights(), feeds);
      const other = await losses.run(reference, feeds);
      excess.push(excessOf(own, other, clip));
      if (step < steps - tail) continue;
      sums[s]!.proxyLoss += mean(own) / tail;
      sums[s]!.referenceLoss += mean(other) / tail;
    }
    weights = nextWeights(weights, excess, options);
    for (const [s, w] of weights.entries()) sums[s]!.weight += w / steps;
    return weights;
  };
  try {
    await trained(run, "proxy", weigh, () => {});
  } finally {
    await losses.dispose();
  }
  return sources.map(({ name }, s) => ({ name, ...sums[s]! }));
};

const defaults = {
  steps: 200,
  batch: 8,
  lrPeak: 1e-3,
  rate: 1,
  smoothing: 1e-3,
  clip: "source",
  seed: 1,
} as const;

/**
 * Finds mixture weights for sources with a small fresh `model`, trained twice. Its vocabulary is that of the
 * sources' tokens. Throws ConfigError for wrong options, DataError for a source shorter than one window,
 * RunError where a loss is not finite, and what `signal` gives as its reason.
 */
export const proxyMix = async (
  engine: Engine,
  model: Model,
  sources: readonly ProxySource[],
  { onStep = () => {}, ...given }: ProxyOptions,
): Promise<ProxyWeight[]> => {
  const run: Run = { engine, model, sources, options: { ...defaults, ...given }, onStep };
  checkRun(run);
  const uniform = sources.map(() => 1 / sources.length);
  const reference = await trained(
    run,
    "reference",
    async () => uniform,
    (made) => copied(made.weights()),
  );
  return proxied(run, reference);
};
