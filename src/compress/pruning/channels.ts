/**
 * The width of hidden states, cut for all layers alike (Muralidharan et al. 2024, https://arxiv.org/abs/2407.14679):
 * channels stay that matrices read most of. Norms divide by the size of the channels that there are: each is
 * scaled by how much of that the ones that stay had.
 */
import type { Engine } from "../../engine/engine.ts";
import { isConstant, type Value } from "../../ir/op.ts";
import { type Tensor, type TensorType, tensor } from "../../ir/tensor.ts";
import type { LinearInfo } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import type { Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { type Stop, survey, walkable } from "../calibration/walk.ts";
import { matrixOf } from "../matrix.ts";
import { derived } from "../pass.ts";
import { requireDense } from "./chooseUnits.ts";
import { gathered } from "./gathered.ts";

/** Channels are kept in multiples of this, so that blocks of few bits stay whole, where there are enough. */
const ROUND = 32;

/**
 * The field of a config that says how wide hidden states are. Throws ConfigError where that ties heads too.
 */
export const widthField = ({ arch }: Model): string => {
  const { hidden } = arch.widths;
  if (hidden !== undefined) return hidden;
  throw new ConfigError(
    `of ${arch.name} cannot be cut: its heads' widths add up to it, or a stack reads it`,
    {
      field: "prune.width",
      hint: "cut --neurons or --layers",
    },
  );
};

/** The channels of a model's hidden states. Throws as `widthField`. */
export const channelsOf = (model: Model): number =>
  Number((model.config as Readonly<Record<string, unknown>>)[widthField(model)]);

/** How many channels stay of a share or a number of them. Throws ConfigError for what is neither. */
export const channelsToKeep = (model: Model, asked: number): number => {
  const all = channelsOf(model);
  const isShare = asked > 0 && asked < 1;
  if (!isShare && !(Number.isInteger(asked) && asked >= 1 && asked <= all)) {
    throw new ConfigError(`must be a share between 0 and 1 or a number from 1 to ${all}, not ${asked}`, {
      field: "prune.width",
      hint: `0.75 keeps three quarters of the model's ${all} channels`,
    });
  }
  const exact = isShare ? asked * all : asked;
  const round = isShare && exact >= 2 * ROUND ? ROUND : 1;
  return Math.max(1, Math.round(exact / round) * round);
};

/** What is known of channels: how much is read of each, and how strong each norm's are before its weight. */
interface Channels {
  readonly scores: Float64Array;
  readonly strengths: ReadonlyMap<string, Float64Array>;
}

/** The path of the weight of the norm that gives a value. */
const normOf = (x: Value): string | undefined => {
  let { node } = x;
  while (node.op.name === "reshape") ({ node } = node.inputs[0]!);
  const scale = node.op.name === "rmsNorm" ? node.inputs[1]!.node : undefined;
  return scale !== undefined && isConstant(scale) ? scale.attrs.name : undefined;
};

/** Adds what a site's matrices [K, N] read of each channel, as a share of what they read of all. */
const addRead = (
  scores: Float64Array,
  squares: Float64Array,
  matrices: readonly (readonly [LinearInfo, Tensor])[],
): void => {
  const weights = new Float64Array(squares.length);
  for (const [{ path, layout }, w] of matrices) {
    const { k, n, stepK, stepN } = matrixOf(path, w, layout);
    const data = w.data as Float32Array;
    for (let i = 0; i < k; i++) for (let j = 0; j < n; j++) weights[i]! += data[i * stepK + j * stepN]! ** 2;
  }
  const read = weights.map((w, i) => w * squares[i]!);
  const all = read.reduce((a, b) => a + b, 0);
  if (all > 0) for (let i = 0; i < scores.length; i++) scores[i]! += read[i]! / all;
};

/** What is read of each channel on token ids [B, T] int32 of one shape. Throws as `walk`. */
const channelsRead = async (engine: Engine, model: Model, batches: readonly Tensor[]): Promise<Channels> => {
  const infos = new Map(model.arch.linears(model.config).map((info) => [info.path, info]));
  const tensors = flatten<Weight>(model.weights as Tree<Weight>);
  const [scores, strengths] = [new Float64Array(channelsOf(model)), new Map<string, Float64Array>()];
  const look = ({ site, moments: { squares } }: Stop): void => {
    const norm = normOf(site.x);
    if (norm === undefined || squares.length !== scores.length) return;
    addRead(
      scores,
      squares,
      site.paths.map((path) => [infos.get(path)!, tensors.get(path) as Tensor]),
    );
    const scale = (tensors.get(norm) as Tensor).data as Float32Array;
    strengths.set(
      norm,
      squares.map((s, i) => (scale[i] === 0 ? 0 : s / scale[i]! ** 2)),
    );
  };
  const visit = async (stop: Stop) => {
    look(stop);
    return undefined;
  };
  await survey(engine, walkable(model, batches), { gram: false, visit });
  return { scores, strengths };
};

/** By how much a norm's weight grows where `kept` channels stay of those that are so strong. */
const ratioOf = (strengths: Float64Array, kept: readonly number[]): number => {
  const all = strengths.reduce((a, b) => a + b, 0) / strengths.length;
  const left = kept.reduce((sum, i) => sum + strengths[i]!, 0) / kept.length;
  return all > 0 ? Math.sqrt(left / all) : 1;
};

/** A model of fewer channels, and which of the former ones they are. */
export interface Narrowed {
  readonly model: Model;
  readonly channels: readonly number[];
}

/**
 * The model with `keep` of its channels, chosen on token ids [B, T] int32 of one shape. Throws ConfigError
 * for packed weights and where the family's width ties more than hidden states, and as `walk`.
 */
export const narrowed = async (
  engine: Engine,
  model: Model,
  { keep, batches }: { readonly keep: number; readonly batches: readonly Tensor[] },
): Promise<Narrowed> => {
  requireDense(model.weights);
  const { arch } = model;
  const { scores, strengths } = await channelsRead(engine, model, batches);
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const channels = order.slice(0, keep).sort((a, b) => a - b);
  const config = arch.parse({ ...(model.config as object), [widthField(model)]: keep });
  const shapesOf = (c: unknown) => flatten<TensorType>(arch.params(c) as Tree<TensorType>);
  const [before, after] = [shapesOf(model.config), shapesOf(config)];
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const [from, to] = [before.get(path)!.shape, after.get(path)!.shape];
    const axes = from.flatMap((size, axis) => (size === to[axis] ? [] : [axis]));
    const cut = axes.reduce((t, axis) => gathered(t, axis, channels), w as Tensor);
    const own = strengths.get(path);
    if (own === undefined) return cut;
    const ratio = ratioOf(own, channels);
    return tensor(
      "float32",
      cut.shape,
      (cut.data as Float32Array).map((v) => v * ratio),
    );
  });
  const pass = { name: "narrow", options: { width: keep } };
  return { model: derived(model, pass, { config, weights }), channels };
};
