/**
 * Every kind of weight on the real onnxruntime: it multiplies, looks up and differentiates as the dense matrix
 * of the same numbers. A kind that is made here, and stands in no table, goes the whole way too.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { decodeSafetensors } from "../src/formats/safetensors/safetensors.ts";
import { constant, input, type Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { conv1d, embed, project, times } from "../src/nn/linear.ts";
import {
  asConstants,
  countParams,
  dense,
  denseWeights,
  initialize,
  isPacked,
  type Layout,
  type PackedParam,
  type PackedWeight,
  type Param,
  tensorsOf,
  trainedTensors,
  unpacked,
  type Weight,
  type WeightKind,
} from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { add, mul } from "../src/ops/elementwise.ts";
import { gather } from "../src/ops/rows.ts";
import { reshape, sum } from "../src/ops/structure.ts";
import { adamw } from "../src/optim/index.ts";
import { weightFiles } from "../src/ship/onnx/export.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import { train } from "../src/train/loop.ts";
import { paramTypes } from "../src/train/step.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import { flatten, mapTree } from "../src/util/tree.ts";
import { draw, floats, type KindCase, kindCases, N, shaped } from "./cases/kinds.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const ROWS = 5;
const numbers = ({ data }: Tensor): number[] => Array.from(data as Float32Array);
const worst = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);

/** A base with a gain for each output, of which the gains are trained. */
const scaled: WeightKind = {
  name: "scaled",
  trained: ["gain"],
  multiply: (x, { parts: { base, gain }, layout }, bias) => {
    const y = mul(times(base!, x, layout), dense(gain!));
    return bias === undefined ? y : add(y, bias);
  },
  rows: ({ parts: { base, gain } }, ids) =>
    mul(embed(base!, ids), reshape(gather(dense(gain!), ids), [...ids.shape, 1])),
  dense: ({ parts, shape, layout }) => {
    const [base, gain] = [unpacked(parts.base!).data, (parts.gain as Tensor).data];
    const columns = shape[1]!;
    const output = (i: number) => (layout === "kn" ? i % columns : Math.floor(i / columns));
    return tensor(
      "float32",
      shape,
      Float32Array.from(base as Float32Array, (v, i) => v * (gain[output(i)] as number)),
    );
  },
};

const scaledCase = (): KindCase => {
  const [k, matrix, gain] = [40, floats([40, N]), floats([N], 0.5, 2)];
  const at = (i: number, j: number) => Math.fround(numbers(matrix)[i * N + j]! * numbers(gain)[j]!);
  return {
    ...{ name: "of this test", k, at, share: 0 },
    weight: (layout) => {
      const turned = Array.from(
        { length: k * N },
        (_, i) => numbers(matrix)[(i % k) * N + Math.floor(i / k)]!,
      );
      const base = layout === "kn" ? matrix : tensorOf("float32", [N, k], turned);
      return { ...shaped(k, layout), kind: scaled, parts: { base, gain } };
    },
  };
};

const denseOf = ({ k, at }: KindCase, layout: Layout): Tensor => {
  const { shape } = shaped(k, layout);
  const columns = shape[1] as number;
  const values = Array.from({ length: k * N }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return layout === "kn" ? at(r, c) : at(c, r);
  });
  return tensorOf("float32", shape, values);
};

const constantOf = (w: Weight): Param => (asConstants({ w }) as { w: Param }).w;

type Built = Readonly<Record<string, Value>>;
const run = async (k: number, fn: (x: Value) => Built): Promise<Record<string, number[]>> => {
  const program = trace({ x: { dtype: "float32" as const, shape: [ROWS, k] } }, ({ x }) => fn(x));
  const session = await compile(engine, program);
  const out = await session.run({ x: tensorOf("float32", [ROWS, k], draw(ROWS * k, -1, 1)) });
  await session.dispose();
  return Object.fromEntries(Object.entries(out).map(([name, t]) => [name, numbers(t)]));
};

