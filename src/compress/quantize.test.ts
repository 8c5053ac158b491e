import { describe, expect, test } from "vitest";
import type { Tensor } from "../ir/tensor.ts";
import { gpt2, gpt2Config } from "../models/decoders/gpt2.ts";
import { packable } from "../models/linears.ts";
import { kinds } from "../nn/kinds/index.ts";
import { initialize, isPacked, type PackedWeight, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { flatten } from "../util/tree.ts";
import { type QuantizeOptions, quantize, quantized } from "./quantize.ts";

const config = gpt2Config({ vocab_size: 20, n_positions: 8, n_embd: 8, n_layer: 1, n_head: 2 });
const weights = initialize(gpt2.params(config), 1);
const model = { arch: gpt2, config, weights, history: [] };
const numbers = (part: unknown): number[] => Array.from((part as Tensor).data as Uint8Array, Number);
const packedBy = (options: QuantizeOptions): Map<string, PackedWeight> =>
  new Map(
    Array.from(flatten<Weight>(quantized(model, options).weights)).flatMap(([name, w]) =>
      isPacked(w) ? [[name, w] as const] : [],
    ),
  );

describe("quantized", () => {
  test("packs the matrices that the architecture names", () => {
    const names = [...packable(gpt2.linears(config)).keys()].sort();
    expect([...packedBy({ bits: 8 }).keys()].sort()).toEqual(names);
    expect([...packedBy({ bits: 4 }).keys()].sort()).toEqual(names);
  });

  test("unsigned numbers are the signed ones, 128 higher, under the same scales", () => {
    const signed = packedBy({ bits: 8 });
    for (const [name, { parts }] of packedBy({ bits: 8, unsigned: true })) {
      const other = signed.get(name)!.parts;
      expect(Object.keys(parts)).toEqual(["q", "scale"]);
      expect(parts.q!.dtype).toBe("uint8");
      expect(numbers(parts.q!)).toEqual(numbers(other.q!).map((q) => q + 128));
      expect(parts.scale).toEqual(other.scale);
    }
  });

  test("wide ones take 8 bits, the others 4, each as it is without the others", () => {
    const wide = ["transformer.wte.weight", "transformer.h.0.mlp.c_proj.weight"];
    const [four, eight] = [packedBy({ bits: 4 }), packedBy({ bits: 8 })];
    const mixed = packedBy({ bits: 4, wide });
    expect([...mixed.keys()]).toEqual([...four.keys()]);
    for (const [name, weight] of mixed) {
      expect(weight, name).toEqual((wide.includes(name) ? eight : four).get(name));
    }
    expect(
      [...mixed]
        .filter(([, w]) => w.kind === kinds.int8)
        .map(([name]) => name)
        .sort(),
    ).toEqual(wide.sort());
  });

  test("wide ones are in the history, and go with 4 bits and the model's matrices only", () => {
    const wide = ["transformer.wte.weight"];
    const options = { bits: 4, wide } as const;
    expect(quantized(model, options).history).toEqual([{ name: "quantize", options }]);
    expect(quantize(options)).toMatchObject({ name: "quantize", options });
    expect(quantized(model, { bits: 4, wide: [] }).history).toEqual([
      { name: "quantize", options: { bits: 4 } },
    ]);
    expect(() => quantize({ bits: 8, wide })).toThrow(/quantize.wide.*goes with 4 bits only/);
    const strange = { bits: 4, wide: ["transformer.wpe.weight"] } as const;
    expect(() => quantized(model, strange)).toThrow(ConfigError);
    expect(() => quantized(model, strange)).toThrow(/quantize.wide.*transformer.wpe.weight is no matrix/);
  });

  test("says what it did, and refuses what is packed already or makes no sense", () => {
    expect(quantized(model, { bits: 8, unsigned: true }).history).toEqual([
      { name: "quantize", options: { bits: 8, unsigned: true } },
    ]);
    expect(quantize({ bits: 8 }).options).toEqual({ bits: 8 });
    expect(() => quantized(quantized(model, { bits: 8 }), { bits: 4 })).toThrow(/is int8 already/);
    expect(() => quantize({ bits: 4, unsigned: true })).toThrow(ConfigError);
    const broken = structuredClone(weights) as { transformer: { wte: { weight: Tensor } } };
    broken.transformer.wte.weight.data[5] = Number.NaN;
    const made = () => quantized({ ...model, weights: broken }, { bits: 4 });
    expect(made).toThrow(/tensor "transformer.wte.weight": has the value NaN/);
    expect(() => quantize({ bits: 3 as 4 })).toThrow(/must be 8, 4 or 2/);
  });
});
