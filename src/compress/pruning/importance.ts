/**
 * How much each neuron and head counts for. By activations: the mean square of what it gives times the
 * squared norm of the weights that read it (Wanda's measure, https://arxiv.org/abs/2306.11695, of a whole
 * unit). By gradients: the change of the loss that its absence at a token makes to first order, squared, over
 * all tokens (Molchanov et al. 2016, https://arxiv.org/abs/1611.06440; of heads Michel et al. 2019,
 * https://arxiv.org/abs/1905.10650, whose absolute values are squares here). By magnitude: its squared
 * weights, which reads no text.
 */
import { grad } from "../../autodiff/grad.ts";
import { byShape } from "../../engine/byShape.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import { trace } from "../../ir/program.ts";
import type { Tensor, TensorType } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { asParams, type Weight } from "../../nn/param.ts";
import { mul } from "../../ops/elementwise.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { batchTotals, type Objective } from "../../tasks/objective.ts";
import { batchFeeds, typesOf } from "../../tasks/scores.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { survey, walkable } from "../calibration/walk.ts";
import { sitesOf } from "../sites.ts";
import { inputAxis, outputAxis, type Units } from "./units.ts";

/** The measures, by name. */
export const importances = ["activation", "taylor", "magnitude"] as const;
/** The name of a measure. */
export type Importance = (typeof importances)[number];

/** What units are measured on. */
export interface ImportanceOptions {
  readonly by: Importance;
  /** By activations: token ids [B, T] int32 of one shape. */
  readonly batches?: readonly Tensor[];
  /** By gradients: what the model learns, and batches of it. */
  readonly lesson?: { readonly objective: Objective; readonly batches: readonly Feeds[] };
  readonly signal?: AbortSignal | undefined;
  /** Told after each batch. */
  readonly onBatch?: (done: number, of: number) => void;
}

/** The importance of each unit, by the name of their layer's units. */
export type UnitScores = Map<string, Float64Array>;

/** Squared norms of a matrix's slices along an axis. */
const squaredNorms = ({ shape, data }: Tensor, axis: 0 | 1): Float64Array => {
  const [rows, columns] = shape as [number, number];
  const norms = new Float64Array(shape[axis]!);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) norms[axis === 0 ? i : j]! += Number(data[i * columns + j]) ** 2;
  }
  return norms;
};

/** Sums of `each` neighbours. */
const summed = (values: ArrayLike<number>, each: number): Float64Array => {
  const sums = new Float64Array(values.length / each);
  for (let i = 0; i < values.length; i++) sums[Math.floor(i / each)]! += values[i]!;
  return sums;
};

const byMagnitude = (units: readonly Units[], weights: ReadonlyMap<string, Weight>): UnitScores =>
  new Map(
    units.map(({ name, count, reader, each, writers }) => {
      const scores = summed(squaredNorms(weights.get(reader.path) as Tensor, inputAxis(reader)), each);
      for (const { info, each: outputs } of writers) {
        const own = summed(squaredNorms(weights.get(info.path) as Tensor, outputAxis(info)), outputs);
        for (let i = 0; i < count; i++) scores[i]! += own[i]!;
      }
      return [name, scores];
    }),
  );

const byActivation = async (
  engine: Engine,
  model: Model,
  units: readonly Units[],
  { batches, signal, onBatch }: ImportanceOptions,
): Promise<UnitScores> => {
  if (batches === undefined || batches.length === 0) throw noText("activation");
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const readers = new Map(units.map((each) => [each.reader.path, each]));
  const scores: UnitScores = new Map();
  const way = walkable(model, batches);
  const sites = way.sites.filter(({ paths }) => paths.some((path) => readers.has(path)));
  await survey(
    engine,
    { ...way, sites },
    {
      ...{ gram: false, signal },
      ...(onBatch === undefined ? {} : { onBatch }),
      visit: async ({ site, moments }) => {
        for (const path of site.paths) {
          const own = readers.get(path);
          if (own === undefined) continue;
          const norms = squaredNorms(weights.get(path) as Tensor, inputAxis(own.reader));
          const products = norms.map((norm, i) => (norm * moments.squares[i]!) / moments.count);
          scores.set(own.name, summed(products, own.each));
        }
        return undefined;
      },
    },
  );
  return scores;
};

