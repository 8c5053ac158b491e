import fc from "fast-check";
import { expect, test } from "vitest";
import { gpt2, gpt2Config } from "../models/decoders/gpt2.ts";
import { packable } from "../models/linears.ts";
import { initialize } from "../nn/param.ts";
import { packedBytes } from "./packedSize.ts";
import { wideWithin } from "./within.ts";

const config = gpt2Config({ vocab_size: 90, n_positions: 16, n_embd: 64, n_layer: 3, n_head: 2 });
const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1) };
const paths = [...packable(gpt2.linears(config)).keys()];
const bytesOf = (wide: readonly string[]): number => packedBytes(model, { bits: 4, wide });
const [least, most] = [bytesOf([]), bytesOf(paths)];

test("as many matrices keep 8 bits as fit, those first that 4 bits cost most a param", () => {
  const costs = fc.array(fc.double({ min: 1e-6, max: 1, noNaN: true }), {
    minLength: paths.length,
    maxLength: paths.length,
  });
  fc.assert(
    fc.property(costs, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(), (drawn, share, at) => {
      const groups = paths
        .map((path, i) => ({ paths: [path], params: 64 * 64, cost: drawn[i]! }))
        .sort((a, b) => a.cost - b.cost);
      const maxBytes = least + share * (most - least);
      const wide = wideWithin(model, groups, { maxBytes });
      expect(bytesOf(wide)).toBeLessThanOrEqual(maxBytes);
      for (const path of paths) {
        if (!wide.includes(path)) expect(bytesOf([...wide, path])).toBeGreaterThan(maxBytes);
      }
      const own = paths[at % paths.length]!;
      expect(wideWithin(model, groups, { maxBytes: 0, always: [own] })).toEqual([own]);
    }),
    { numRuns: 8, seed: 1 },
  );
  expect(wideWithin(model, [], { maxBytes: most, always: paths })).toEqual([...paths].sort());
});
