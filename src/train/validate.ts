/** Held-out loss: a compiled forward pass over fixed windows. */
import { byShape, type ShapedSessions } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants, asParams, type Param, trainedTensors } from "../nn/param.ts";
import { languageModelling } from "../tasks/languageModelling.ts";
import { batchOutputs, batchTotals, type Objective } from "../tasks/objective.ts";
import { batchFeeds, typesOf } from "../tasks/scores.ts";
import type { Judge } from "../tasks/task.ts";
import { ConfigError, DataError } from "../util/errors.ts";
import { flatten, type Tree } from "../util/tree.ts";

/**
 * Batches of held-out data: `inputIds` [B, T] and what the objective reads, as `labels` [B * T] int32 with
 * padding labelled IGNORE. Each shape that they have is compiled for.
 */
export type Windows = readonly Feeds[];

/** Loss on held-out data. */
export interface HeldOut {
  /** Mean loss over all that counts, nats. */
  readonly loss: number;
  /** What counts: tokens, for most objectives. */
  readonly tokens: number;
  /** The judge's figure, where there is one. */
  readonly figure?: number;
}

/** What held-out data is measured by. Throws ConfigError where that lacks an input. */
const measuredBy = (objective: Objective, windows: Windows, model: Model): Objective => {
  const measure = objective.heldOut ?? objective;
  const [rows, context] = windows[0]!.inputIds!.shape as [number, number];
  const batch = rows / (measure.texts ?? 1);
  const { vocab_size: vocab } = model.config as { vocab_size: number };
  const missing = Object.keys(measure.inputs({ batch, context, vocab })).find((name) => !windows[0]![name]);
  if (missing === undefined) return measure;
  throw new ConfigError(`has no ${missing}, which "${measure.name}" reads`, { field: "validation" });
};

/** Adds up what held-out batches say, each by the outputs of `heldOutProgram`. */
export const tally = (judge?: Judge) => {
  let total = 0;
  let tokens = 0;
  const said: Readonly<Record<string, Tensor>>[] = [];
  return {
    add(out: Readonly<Record<string, Tensor>>): void {
      total += Number(out["totals.total"]!.data[0]);
      tokens += Number(out["totals.count"]!.data[0]);
      said.push(under("said.", out));
    },
    /** Throws DataError where nothing counts. */
    result(): HeldOut {
      if (tokens === 0) throw new DataError("nothing of the held-out data counts: every label is IGNORE");
      return { loss: total / tokens, tokens, ...(judge === undefined ? {} : { figure: judge.figure(said) }) };
    },
  };
};

const average = async (
  sessions: ShapedSessions,
  { windows, judge }: { readonly windows: Windows; readonly judge?: Judge | undefined },
  weights: Feeds,
): Promise<HeldOut> => {
  const { add, result } = tally(judge);
  for (const window of windows) {
    add(await (await sessions.at(window)).run({ ...weights, ...batchFeeds(window) }));
  }
  return result();
};

/** The outputs whose names begin with `prefix`, without it. */
const under = (prefix: string, out: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(out).flatMap(([name, t]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [],
    ),
  );

/** The totals of a held-out batch, and what a judge asks of the outputs. */
const measures = (
  model: Model,
  params: Tree<Param>,
  { measure, judge }: { readonly measure: Objective; readonly judge?: Judge | undefined },
  batch: Readonly<Record<string, Value>>,
) => {
  if (judge === undefined) return { totals: batchTotals(model, params, measure, batch) };
  const outputs = batchOutputs(model, params, batch);
  const { inputIds: _, ...rest } = batch;
  return { totals: measure.totals(outputs, rest), said: judge.says(outputs, batch) };
};

/** What held-out batches are measured by. */
export interface ValidatorOptions {
  /** That of language models unless told. */
  readonly objective?: Objective | undefined;
  readonly judge?: Judge | undefined;
}

/** Held-out loss of weights that keep changing. */
export interface Validator {
  /** The loss of `weights`, and of the model's own where one is not among them. */
  run(weights: ReadonlyMap<string, Tensor>): Promise<HeldOut>;
  dispose(): Promise<void>;
}

/**
 * The program that measures batches of a window's shape: "totals", and what a judge asks for as "said".
 * Weights are inputs "params.x". Throws ConfigError where the windows lack what the objective reads.
 */
export const heldOutProgram = (
  model: Model,
  windows: Windows,
  { objective = languageModelling, judge }: ValidatorOptions = {},
) => {
  const measure = measuredBy(objective, windows, model);
  const own = trainedTensors(model.weights);
  const params = Object.fromEntries(Array.from(own, ([name, { dtype, shape }]) => [name, { dtype, shape }]));
  return (window: Feeds) =>
    trace({ params, batch: typesOf([window]) }, (v) => {
      const all = asParams(model.weights, flatten<Value>(v.params));
      return measures(model, all, { measure, judge }, v.batch);
    });
};

/** What the programs of `heldOutProgram` are fed: the model's own tensors, and `weights` in their places. */
export const heldOutFeeds = (model: Model, weights: ReadonlyMap<string, Tensor>): Feeds =>
  Object.fromEntries(
    [...trainedTensors(model.weights), ...weights].map(([path, t]) => [`params.${path}`, t]),
  );

/**
 * Held-out loss of weights that keep changing: they are inputs, so nothing is compiled again. Throws
 * ConfigError as `heldOutProgram`.
 */
export const validator = async (
  engine: Engine,
  model: Model,
  windows: Windows,
  options: ValidatorOptions = {},
): Promise<Validator> => {
  const programFor = heldOutProgram(model, windows, options);
  const sessions = byShape((window) => compile(engine, programFor(window), { idle: "sleep" }));
  const { judge } = options;
  return {
    run: (weights) => average(sessions, { windows, judge }, heldOutFeeds(model, weights)),
    dispose: () => sessions.dispose(),
  };
};

/** Held-out loss of a finished model of any weight kinds: its weights are initializers. Throws as above. */
export const heldOutLoss = async (
  engine: Engine,
  model: Model,
  windows: Windows,
  objective: Objective = languageModelling,
): Promise<HeldOut> => {
  const measure = measuredBy(objective, windows, model);
  const programFor = (window: Feeds) =>
    trace({ batch: typesOf([window]) }, ({ batch }) => {
      return measures(model, asConstants(model.weights), { measure }, batch);
    });
  const sessions = byShape((window) => compile(engine, programFor(window), { idle: "sleep" }));
  try {
    return await average(sessions, { windows }, {});
  } finally {
    await sessions.dispose();
  }
};
