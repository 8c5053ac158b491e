/**
 * Steps of a product's inputs that are fixed beforehand, each input by its own, as SmoothQuant (Xiao et al.
 * 2022, https://arxiv.org/abs/2211.10438) divides the work: an input that is strong takes longer steps, and
 * its weights are as much larger before they are rounded. What is strong with strong weights still makes
 * the steps of all others long: a few such inputs may stand apart, in float32.
 */
import type { Engine } from "../engine/engine.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import type { InputSteps } from "../ops/int8Steps.ts";
import { rng } from "../util/rng.ts";
import { calibrationBatches } from "./calibration/batches.ts";
import { type InputRange, largestWeights, rangesAt } from "./calibration/ranges.ts";
import { walkable } from "./calibration/walk.ts";
import { type Matrix, matrixOf } from "./matrix.ts";
import type { Ids } from "./probe.ts";

/** Tokens that are read at most. */
const TOKENS = 4096;
/** Tokens that are drawn besides: of what no text has shown numbers go farther, and would be cut off. */
const DRAWN = 1024;
/**
 * How far an input's reach moves into its weights: 1 gives all inputs the same number of codes. Of MiniLM-L6
 * 0.5 costs seven times what 0.75 and 0.9 do.
 */
const ALPHA = 0.75;

/** Numbers that are 0 or next to it as a little of the largest. */
const floored = (values: Float32Array): Float32Array => {
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return values.map((v) => Math.max(v, 1e-4 * most, 1e-30));
};

/** The `count` inputs that would need the longest span of codes, ascending. */
const longest = (most: Float32Array, weights: Float32Array, count: number): number[] => {
  const spans = most.map((v, i) => v * weights[i]!);
  const order = Array.from(spans.keys()).sort((a, b) => spans[b]! - spans[a]! || a - b);
  return order.slice(0, count).sort((a, b) => a - b);
};

/**
 * The steps of what `matrices` read together, `count` inputs apart. An input counts its largest number to
 * the power of alpha, over its largest weight to that of 1 - alpha, as in SmoothQuant; codes of all inputs
 * then span what any needs.
 */
export const stepsFor = (
  { below, above }: InputRange,
  matrices: readonly Matrix[],
  count = 0,
): Required<InputSteps> => {
  const most = floored(below.map((v, i) => Math.max(v, above[i]!)));
  const weights = floored(largestWeights(matrices));
  const shares = most.map((v, i) => v ** ALPHA / weights[i]! ** (1 - ALPHA));
  const strong = longest(most, weights, count);
  const apart = new Set(strong);
  let [low, high] = [0, 0];
  for (const [i, share] of shares.entries()) {
    if (apart.has(i)) continue;
    low = Math.max(low, below[i]! / share);
    high = Math.max(high, above[i]! / share);
  }
  const span = Math.max(low + high, 1e-30);
  return {
    steps: Array.from(shares, (share, i) => (apart.has(i) ? 1 : Math.fround((share * span) / 255))),
    zero: Math.round((255 * low) / span),
    strong,
  };
};

/** Ids of a whole vocabulary in batches as large as `like`. */
const drawn = ({ shape, data }: Tensor, vocab: number): Tensor[] => {
  const random = rng(1, "ranges");
  return Array.from({ length: Math.ceil(DRAWN / data.length) }, () =>
    tensor(
      "int32",
      shape,
      Int32Array.from({ length: data.length }, () => random.int(vocab)),
    ),
  );
};

/** Steps of all inputs of a product, and those where some stand apart. */
export interface PlaceSteps {
  readonly fixed: InputSteps;
  readonly apart: Required<InputSteps>;
}

/**
 * The steps of a dense model's inputs on texts given as token ids, by the paths of what multiplies them:
 * where none stands apart, and where as many do as `apart` says of `k` inputs.
 */
export const inputSteps = async (
  engine: Engine,
  model: Model,
  texts: Ids,
  apart: (k: number) => number,
): Promise<ReadonlyMap<string, PlaceSteps>> => {
  const batches = calibrationBatches(model, texts, TOKENS);
  const way = walkable(model, [...batches, ...drawn(batches[0]!, model.config.vocab_size)]);
  const known = packable(model.arch.linears(model.config));
  const ranges = await rangesAt(engine, way);
  return new Map(
    way.sites.flatMap(({ paths }, i) => {
      const matrices = paths.map((path) => matrixOf(path, way.matrices[path]!, known.get(path)!.layout));
      const range = ranges[i]!;
      const steps: PlaceSteps = {
        fixed: stepsFor(range, matrices),
        apart: stepsFor(range, matrices, apart(matrices[0]!.k)),
      };
      return paths.map((path) => [path, steps] as const);
    }),
  );
};
