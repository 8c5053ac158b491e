/**
 * SmoothQuant (Xiao et al. 2022, https://arxiv.org/abs/2211.10438;
 * https://github.com/mit-han-lab/smoothquant,
 * smooth.py): inputs that are far stronger than others are made weaker, and their weights larger by as much,
 * so that a row of inputs bears one scale of 8 bits. Scales are max|x|^alpha / max|w|^(1 - alpha) for each
 * input; they go into what stands in front, where that can take them (folds.ts), so nothing is added to the
 * program and its outputs stay what they are.
 */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten } from "../../util/tree.ts";
import { matrixOf } from "../matrix.ts";
import { derived, type Pass } from "../pass.ts";
import { calibrationBatches } from "./batches.ts";
import { type Folded, foldFinder, withFolds } from "./folds.ts";
import { largestWeights, rangesAt } from "./ranges.ts";
import { walkable } from "./walk.ts";

/** How far outliers move into the weights. */
export interface SmoothOptions {
  /** 0: not at all; 1: all inputs become alike; 0.5 unless told. */
  readonly alpha?: number;
}

/** A model with its outliers moved, and at how many of its sites something could take them. */
export interface Smoothed {
  readonly model: Model;
  readonly folded: number;
  readonly sites: number;
}

/** Moves outliers of activations into the weights of a dense model, on batches of token ids [B, T]. */
export const smoothed = async (
  engine: Engine,
  model: Model,
  batches: readonly Tensor[],
  { alpha = 0.5 }: SmoothOptions = {},
): Promise<Smoothed> => {
  if (!(alpha >= 0 && alpha <= 1)) {
    throw new ConfigError(`must be from 0 to 1, not ${alpha}`, { field: "smoothQuant.alpha" });
  }
  const way = walkable(model, batches);
  const known = packable(model.arch.linears(model.config));
  const ranges = await rangesAt(engine, way);
  const fold = foldFinder(model, way);
  const folds = way.sites.flatMap((site, i): Folded[] => {
    const found = fold(site);
    if (found === undefined) return [];
    const matrices = site.paths.map((path) => matrixOf(path, way.matrices[path]!, known.get(path)!.layout));
    const { below, above } = ranges[i]!;
    const scales = Float64Array.from(largestWeights(matrices), (w, j) => {
      const x = Math.max(below[j]!, above[j]!);
      return x > 0 && w > 0 ? Math.max(1e-5, x ** alpha / w ** (1 - alpha)) : 1;
    });
    return [{ fold: found, paths: site.paths, scales }];
  });
  return { model: withFolds(model, folds), folded: folds.length, sites: way.sites.length };
};

/** The pass of `smoothed`. Throws ConfigError where there are no texts to look at. */
export const smoothQuant = (options: SmoothOptions = {}): Pass => {
  const pass = { name: "smoothQuant", options: { alpha: options.alpha ?? 0.5 } };
  return {
    ...pass,
    async run(model, { engine, calibration, log }) {
      if (calibration === undefined) {
        throw new ConfigError("looks at what layers read, and there is no text to show them", {
          field: "smoothQuant",
        });
      }
      const batches = calibrationBatches(model, calibration, TOKENS);
      const { model: changed, folded, sites } = await smoothed(engine, model, batches, options);
      log(`outliers moved at ${folded} of ${sites} inputs; nothing takes them at the others`);
      return derived(model, pass, { weights: changed.weights });
    },
  };
};

/** Tokens that the pass looks at, at most. */
const TOKENS = 4096;

/** A dense model whose norms' gains are in the products behind them: they are 1 where nothing else reads. */
export const normsFolded = (model: Model, batches: readonly Tensor[]): Model => {
  const way = walkable(model, batches);
  const fold = foldFinder(model, way);
  const weights = flatten<Weight>(model.weights);
  const folds = way.sites.flatMap((site): Folded[] => {
    const found = fold(site);
    const gain = weights.get(found?.vectors[0] ?? "");
    if (found === undefined || gain === undefined || isPacked(gain)) return [];
    // What is 0 stays 0: there is nothing to divide by.
    const scales = Float64Array.from(gain.data as Float32Array, (g) => (g === 0 ? 1 : g));
    return [{ fold: found, paths: site.paths, scales }];
  });
  return withFolds(model, folds);
};
