import { expect, test } from "vitest";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { nextWeights, proxyMix } from "./proxyMix.ts";

/** Symbols 0 to 15 are of the structured source, 16 to 23 of noise, 24 of the constant one. */
const VOCAB = 25;
const SYMBOLS = 16;
const LENGTH = 20_000;

/** Symbols that say nothing of each other. */
const noise = (seed: number) => {
  const random = rng(seed, "noise");
  return Uint32Array.from({ length: LENGTH }, () => SYMBOLS + random.int(8));
};

/** One symbol for ever: learnt at once. */
const constant = () => new Uint32Array(LENGTH).fill(24);

/** Each symbol is followed by one of two, which two depending on the one before: takes long to learn. */
const structured = (seed: number) => {
  const random = rng(seed, "structure");
  const follow = Array.from({ length: SYMBOLS ** 2 }, () => [random.int(SYMBOLS), random.int(SYMBOLS)]);
  const tokens = new Uint32Array(LENGTH);
  for (let i = 2; i < LENGTH; i++) {
    tokens[i] = follow[tokens[i - 2]! * SYMBOLS + tokens[i - 1]!]![random.uniform() < 0.9 ? 0 : 1]!;
  }
  return tokens;
};

const model = () => {
  const config = gpt2Config({
    vocab_size: VOCAB,
    n_positions: 16,
    n_embd: 32,
    n_layer: 2,
    n_head: 2,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
  });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
};

test("weights move to the sources that are behind, and none becomes 0", () => {
  const next = nextWeights([0.5, 0.5], [1, 0], { rate: 1, smoothing: 0 });
  expect(next[0]! / next[1]!).toBeCloseTo(Math.E, 10);
  let weights: number[] = [1 / 3, 1 / 3, 1 / 3];
  for (let i = 0; i < 500; i++) weights = nextWeights(weights, [5, 0, 1], { smoothing: 1e-3 });
  expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 10);
  expect(Math.min(...weights)).toBeGreaterThan(3e-4);
});

test("noise and what is learnt at once get less than what takes learning; twice the same", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const sources = [
    { name: "noise", tokens: noise(1) },
    { name: "constant", tokens: constant() },
    { name: "structured", tokens: structured(1) },
  ];
  const options = { steps: 150, batch: 8, context: 16, lrPeak: 5e-3 };
  const result = await proxyMix(engine, model(), sources, options);
  const [a, b, c] = result.map(({ weight }) => weight);
  expect(a! + b! + c!).toBeCloseTo(1, 6);
  expect(c!).toBeGreaterThan(0.6);
  expect(a!).toBeLessThan(0.2);
  expect(b!).toBeLessThan(0.2);
  expect(result[2]!.proxyLoss).toBeLessThan(result[2]!.referenceLoss);
  const short = { ...options, steps: 5 };
  const once = await proxyMix(engine, model(), sources, short);
  expect(await proxyMix(engine, model(), sources, short)).toEqual(once);
});

test("wrong options are refused", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const one = [{ name: "a", tokens: noise(1) }];
  await expect(proxyMix(engine, model(), one, { context: 16 })).rejects.toThrow(/two sources/);
  const tiny = [...one, { name: "b", tokens: new Uint32Array(3) }];
  await expect(proxyMix(engine, model(), tiny, { context: 16 })).rejects.toThrow(/one window/);
  const two = [...one, { name: "b", tokens: noise(2) }];
  await expect(proxyMix(engine, model(), two, { context: 16, rate: 0 })).rejects.toThrow(/rate/);
  const signal = AbortSignal.abort();
  await expect(proxyMix(engine, model(), two, { context: 16, signal })).rejects.toThrow(/abort/i);
});
