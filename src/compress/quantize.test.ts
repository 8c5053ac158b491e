import { describe, expect, test } from "vitest";
import type { Tensor } from "../ir/tensor.ts";
import { gpt2, gpt2Config } from "../models/gpt2.ts";
import { initialize, isPacked, type PackedWeight, type ParamSpec, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { flatten, type Tree } from "../util/tree.ts";
import { type QuantizeOptions, quantize, quantized } from "./quantize.ts";

const config = gpt2Config({ vocab_size: 20, n_positions: 8, n_embd: 8, n_layer: 1, n_head: 2 });
const weights = initialize(gpt2.params(config) as unknown as Tree<ParamSpec>, 1);
const model = { arch: gpt2, config, weights, history: [] };
const numbers = ({ data }: Tensor): number[] => Array.from(data as Uint8Array, Number);
const packedBy = (options: QuantizeOptions): Map<string, PackedWeight> =>
  new Map(
    Array.from(flatten<Weight>(quantized(model, options).weights)).flatMap(([name, w]) =>
      isPacked(w) ? [[name, w] as const] : [],
    ),
  );

describe("quantized", () => {
  test("packs the matrices that the architecture names", () => {
    const names = [...gpt2.matrices(config).keys()].sort();
    expect([...packedBy({ bits: 8 }).keys()].sort()).toEqual(names);
    expect([...packedBy({ bits: 4 }).keys()].sort()).toEqual(names);
  });

  test("unsigned numbers are the signed ones, 128 higher, under the same scales", () => {
    const signed = packedBy({ bits: 8 });
    for (const [name, { parts }] of packedBy({ bits: 8, unsigned: true })) {
      const other = signed.get(name)!.parts;
      expect(parts.q!.dtype).toBe("uint8");
      expect(numbers(parts.q!)).toEqual(numbers(other.q!).map((q) => q + 128));
      expect(parts.scale).toEqual(other.scale);
    }
  });

  test("says what it did, and refuses what is packed already or makes no sense", () => {
    expect(quantized(model, { bits: 8, unsigned: true }).history).toEqual([
      { name: "quantize", options: { bits: 8, unsigned: true } },
    ]);
    expect(quantize({ bits: 8 }).options).toEqual({ bits: 8 });
    expect(() => quantized(quantized(model, { bits: 8 }), { bits: 4 })).toThrow(/is int8 already/);
    expect(() => quantize({ bits: 4, unsigned: true })).toThrow(ConfigError);
    const broken = structuredClone(weights) as unknown as { transformer: { wte: { weight: Tensor } } };
    broken.transformer.wte.weight.data[5] = Number.NaN;
    const made = () => quantized({ ...model, weights: broken as unknown as Tree<Weight> }, { bits: 4 });
    expect(made).toThrow(/tensor "transformer.wte.weight": has the value NaN/);
    expect(() => quantize({ bits: 2 as 4 })).toThrow(/must be 8 or 4/);
  });
});
