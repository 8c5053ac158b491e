import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../autodiff/grad.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { constant, type Value } from "../../ir/op.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensorOf } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { architectures } from "../../models/registry.ts";
import { initialize, type ParamSpec, withTensors } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { mul } from "../../ops/elementwise.ts";
import { sum } from "../../ops/structure.ts";
import { rng } from "../../util/rng.ts";
import { mapTree, type Tree } from "../../util/tree.ts";
import { calibrationBatches } from "../calibration/batches.ts";
import { modelCodes } from "../calibration/codes.ts";
import { outputsOf } from "../calibration/outputs.fixture.ts";
import { walkable } from "../calibration/walk.ts";
import { matrixOf } from "../matrix.ts";
import { denseMatrices } from "../probe.ts";
import { roundedTensor, startOf } from "../rounding/codes.ts";
import { scaleSearch } from "../rounding/scaleSearch.ts";
import { blocksIn } from "./blocks.ts";
import { blockedTensors, codesFrom, learntTensors, typesOf } from "./lesson.ts";
import { signRounded } from "./signRound.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

interface Case extends Readonly<Record<string, number | readonly number[]>> {
  readonly bits: number;
  readonly block: number;
  readonly n: number;
  readonly blocks: number;
}

const file = new URL("../../../test/golden/signRound.json", import.meta.url);
const cases = JSON.parse(readFileSync(file, "utf8")) as Case[];

describe.each(cases)("$bits bits in blocks of $block", ({ bits, block, n, blocks, ...given }) => {
  test("numbers, grids and gradients are auto-round's", async () => {
    const whole = [n, blocks, block];
    const ends = [n, blocks, 1];
    const of = (name: string, shape: number[]) => tensorOf("float32", shape, given[name] as number[]);
    const spans = (pick: (...xs: number[]) => number): Tensor => {
      const w = given.w as number[];
      const at = (b: number) => pick(0, ...w.slice(b * block, (b + 1) * block));
      return tensorOf(
        "float32",
        ends,
        Array.from({ length: n * blocks }, (_, b) => at(b)),
      );
    };
    const learnt = {
      offset: of("offset", whole),
      lowFactor: of("lowFactor", ends),
      highFactor: of("highFactor", ends),
    };
    const program = trace(typesOf(learnt), (own) => {
      const fixed = { w: of("w", whole), low: spans(Math.min), high: spans(Math.max) };
      const found = signRounded(
        mapTree<Tensor, Value, typeof fixed>(fixed, (t) => constant(t)),
        own,
        bits,
      );
      return { ...found, g: grad(sum(mul(found.values, constant(of("cotangent", whole)))), own) };
    });
    const session = await compile(engine, program);
    const out = await session.run(learnt);
    await session.dispose();
    const close = (name: string, want: string): void => {
      const got = out[name]!.data as Float32Array;
      for (const [i, v] of (given[want] as number[]).entries())
        expect(got[i], `${name} ${i}`).toBeCloseTo(v, 5);
    };
    for (const name of ["values", "scale", "zero"]) close(name, name);
    close("g.offset", "dOffset");
    close("g.lowFactor", "dLowFactor");
    close("g.highFactor", "dHighFactor");
  });
});

describe.each([2, 3, 4] as const)("%i bits", (bits) => {
  test("learning begins at the first codes, nearest or not", async () => {
    const [n, k, block] = [5, 70, 32];
    const random = rng(bits, "numbers");
    const values = Float32Array.from({ length: n * k }, () => random.normal());
    const rows = { n, k, values };
    const nearby = scaleSearch(rows, { bits, block });
    const most = 2 ** bits - 1;
    // Every third code is one off, as methods in turn leave them.
    const q = nearby.q.map((code, i) => (i % 3 === 0 ? Math.min(most, code + 1) : code));
    const codes = { ...nearby, q };
    const lesson = { path: "w", rows: startOf(rows, codes), codes, turned: false };
    const given = { fixed: blockedTensors(lesson), learnt: learntTensors(lesson) };
    const types = { fixed: typesOf(given.fixed), learnt: typesOf(given.learnt) };
    const program = trace(types, ({ fixed, learnt }) => signRounded(fixed, learnt, bits));
    const session = await compile(engine, program);
    const named = Object.entries(given).flatMap(([part, tensors]) =>
      Object.entries(tensors).map(([name, t]) => [`${part}.${name}`, t] as const),
    );
    const out = await session.run(Object.fromEntries(named));
    await session.dispose();
    const made = codesFrom(lesson, { q: out.q!, scale: out.scale!, zero: out.zero! });
    expect([...made.q]).toEqual([...q]);
    for (const [i, scale] of nearby.scale.entries()) expect(made.scale[i]! / scale).toBeCloseTo(1, 5);
    expect([...made.zero]).toEqual([...nearby.zero]);
  });
});