/** What of x [..., K], with its gradient, each unit of `each` inputs changes: squares, summed over rows. */
const squaredChange = (x: Value, g: Value, each: number): Value => {
  const product = mul(x, g);
  const k = x.shape.at(-1) as number;
  const rows = (x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  const change = sum(reshape(product, [rows, k / each, each]), [2]);
  return sum(mul(change, change), [0]);
};

/** The program of one shape of batch: for each reader's units the squared change of the loss, by token. */
const taylorProgram = (
  model: Model,
  units: readonly Units[],
  { objective, like }: { readonly objective: Objective; readonly like: Feeds },
) => {
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const types = Object.fromEntries(
    units.map(({ reader: { path } }): [string, TensorType] => {
      const { dtype, shape } = weights.get(path)!;
      return [path, { dtype, shape }];
    }),
  );
  return trace({ batch: typesOf([like]), w: types }, ({ batch, w }) => {
    const params = asParams(model.weights, new Map(Object.entries(w)));
    const { total } = batchTotals(model, params, objective, batch);
    const read = new Map(
      sitesOf({ inputs: w, outputs: total }).flatMap(({ x, paths }) =>
        paths.map((path) => [path, x] as const),
      ),
    );
    const inputs = Object.fromEntries(units.map(({ reader: { path } }) => [path, read.get(path)!]));
    const g = grad(total, inputs) as Readonly<Record<string, Value>>;
    const each = units.map(({ reader: { path }, each: width }) => [
      path,
      squaredChange(inputs[path]!, g[path]!, width),
    ]);
    return { change: Object.fromEntries(each) as Readonly<Record<string, Value>> };
  });
};

const byGradient = async (
  engine: Engine,
  model: Model,
  units: readonly Units[],
  { lesson, signal, onBatch }: ImportanceOptions,
): Promise<UnitScores> => {
  if (lesson === undefined || lesson.batches.length === 0) throw noText("taylor");
  const { objective, batches } = lesson;
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const scores: UnitScores = new Map(units.map(({ name, count }) => [name, new Float64Array(count)]));
  const sessions = byShape((like) =>
    compile(engine, taylorProgram(model, units, { objective, like }), { idle: "sleep" }),
  );
  const given = units.map(({ reader: { path } }) => [`w.${path}`, weights.get(path) as Tensor] as const);
  try {
    for (const [done, batch] of batches.entries()) {
      signal?.throwIfAborted();
      const session = await sessions.at(batch);
      const feeds = Object.entries({ ...batchFeeds(batch), ...Object.fromEntries(given) });
      const out = await session.run(Object.fromEntries(feeds.filter(([name]) => name in session.inputTypes)));
      for (const { name, reader } of units) {
        const own = scores.get(name)!;
        const change = out[`change.${reader.path}`]!.data;
        for (let i = 0; i < own.length; i++) own[i]! += Number(change[i]);
      }
      onBatch?.(done + 1, batches.length);
    }
  } finally {
    await sessions.dispose();
  }
  return scores;
};

const noText = (by: Importance): ConfigError =>
  new ConfigError(`by ${by} needs text, and there is none`, {
    field: "prune.importance",
    hint: "name text with --data, or choose --importance magnitude",
  });

/** Throws DataError naming a layer whose units count for what is not a number. */
const checkFinite = (units: readonly Units[], scores: UnitScores): void => {
  for (const { name, reader } of units) {
    if (scores.get(name)!.every(Number.isFinite)) continue;
    throw new DataError("has units whose importance is not a number", {
      tensor: reader.path,
      hint: "look at the weights of this layer and those before it",
    });
  }
};

/**
 * The importance of each unit. Throws ConfigError where a measure needs text and there is none, DataError
 * naming the layer where numbers are not finite.
 */
export const unitScores = async (
  engine: Engine,
  model: Model,
  units: readonly Units[],
  options: ImportanceOptions,
): Promise<UnitScores> => {
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const measure = {
    magnitude: async () => byMagnitude(units, weights),
    activation: () => byActivation(engine, model, units, options),
    taylor: () => byGradient(engine, model, units, options),
  };
  const scores = await measure[options.by]();
  checkFinite(units, scores);
  return scores;
};