/** The largest error that rounding inputs of -1 to 1 makes, and half a millionth for sums in float32. */
const bound = ({ k, at, share }: KindCase): number => {
  let most = 0;
  for (let n = 0; n < N; n++) {
    let column = 0;
    for (let row = 0; row < k; row++) column += Math.abs(at(row, n));
    most = Math.max(most, column);
  }
  return most * (share + 5e-7);
};

const rows = Object.entries({ ...kindCases, scaled: [scaledCase()] }).flatMap(([kind, cases]) =>
  cases.map((row) => [`${kind}: ${row.name}`, row] as const),
);

describe.each(rows)("a weight of kind %s", (_, row) => {
  const { k } = row;
  const as = (layout: Layout): PackedParam => constantOf(row.weight(layout)) as PackedParam;
  const bias = constant(floats([N]));
  const [kn, nk] = [constant(denseOf(row, "kn")), constant(denseOf(row, "nk"))];

  test.each<[string, (x: Value) => Built]>([
    [
      "conv1d",
      (x) => ({ want: conv1d({ weight: kn, bias }, x), got: conv1d({ weight: as("kn"), bias }, x) }),
    ],
    ["project", (x) => ({ want: project(nk, x), got: project(as("nk"), x) })],
    ["project, biased", (x) => ({ want: project(nk, x, bias), got: project(as("nk"), x, bias) })],
  ])("multiplies as the dense weight does: %s", async (_, fn) => {
    const allowed = bound(row);
    const { got, want } = await run(k, fn);
    expect(Math.max(...want!.map(Math.abs))).toBeGreaterThan(4 * allowed);
    expect(worst(want!, got!)).toBeLessThan(allowed);
  });

  test("gives its rows exactly: a tied embedding", async () => {
    const ids = constant(tensorOf("int32", [2, 2], [5, 0, 0, 3]));
    const { got, want } = await run(k, () => ({ want: embed(nk, ids), got: embed(as("nk"), ids) }));
    expect(worst(got!, want!)).toBeLessThanOrEqual((row.slack ?? 0) * Math.max(...want!.map(Math.abs)));
  });

  test.each(["kn", "nk"] as const)("has its numbers as a dense tensor, %s", (layout) => {
    expect(unpacked(row.weight(layout))).toEqual(denseOf(row, layout));
  });

  test.each(["kn", "nk"] as const)(
    "has the dense weight's gradient to the input and the bias, %s",
    async (layout) => {
      const seed = constant(floats([ROWS, N]));
      const { got, want, gotBias, wantBias } = await run(k, (x) => {
        const grads = (weight: Param) => grad(sum(mul(times(weight, x, layout, bias), seed)), { x, bias });
        const [packed, plain] = [grads(as(layout)), grads(layout === "kn" ? kn : nk)];
        return { got: packed.x!, want: plain.x!, gotBias: packed.bias!, wantBias: plain.bias! };
      });
      expect(worst(got!, want!)).toBeLessThan(1e-5 * Math.max(...want!.map(Math.abs)));
      expect(worst(gotBias!, wantBias!)).toBeLessThan(1e-5);
    },
  );

  test("is refused where a dense one is needed", () => {
    expect(() => dense(as("nk"))).toThrow(`a weight of kind ${as("nk").kind.name} stands where`);
  });

  test("a width that does not fit throws where the layer is applied", () => {
    const x = input("x", { dtype: "float32", shape: [2, k + 32] });
    expect(() => project(as("nk"), x)).toThrow(/matmul/i);
  });

  test("counts as its numbers, and is stored by its parts", () => {
    const weight = row.weight("kn") as PackedWeight;
    const weights = { h: { weight }, ln: floats([3]) };
    expect(countParams(weights)).toBe(k * N + 3);
    const namesOf = (w: Weight): string[] =>
      isPacked(w)
        ? Object.entries(w.parts).flatMap(([key, part]) => namesOf(part).map((rest) => `.${key}${rest}`))
        : [""];
    const parts = namesOf(weight).map((part) => `h.weight${part}`);
    expect(Array.from(tensorsOf(weights), ([name]) => name)).toEqual([...parts, "ln"]);
    const trained = weight.kind.trained.map((part) => `h.weight.${part}`);
    expect(Array.from(trainedTensors(weights), ([name]) => name)).toEqual([...trained, "ln"]);
  });
});

