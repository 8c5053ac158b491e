import { expect, test } from "vitest";
import { exactly } from "../../metrics/metric.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import type { Model } from "../../models/model.ts";
import { countParams, initialize } from "../../nn/param.ts";
import { foreteller } from "./foretell.ts";
import { onnxFormat } from "./formats/onnx.ts";
import { formOf } from "./shape.ts";
import type { Shares } from "./speeds.ts";

const config = gpt2Config({ vocab_size: 64, n_positions: 16, n_embd: 32, n_head: 2, n_layer: 8 });
const dense: Model = {
  arch: gpt2,
  config,
  weights: initialize(gpt2.params(config) as never, 1),
  history: [],
};
const start = { name: "full", dense, forms: { fp32: dense } };

/** A place where a number takes a microsecond, or longer where something else goes on. */
const probe = async ({ weights }: Pick<Model, "weights">, slowed = 1) => {
  const ms = (slowed * countParams(weights)) / 1000;
  return { figures: { "here/p50Ms": exactly(ms), "here/tokensPerSec": exactly(1000 / ms) } };
};

test("speeds of all depths and widths come of two shapes, which are measured twice", async () => {
  const whole = await probe(dense);
  const sizes = new Map([["fp32", 4 * countParams(dense.weights)] as const]);
  const known = { start, format: onnxFormat, sizes, speeds: async () => whole.figures };
  const kept = new Map<string, Promise<Shares>>();
  let made = 0;
  const told = foreteller(known, {
    probe: (model) => {
      made++;
      return probe(model, made % 2 === 0 ? 1 : 9);
    },
    shares: (shape, make) => {
      const key = JSON.stringify(shape);
      if (!kept.has(key)) kept.set(key, make());
      return kept.get(key)!;
    },
  });
  for (const layers of [8, 5, 3, 2, 1]) {
    for (const neurons of [1, 0.75, 0.5, 0.25]) {
      const values = { layers, neurons, dtype: "fp32" };
      const found = await told.figures(values);
      const { figures } = await probe(formOf(known, values));
      expect(found["here/p50Ms"]).toBeCloseTo(figures["here/p50Ms"].value, 6);
      expect(found["here/tokensPerSec"]).toBeCloseTo(figures["here/tokensPerSec"].value, 6);
    }
  }
  expect(made).toBe(4);
  // Another search finds what was kept, as shares: of a start that is twice as slow today all is.
  const slower = { "here/p50Ms": exactly(2 * whole.figures["here/p50Ms"].value) };
  const today = foreteller(
    { start, format: onnxFormat, sizes, speeds: async () => slower },
    {
      probe: () => Promise.reject(new Error("measured anew")),
      shares: (shape) => kept.get(JSON.stringify(shape))!,
    },
  );
  const values = { layers: 3, neurons: 0.5, dtype: "fp32" };
  const [then, now] = [await told.figures(values), await today.figures(values)];
  expect(now["here/p50Ms"]).toBeCloseTo(2 * then["here/p50Ms"]!, 6);
});