const shape = {
  ...{ vocab_size: 40, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 },
  initializer_range: 0.2,
};
const pairs = { d_model: 16, vocab_size: 40, num_layers: 2, num_heads: 2, d_kv: 8, d_ff: 32 };
const configs: Record<string, object> = {
  gpt2: { vocab_size: 40, n_positions: 32, n_embd: 16, n_layer: 2, n_head: 2, initializer_range: 0.2 },
  llama: { ...shape, intermediate_size: 32, max_position_embeddings: 32 },
  bert: { ...shape, intermediate_size: 32, max_position_embeddings: 32 },
  t5: { ...pairs, dropout_rate: 0, relative_attention_num_buckets: 8, relative_attention_max_distance: 10 },
};

/** Weights of a seed, large enough that rounding shows. */
const modelOf = (name: string): Model => {
  const arch = architectures[name]!;
  const config = arch.parse({ model_type: name, ...configs[name] });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, 3);
  return { arch, config, weights, history: [] };
};

const texts = [Array.from({ length: 1100 }, (_, i) => (i * i * 7 + (i % 13)) % 40)];
const names: Record<string, readonly string[]> = {
  gpt2: ["transformer.h.0", "transformer.h.1"],
  llama: ["model.layers.0", "model.layers.1"],
  bert: ["bert.encoder.layer.0", "bert.encoder.layer.1"],
  t5: ["encoder.block.0", "encoder.block.1", "decoder.block.0", "decoder.block.1"],
};

describe.each(Object.keys(configs))("%s", (name) => {
  const model = modelOf(name);
  const batches = calibrationBatches(model, texts, 1024);

  test("each layer is a block of one output of the hidden width, in the order of execution", () => {
    const { program, matrices } = walkable(model, batches);
    const blocks = blocksIn(program, Object.keys(matrices));
    expect(blocks.map((block) => block.name)).toEqual(names[name]);
    for (const { outputs, paths } of blocks) {
      expect(outputs.map(({ shape }) => shape.at(-1))).toEqual([16]);
      expect(paths.length).toBeGreaterThan(3);
    }
  });

  test("reconstruction brings a model's outputs nearer than scale search, and gives the same codes again", async () => {
    const { program, matrices } = walkable(model, batches);
    const inside = new Set(blocksIn(program, Object.keys(matrices)).flatMap(({ paths }) => paths));
    const outside = Object.keys(matrices).filter((path) => !inside.has(path));
    const grid = { bits: 3, block: 32 } as const;
    const made = async (method: "search" | "reconstruct") => {
      const options = { method, grid, batches, steps: 25, except: outside };
      return (await modelCodes(engine, model, options)).codes;
    };
    const dense = await outputsOf(engine, model, batches[0]!);
    const off = async (codes: Awaited<ReturnType<typeof made>>): Promise<number> => {
      const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
      const rounded = Object.entries(denseMatrices(model)).map(([path, w]): [string, Tensor] => {
        const found = codes.get(path);
        return [path, found === undefined ? w : roundedTensor(matrixOf(path, w, layouts.get(path)!), found)];
      });
      const own = { ...model, weights: withTensors(model.weights, new Map(rounded)) };
      return (await outputsOf(engine, own, batches[0]!)).reduce((all, v, i) => all + (v - dense[i]!) ** 2, 0);
    };
    const codes = await made("reconstruct");
    expect(await off(codes)).toBeLessThan(0.9 * (await off(await made("search"))));
    if (name === "gpt2") expect([...codes]).toEqual([...(await made("reconstruct"))]);
  });
});