describe("a model with weights of a kind that is made here", () => {
  const config = gpt2Config({ vocab_size: 11, n_positions: 8, n_embd: 8, n_layer: 1, n_head: 2 });
  const plain = initialize(gpt2.params(config), 1);
  const isMatrix = (path: string, w: Weight) => w.shape.length === 2 && !path.includes("wpe");
  const weights = mapTree<Tensor, Weight>(plain, (base, path) => {
    if (!isMatrix(path, base)) return base;
    const layout = path.includes("wte") ? "nk" : "kn";
    const gain = floats([base.shape[layout === "kn" ? 1 : 0]!], 0.5, 2);
    return { dtype: "float32", shape: base.shape, layout, kind: scaled, parts: { base, gain } };
  });
  const model: Model = { arch: gpt2, config, weights, history: [] };
  const [batch, context] = [2, 8];
  const inputIds = tensorOf("int32", [batch, context], draw(batch * context, 0, 11).map(Math.floor));
  const labels = tensorOf("int32", [batch * context], draw(batch * context, 0, 11).map(Math.floor));
  const windows = [{ inputIds, labels }];
  const frozen = (name: string) => !name.endsWith(".gain");
  const tensors = (m: Model) => new Map(tensorsOf(m.weights));
  const trained = (accumulate: number) =>
    train(engine, model, (i) => ({ ...windows[0]!, seed: tensorOf("int32", [], [i]) }), {
      ...{ batch, context, accumulate, frozen, steps: 20, schedule: () => 1e-2, optimizer: adamw() },
      ...{ validation: windows, evalEvery: 20 },
    });

  test("gives what the dense one does, and counts as many params", async () => {
    const dense = { ...model, weights: denseWeights(weights) };
    const [a, b] = [await heldOutLoss(engine, model, windows), await heldOutLoss(engine, dense, windows)];
    expect(Math.abs(a.loss - b.loss)).toBeLessThan(1e-5);
    const other = await heldOutLoss(engine, { ...model, weights: plain }, windows);
    expect(Math.abs(a.loss - other.loss)).toBeGreaterThan(1e-4);
    expect(countParams(weights)).toBe(countParams(plain));
  });

  test("is written as safetensors in its dense form", () => {
    const [file] = weightFiles(model).values();
    const { tensors: read } = decodeSafetensors(new Uint8Array(Buffer.concat(file!)), "model.safetensors");
    expect(read).toEqual(flatten<Tensor>(denseWeights(weights)));
  });

  test.each([1, 2])("trains its trained parts and nothing else, %i micro-batches an update", async (n) => {
    const before = (await heldOutLoss(engine, model, windows)).loss;
    const result = await trained(n);
    expect(result.valLoss).toBeLessThan(before - 0.05);
    expect(Math.abs((await heldOutLoss(engine, result.model, windows)).loss - result.valLoss!)).toBeLessThan(
      1e-5,
    );
    const after = tensors(result.model);
    const same = Array.from(tensors(model)).flatMap(([name, t]) => (after.get(name) === t ? [name] : []));
    expect(same).toEqual([...tensors(model).keys()].filter(frozen));
  });

  test("is not trained by halves: a weight that no training changes must be frozen", () => {
    const still: WeightKind = { ...scaled, name: "still", trained: [] };
    const stood = mapTree<Weight, Weight>(weights, (w) => (isPacked(w) ? { ...w, kind: still } : w));
    const options = { batch, context, optimizer: adamw(), objective: languageModelling };
    const types = (only: (name: string) => boolean) =>
      paramTypes({ ...model, weights: stood }, { ...options, frozen: only });
    expect(() => types(() => false)).toThrow(/wte.weight": is still: no part of it is trained/);
    expect(Object.keys(types((name) => !name.includes("ln_f")))).toEqual([
      "transformer.ln_f.weight",
      "transformer.ln_f.bias",
    ]);
  });
});
