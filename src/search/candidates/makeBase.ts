/** Makes a dense model of a configuration: layers and neurons go, what is left is fitted, then taught. */

import { teach } from "../../compress/distillation/distill.ts";
import { spread } from "../../compress/dropLayers.ts";
import { type Context, derived, type Pass } from "../../compress/pass.ts";
import { blockInfluence, mostInfluential } from "../../compress/pruning/blockInfluence.ts";
import { chooseUnits } from "../../compress/pruning/chooseUnits.ts";
import { keepUnits } from "../../compress/pruning/keepUnits.ts";
import { restored } from "../../compress/pruning/restore.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Json, Model } from "../../models/model.ts";
import type { Lesson, Task } from "../../tasks/task.ts";
import type { MetricsRow, TrainHooks, TrainOptions } from "../../train/loop.ts";
import type { Param, Scalar, Values } from "../space/space.ts";
import { bearableRate, type Paced, type Rate } from "./rate.ts";
import { isTaught } from "./space.ts";

/** How a smaller model is taught. */
export type Teaching = Omit<TrainOptions, "objective" | "record"> &
  TrainHooks & {
    readonly alpha?: number;
    readonly temperature?: number;
    /** Rates of which one is taken (see `bearableRate`), the highest first; the run's own unless given. */
    readonly rates?: readonly Rate[];
  };

/** A parameter of one's own: what its values make of a dense model before it is taught. */
export interface OwnPass {
  readonly param: Param;
  /** The pass of a value; undefined where it leaves the model as it is. */
  pass(value: Scalar): Pass | undefined;
}

/** What dense models are made with. */
export interface MakeOptions {
  readonly task: Task;
  readonly lesson: Lesson;
  /** How a configuration is taught. */
  readonly teaching: (values: Values) => Teaching;
  /** Token ids [B, T] int32 of one shape of text that is not held out: what is left is fitted on them. */
  readonly batches?: readonly Tensor[];
  /** Told, and waited for, while what is left of the model is fitted: matrices done, of how many. */
  readonly onFit?: (values: Values, done: number, of: number) => void | Promise<void>;
  /** Passes of the user's own, by the parameter's name. */
  readonly passes?: Readonly<Record<string, OwnPass>>;
}

/** A dense model; `stopped` where it was given up, while it learnt or before there was any. */
export interface Made {
  readonly dense?: Model;
  readonly stopped: boolean;
}

/** Watches a dense model while it learns. */
export interface Watching {
  readonly onRow?: (row: MetricsRow) => void;
  /** Aborted: the model is given up. */
  readonly stop?: AbortSignal;
}

/** The layers that stay. */
const layersOf = async (
  model: Model,
  { layers, layersBy }: Values,
  { batches }: MakeOptions,
  { engine }: Context,
): Promise<number[]> => {
  const { layers: whole } = model.arch.cache(model.config);
  const keep = Number(layers);
  if (layersBy !== "influence" || batches === undefined) return spread(whole, keep);
  return mostInfluential(await blockInfluence(engine, model, batches), keep);
};

const withFewerLayers = (model: Model, kept: readonly number[]): Model => {
  const pass = { name: "dropLayers", options: { kept: [...kept] } };
  return derived(model, pass, model.arch.keepLayers(model.config, model.weights, kept));
};

const withFewerNeurons = async (
  model: Model,
  share: number,
  { batches }: MakeOptions,
  { engine, signal }: Context,
): Promise<Model> => {
  const by = batches === undefined ? "magnitude" : "activation";
  const how = { kind: "neurons", keep: share, by, signal, ...(batches ? { batches } : {}) } as const;
  return keepUnits(model, "neurons", await chooseUnits(engine, model, how));
};

/** The model cut as a configuration says, and fitted to the whole one. */
const cut = async (whole: Model, values: Values, options: MakeOptions, context: Context): Promise<Model> => {
  const { layers: all } = whole.arch.cache(whole.config);
  const { layers = all, neurons = 1 } = values;
  const shallow = Number(layers) < all;
  const kept = shallow
    ? await layersOf(whole, values, options, context)
    : Array.from({ length: all }, (_, i) => i);
  let model = shallow ? withFewerLayers(whole, kept) : whole;
  if (Number(neurons) < 1) model = await withFewerNeurons(model, Number(neurons), options, context);
  const { batches } = options;
  if (model === whole || batches === undefined) return model;
  const made = await restored(context.engine, model, {
    ...{ whole, batches, layers: kept, signal: context.signal },
    onSite: (done, of) => options.onFit?.(values, done, of),
  });
  for (const note of made.notes) context.log(note);
  return made.model;
};

const withOwn = async (
  model: Model,
  values: Values,
  { passes = {} }: MakeOptions,
  context: Context,
): Promise<Model> => {
  let made = model;
  for (const [name, { pass }] of Object.entries(passes)) {
    const value = values[name];
    made = (await (value === undefined ? undefined : pass(value))?.run(made, context)) ?? made;
  }
  return made;
};

/** The cut model as its whole one taught it. Throws as `train` does, and where the search is interrupted. */
const taught = async (
  student: Model,
  whole: Model,
  values: Values,
  { task, lesson, teaching }: MakeOptions,
  { engine, signal }: Context,
  { onRow, stop }: Watching,
): Promise<Made> => {
  const { alpha = 0.9, temperature = 1, rates = [], ...given } = teaching(values);
  const how: { readonly [name: string]: Json } = { alpha, temperature };
  const signals = [signal, stop].filter((each) => each !== undefined);
  const stopping = signals.length > 0 ? { signal: AbortSignal.any(signals) } : {};
  const run = (paced: Paced, told: (row: MetricsRow) => void) =>
    teach(engine, student, {
      ...{ teacher: whole, source: lesson.source, said: how },
      teaching: task.teaching(lesson, { alpha, temperature }, whole),
      train: { ...given, ...paced, ...stopping, onRow: told },
    });
  const lossBehind = async (paced: Paced): Promise<number> => {
    let last = Number.NaN;
    await run(paced, ({ valLoss = last }) => {
      last = valLoss;
    });
    return last;
  };
  const paced: Paced = (await bearableRate(rates, lossBehind))?.whole ?? given;
  const result = await run(paced, (row) => {
    given.onRow?.(row);
    onRow?.(row);
  });
  if (result.ended === "interrupted") signal?.throwIfAborted();
  const pass = { name: "distill", options: { ...how, steps: paced.steps } };
  const dense = derived(student, pass, { weights: result.model.weights });
  return { dense, stopped: result.ended === "interrupted" };
};

/**
 * The dense model of a configuration of `whole`. Throws ConfigError for what the model has not, and where
 * `context.signal` is aborted.
 */
export const makeDense = async (
  whole: Model,
  values: Values,
  options: MakeOptions,
  context: Context,
  watching: Watching = {},
): Promise<Made> => {
  const { signal: interrupted } = context;
  const signals = [interrupted, watching.stop].filter((each) => each !== undefined);
  const cutting = { ...context, ...(signals.length > 0 ? { signal: AbortSignal.any(signals) } : {}) };
  try {
    const smaller = await cut(whole, values, options, cutting);
    const dense = await withOwn(smaller, values, options, cutting);
    cutting.signal?.throwIfAborted();
    if (!isTaught(values)) return { dense, stopped: false };
    return await taught(dense, whole, values, options, context, watching);
  } catch (error) {
    if (watching.stop?.aborted !== true || interrupted?.aborted === true) throw error;
    return { stopped: true };
  }
};
