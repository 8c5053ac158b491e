/**
 * What a training step takes of memory, by a formula: weights, gradients, the optimizer's state, activations
 * and what the head's loss is made of. It is what must be there at the peak; an engine takes more.
 */
import { type Dim, sizeOf, type TensorType } from "../ir/tensor.ts";
import type { Architecture, ModelConfig } from "../models/model.ts";
import type { Optimizer } from "../optim/transform.ts";
import { flatten, leaves, type Tree } from "../util/tree.ts";
import { IN_THREE } from "./stepper.ts";

// B batch, T time, C channels, H heads, V vocabulary

/** A step of which the memory is asked. */
export interface StepShape {
  /** Rows and tokens of a row of a micro-batch. */
  readonly batch: number;
  readonly context: number;
  readonly accumulate?: number;
  readonly recompute?: boolean;
  /** Rows of a micro-batch that the language-model head reads: all of them unless told. */
  readonly headRows?: number;
  /** Rows of the head's logits that are there at once: all unless told. */
  readonly lossRows?: number;
  readonly optimizer: Optimizer;
  /** The types of what trains, by name: all weights unless told. */
  readonly trained?: Tree<TensorType>;
}

/** Bytes of a step's memory, by what they are for. */
export interface StepMemory {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  /** What the head's loss holds at once: logits, and sums of its gradients. */
  readonly head: number;
  readonly total: number;
}

const FLOAT = 4;

const bytesOf = (types: Tree<TensorType>): number =>
  leaves<TensorType>(types).reduce((sum, { shape }) => sum + FLOAT * sizeOf(shape), 0);

/** Width of the model and of all its heads together, by the matrix that attention ends with. */
const widthsOf = (arch: Architecture, config: ModelConfig, shapes: ReadonlyMap<string, TensorType>) => {
  const info = arch.linears(config).find(({ role }) => role === "o");
  const [a, b] = (info === undefined ? [0, 0] : shapes.get(info.path)!.shape) as readonly number[];
  return info?.layout === "kn" ? { width: b!, inner: a! } : { width: a!, inner: b! };
};

/**
 * Numbers that the backward pass reads of a layer: 16 C + H T a token, as Korthikanti et al. 2022 count
 * without dropout (https://arxiv.org/abs/2205.05198).
 */
const layerSize = (
  arch: Architecture,
  config: ModelConfig,
  { batch, context }: StepShape,
  { width, inner }: { readonly width: number; readonly inner: number },
): number => {
  const heads = inner / arch.cache(config).headWidth;
  return batch * context * (16 * width + heads * context);
};

/**
 * Of the head's loss: numbers at its peak, beside the gradients that are counted as such. Logits become their
 * softmax, and that what flows to them, where they lie. The gradients of a head that trains are one more
 * matrix where they are added up: to those of the embedding that it is, and chunk by chunk.
 */
const headSize = (
  config: ModelConfig,
  { batch, context, lossRows, headRows: rows = batch * context }: StepShape,
  { width, trains }: { readonly width: number; readonly trains: boolean },
): number => {
  const [vocab, matrix] = [config.vocab_size, trains ? config.vocab_size * width : 0];
  if (lossRows === undefined || lossRows >= rows) return rows * vocab + matrix;
  return lossRows * vocab + 2 * matrix + rows * width;
};

/**
 * Bytes of a training step at its peak. Params are there beside the model's own weights, unless they are
 * trained where those lie; where the step is one graph, as for optimizers that look at whole tensors, they
 * and the state are there once more (see `compileStep`). Activations are those of all layers, of one layer
 * and the layers' beginnings with recompute, and once more of a layer whose gradients are being made, where
 * that is more than the head's.
 */
export const stepMemory = (arch: Architecture, config: ModelConfig, step: StepShape): StepMemory => {
  const specs = arch.params(config) as Tree<TensorType>;
  const shapes = flatten<TensorType>(specs);
  const { trained = specs, recompute = false, accumulate = 1 } = step;
  const widths = widthsOf(arch, config, shapes);
  const { layers } = arch.cache(config);
  const layer = layerSize(arch, config, step, widths);
  const beginning = step.batch * step.context * widths.width;
  const kept = recompute ? layer + (layers - 1) * beginning : layers * layer;
  const isLanguage = arch.linears(config).some(({ reads, role }) => role === "head" || reads === "head");
  const trains = leaves<TensorType>(trained).some(({ shape }) => shape[0] === (config.vocab_size as Dim));
  const head = isLanguage ? headSize(config, step, { width: widths.width, trains }) : 0;
  const [gradients, state] = [bytesOf(trained), bytesOf(step.optimizer.state(trained))];
  const isTaken = accumulate > 1 || gradients > FLOAT * IN_THREE;
  const sets = isTaken || step.optimizer.elementwise ? 1 : 2;
  const parts = {
    weights: bytesOf(specs) + (isTaken ? 0 : sets * gradients),
    gradients,
    optimizer: sets * state,
    activations: FLOAT * (kept + Math.max(0, layer - head)),
    head: FLOAT * head,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, bytes) => sum + bytes, 0) };
};
