/** Forms of 4 bits that fit a limit on size: more in 8 bits where there is room, longer blocks where there is none. */
import { expect, test } from "vitest";
import { leastBlock, packedBytes } from "../src/compress/packedSize.ts";
import { quantize } from "../src/compress/quantize.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import { initialize, isPacked, type Packed, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { fittedTo } from "../src/search/candidates/fitted.ts";
import { entries } from "../src/util/tree.ts";

const engine = await nodeEngine({ threads: 1 });
const config = gpt2Config({ vocab_size: 60, n_positions: 32, n_embd: 128, n_layer: 2, n_head: 2 });
const dense = { arch: gpt2, config, weights: initialize(gpt2.params(config), 3), history: [] };
const calibration = [Array.from({ length: 30 }, (_, i) => (7 * i) % 60)];
const context = { engine, seed: 1, calibration, log: () => {} };

const packedIn = (weights: typeof dense.weights): Packed<unknown>[] =>
  Array.from(entries<Weight>(weights), ([, w]) => w).filter(isPacked) as Packed<unknown>[];

test("the least is foretold by blocks of no more than matrices have inputs", () => {
  const narrow = gpt2Config({ vocab_size: 60, n_positions: 32, n_embd: 32, n_layer: 2, n_head: 2 });
  const model = { arch: gpt2, config: narrow, weights: initialize(gpt2.params(narrow), 3) };
  expect(leastBlock(dense)).toBe(128);
  expect(packedBytes(model, { bits: 4, block: 128 })).toBeGreaterThan(packedBytes(model, { bits: 4 }));
  expect(leastBlock(model)).toBe(32);
});

test("blocks grow until all of 4 bits fits", async () => {
  const form = (bits: 4 | 8) => quantize({ bits }).run(dense, context);
  const base = { name: "full", dense, forms: { fp32: dense, q4: await form(4), q8: await form(8) } };
  const bytesIn = (weights: typeof dense.weights): number =>
    Array.from(entries<Weight>(weights), ([, w]) => (isPacked(w) ? Object.values(w.parts) : [w]))
      .flat()
      .reduce((sum, t) => sum + (t as { data: { byteLength: number } }).data.byteLength, 0);
  const sizes = { q4: bytesIn(base.forms.q4.weights as never), q8: bytesIn(base.forms.q8.weights as never) };
  const least = (block: number): number => packedBytes(dense, { bits: 4, block });
  const formFor = async (limit: number) => {
    const found = await fittedTo(base, { limit, sizes }, context);
    const weights = found?.forms.q4?.weights as typeof dense.weights | undefined;
    return weights === undefined ? undefined : { weights, bytes: bytesIn(weights) };
  };
  const size = (part: unknown): number => (part as { data: { length: number } }).data.length;
  // Two codes a byte, a scale a block.
  const blocksOf = (weights: typeof dense.weights): number[] => {
    const own = packedIn(weights).filter(({ kind }) => kind.name === "int4");
    return [...new Set(own.map(({ parts: { q, scale } }) => (2 * size(q)) / size(scale)))];
  };
  const roomy = (await formFor((sizes.q4 + sizes.q8) / 2))!;
  expect(roomy.bytes).toBeLessThanOrEqual((sizes.q4 + sizes.q8) / 2);
  expect(blocksOf(roomy.weights)).toEqual([32]);
  const [wide, middle, long] = [least(32), least(64), least(128)];
  for (const [limit, block] of [
    [0.5 * (wide + middle), 64],
    [0.5 * (middle + long), 128],
  ] as const) {
    const found = (await formFor(limit))!;
    expect(blocksOf(found.weights)).toEqual([block]);
    expect(found.bytes).toBeLessThanOrEqual(1.002 * limit);
  }
  expect(await formFor(0.98 * long)).toBeUndefined();
});
