import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { tap } from "../../ir/tap.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { llama, llamaConfig } from "../../models/decoders/llama.ts";
import { bert, bertConfig } from "../../models/encoders/bert.ts";
import type { Model } from "../../models/model.ts";
import { initialize, isPacked, type ParamSpec, type Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { byColumn, matrixOf } from "../matrix.ts";
import { denseMatrices, matrixProgram } from "../probe.ts";
import { quantized, roundedModel } from "../quantize.ts";
import { dequantized } from "../rounding/codes.ts";
import { momentsOf, nearOf, type SecondMoments } from "../rounding/moments.ts";
import { calibrationBatches } from "./batches.ts";
import { modelCodes } from "./codes.ts";
import { furthest, outputsOf } from "./outputs.fixture.ts";
import { survey, walk, walkable } from "./walk.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** Weights of a seed, with strong channels behind the norms, as trained models have. */
const modelOf = (arch: Model["arch"], config: Model["config"]): Model => {
  const plain = initialize(arch.params(config) as Tree<ParamSpec>, 3);
  const weights = mapTree<Weight, Weight>(plain as Tree<Weight>, (w, path) => {
    if (isPacked(w) || w.shape.length !== 1) return w;
    const gain = (i: number): number => (/bias$/.test(path) ? 0.1 * Math.sin(i) : i % 11 === 3 ? 6 : 1);
    return {
      ...w,
      data: Float32Array.from(
        w.data as Float32Array,
        (v, i) => v * gain(i) + (/bias$/.test(path) ? gain(i) : 0),
      ),
    };
  });
  return { arch, config, weights, history: [] };
};

const shape = {
  vocab_size: 50,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  initializer_range: 0.2,
};
const families: Record<string, Model> = {
  gpt2: modelOf(
    gpt2,
    gpt2Config({
      vocab_size: 50,
      n_positions: 32,
      n_embd: 32,
      n_layer: 2,
      n_head: 4,
      initializer_range: 0.2,
    }),
  ),
  llama: modelOf(llama, llamaConfig({ ...shape, intermediate_size: 64, max_position_embeddings: 32 })),
  bert: modelOf(bert, bertConfig({ ...shape, intermediate_size: 64, max_position_embeddings: 32 })),
};
const texts = [Array.from({ length: 700 }, (_, i) => (i * i * 7 + (i % 13)) % 50)];

describe.each(Object.entries(families))("%s", (name, model) => {
  const batches = calibrationBatches(model, texts, 500);

  test("a walk finds the moments that the whole program's taps have, at each matrix that is multiplied by", async () => {
    const way = walkable(model, batches);
    const paths = way.sites.flatMap((site) => site.paths);
    const session = await compile(engine, tap(matrixProgram(model, batches[0]!, {}), paths));
    const rows = new Map<string, number[]>(paths.map((path) => [path, []]));
    for (const ids of batches) {
      const out = await session.run({ ids });
      for (const path of paths) rows.get(path)!.push(...Array.from(out[`taps.${path}`]!.data, Number));
    }
    const seen: string[] = [];
    await walk(engine, way, {
      gram: true,
      visit: async ({ site, moments }) => {
        const want = momentsOf(rows.get(site.paths[0]!)!, moments.k);
        expect(moments.count).toBe(want.count);
        const scale = Math.max(...want.squares);
        expect(
          furthest(Float32Array.from((moments as SecondMoments).gram), Float32Array.from(want.gram)),
        ).toBeLessThan(1e-4 * scale);
        seen.push(...site.paths);
        return undefined;
      },
    });
    expect(seen).toEqual(paths);
    await survey(engine, way, {
      gram: false,
      visit: async ({ site, moments }) => {
        const want = momentsOf(rows.get(site.paths[0]!)!, moments.k);
        const least = 1e-4 * Math.max(...want.squares);
        const off = (got: Float64Array, sums: Float64Array) =>
          furthest(Float32Array.from(got), Float32Array.from(sums));
        expect(off(moments.squares, want.squares)).toBeLessThan(least);
        expect(off(moments.near!, nearOf(want))).toBeLessThan(least);
        return undefined;
      },
    });
  });

  test("what replaces a matrix on the way is read by those behind it", async () => {
    const way = walkable(model, batches);
    const first = way.sites[0]!.paths[0]!;
    const w = denseMatrices(model)[first]!;
    const zeros = tensor("float32", w.shape, new Float32Array(w.data.length));
    const squares = async (replaced: Tensor | undefined): Promise<number[][]> => {
      const found: number[][] = [];
      await walk(engine, way, {
        gram: false,
        visit: async ({ moments, index }) => {
          found.push(Array.from(moments.squares));
          return replaced !== undefined && index === 0 ? new Map([[first, replaced]]) : undefined;
        },
      });
      return found;
    };
    const [plain, changed] = [await squares(undefined), await squares(zeros)];
    expect(changed[0]).toEqual(plain[0]);
    expect(changed.slice(1).every((s, i) => JSON.stringify(s) !== JSON.stringify(plain[i + 1]))).toBe(true);
  });

  test("AWQ folds what it can, the outputs stay as they are, and codes are those of the folded matrices", async () => {
    const made = await modelCodes(engine, model, { method: "awq", grid: { bits: 4, block: 32 }, batches });
    const changed = [...flatten<Weight>(made.model.weights)].filter(
      ([path, w]) => flatten<Weight>(model.weights).get(path) !== w,
    );
    expect(changed.length, name).toBeGreaterThan(2);
    const [before, after] = [
      await outputsOf(engine, model, batches[0]!),
      await outputsOf(engine, made.model, batches[0]!),
    ];
    expect(furthest(before, after)).toBeLessThan(1e-4 * Math.max(1, ...before.map(Math.abs)));
    const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
    for (const [path, w] of Object.entries(denseMatrices(made.model))) {
      const values = byColumn(matrixOf(path, w, layouts.get(path)!));
      const got = dequantized(made.codes.get(path)!);
      const error = Math.sqrt(
        got.reduce((sum, v, i) => sum + (v - values[i]!) ** 2, 0) / values.reduce((sum, v) => sum + v * v, 0),
      );
      // They are moved towards what the dense model computes, by some tenths in these models of random weights.
      expect(error, path).toBeLessThan(0.8);
    }
  });

  test("what was rounded in front is made up for: by GPTQ to less than two thirds of scale search's error, and the same again", async () => {
    const whole = await outputsOf(engine, model, batches[1]!);
    const made = (method: "search" | "gptq" | "awq") =>
      roundedModel(engine, model, { rounding: { method }, wide: [], texts, tokens: 500 });
    const off = async (method: "search" | "gptq" | "awq"): Promise<number> => {
      const { model: own, codes } = await made(method);
      if (method === "gptq" && name === "gpt2") expect([...codes]).toEqual([...(await made(method)).codes]);
      const got = await outputsOf(engine, quantized(own, { bits: 4, method }, { codes }), batches[1]!);
      return got.reduce((sum, v, i) => sum + (v - whole[i]!) ** 2, 0);
    };
    // Where each matrix is rounded by its own inputs alone, 0.8 and more of it are left.
    const search = await off("search");
    expect(await off("gptq")).toBeLessThan(0.65 * search);
    expect(await off("awq")).toBeLessThan(0.75 * search);
  });
});

test("a layer that reads NaN is named, text where it is needed is asked for, packed models are refused", async () => {
  const model = families.gpt2!;
  const broken = {
    ...model,
    weights: mapTree<Weight, Weight>(model.weights, (w, path) =>
      path.endsWith("h.1.ln_1.bias") && !isPacked(w)
        ? tensor("float32", w.shape, new Float32Array(32).fill(Number.NaN))
        : w,
    ),
  };
  const options = { rounding: { method: "gptq" as const }, wide: [] };
  await expect(roundedModel(engine, broken, { ...options, texts })).rejects.toThrow(
    /"transformer.h.1.attn.c_attn.weight": reads numbers that are not finite/,
  );
  await expect(roundedModel(engine, model, options)).rejects.toThrow(/quantize.method.*there is no text/);
  await expect(roundedModel(engine, quantized(model, { bits: 4 }), { ...options, texts })).rejects.toThrow(
    /is int4 already/,
  );
});
