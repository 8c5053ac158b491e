import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { architectures } from "../../models/registry.ts";
import { initialize, type ParamSpec, type Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { denseMatrices } from "../probe.ts";
import { quantized } from "../quantize.ts";
import { calibrationBatches } from "./batches.ts";
import { foldFinder, withFolds } from "./folds.ts";
import { furthest, outputsOf } from "./outputs.fixture.ts";
import { normsFolded, smoothed, smoothQuant } from "./smooth.ts";
import { walkable } from "./walk.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const shape = {
  ...{ vocab_size: 40, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2 },
  ...{ intermediate_size: 64, max_position_embeddings: 32, initializer_range: 0.2 },
};
const texts = [Array.from({ length: 600 }, (_, i) => (i * i * 7 + (i % 13)) % 40)];

const squares = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);

/** The same function with three channels behind each norm a hundred times as strong. */
const planted = (model: Model, batches: readonly Tensor[]): Model => {
  const way = walkable(model, batches);
  const fold = foldFinder(model, way);
  const scales = Float64Array.from({ length: 32 }, (_, i) => (i % 11 === 3 ? 0.01 : 1));
  const folds = way.sites.flatMap((site) => {
    const found = fold(site);
    return found === undefined || found.vectors.length === 0
      ? []
      : [{ fold: found, paths: site.paths, scales }];
  });
  expect(folds.length).toBeGreaterThan(3);
  return withFolds(model, folds);
};

/** 8 bits for weights, and one digit of 8 bits for each row of inputs, whatever its outliers. */
const naive = (model: Model): Model => {
  const forms = new Map(
    Object.keys(denseMatrices(model)).map((path) => [path, { digits: 1 as const, strong: [] }]),
  );
  return quantized(model, { bits: 8 }, { forms });
};

describe.each(["gpt2", "llama"])("%s", (name) => {
  const arch = architectures[name]!;
  const { hidden_size: n_embd, num_hidden_layers: n_layer, num_attention_heads: n_head } = shape;
  const config = arch.parse({ model_type: name, ...shape, n_embd, n_layer, n_head, n_positions: 32 });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, 3);
  const model: Model = { arch, config, weights, history: [] };
  const batches = calibrationBatches(model, texts, 496);

  test("outliers that were planted cost inputs of 8 bits little once they are moved; outputs stay", async () => {
    const [ids] = batches;
    const strong = planted(model, batches);
    const dense = await outputsOf(engine, model, ids!);
    const context = { engine, seed: 1, calibration: texts, log: () => {} };
    const smooth = await smoothQuant().run(strong, context);
    expect(smooth.history).toEqual([{ name: "smoothQuant", options: { alpha: 0.5 } }]);
    for (const same of [strong, smooth]) {
      expect(furthest(await outputsOf(engine, same, ids!), dense)).toBeLessThan(
        1e-4 * Math.max(1, ...dense.map(Math.abs)),
      );
    }
    const [before, after] = [
      await outputsOf(engine, naive(strong), ids!),
      await outputsOf(engine, naive(smooth), ids!),
    ];
    expect(squares(after, dense)).toBeLessThan(0.2 * squares(before, dense));
    await expect(smoothed(engine, model, batches, { alpha: 2 })).rejects.toThrow(
      /smoothQuant.alpha.*from 0 to 1/,
    );
  });

  test("norms folded into the products behind them leave gains of 1 and the outputs as they were", async () => {
    const strong = planted(model, batches);
    const folded = normsFolded(strong, batches);
    const gains = [...flatten<Weight>(folded.weights)].filter(([path]) =>
      /(ln_\d|layernorm)\.weight$/.test(path),
    );
    expect(gains.length).toBe(4);
    for (const [path, gain] of gains) {
      expect(Array.from((gain as Tensor).data, Number), path).toEqual(new Array(32).fill(1));
    }
    const [before, after] = [
      await outputsOf(engine, strong, batches[0]!),
      await outputsOf(engine, folded, batches[0]!),
    ];
    expect(furthest(before, after)).toBeLessThan(1e-4 * Math.max(1, ...before.map(Math.abs)));
  });
});
