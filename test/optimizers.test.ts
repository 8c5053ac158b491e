/**
 * Every optimizer against PyTorch or its paper (golden/optimizers.py), and on functions with known minima.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compileStep, type Resident } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { constant, type Value } from "../src/ir/op.ts";
import { type Program, trace } from "../src/ir/program.ts";
import { scalar, sizeOf, type Tensor, type TensorType, tensorOf } from "../src/ir/tensor.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { add, mul, sub, tanh } from "../src/ops/elementwise.ts";
import { affine, matmul } from "../src/ops/linalg.ts";
import { slice, sum } from "../src/ops/structure.ts";
import {
  applyUpdates,
  chain,
  clipByGlobalNorm,
  clipByValue,
  type Optimizer,
  type OptimizerName,
  type OptimizerOptions,
  optimizers,
} from "../src/optim/index.ts";
import { entries } from "../src/util/tree.ts";
import { optimizerCases } from "./cases/optimizers.ts";

interface Golden {
  readonly optimizer: OptimizerName;
  readonly lr: number;
  readonly options: OptimizerOptions;
  readonly clip: { readonly norm?: number; readonly value?: number };
  readonly losses: readonly number[];
  readonly params: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
}
const golden = JSON.parse(readFileSync(new URL("golden/optimizers.json", import.meta.url), "utf8")) as {
  shapes: Record<string, number[]>;
  cases: Golden[];
};

const f32 = (...shape: number[]): TensorType => ({ dtype: "float32", shape });
const sines = (shape: readonly number[], phase: number): Tensor =>
  tensorOf(
    "float32",
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => 0.8 * Math.sin(0.7 * i + phase)),
  );

let engine: Engine;
let loads = 0;
beforeAll(async () => {
  const real = await nodeEngine({ threads: 1 });
  engine = {
    ...real,
    load: (...given) => {
      loads++;
      return real.load(...given);
    },
  };
});

type Loss = (params: Record<string, Value>) => Value;

const stepOf = (optimizer: Optimizer, types: Record<string, TensorType>, lossOf: Loss): Program => {
  const spec = { params: types, opt: optimizer.state(types), lr: f32(), step: f32() };
  return trace(spec, ({ params, opt: state, lr, step }) => {
    const loss = lossOf(params);
    const [updates, opt] = optimizer.update(grad(loss, params), state, params, { lr, step });
    return { params: applyUpdates(params, updates), opt, loss };
  });
};

const start = async (
  optimizer: Optimizer,
  weights: Record<string, Tensor>,
  lossOf: Loss,
): Promise<Resident> => {
  const resident = await compileStep(engine, stepOf(optimizer, weights, lossOf));
  for (const [name, t] of resident.state()) {
    if (name.startsWith("params."))
      (t.data as Float32Array).set(weights[name.slice(7)]!.data as Float32Array);
  }
  return resident;
};

const lossAt = async (resident: Resident, lr: number, step: number): Promise<number> => {
  const { loss } = await resident.run({ lr: scalar(lr), step: scalar(step) });
  return loss!.data[0] as number;
};

const network: Loss = (p) => {
  const [x, y] = [constant(sines([8, 4], 0.3)), constant(sines([8, 2], 1.1))];
  const h = tanh(affine(x, p["h.0.weight"]!, p["h.0.bias"]!));
  const h2 = tanh(affine(h, p["h.1.weight"]!, p["h.1.bias"]!));
  const error = sub(matmul(h2, p["lm_head.weight"]!), y);
  return sum(mul(error, error));
};

const networkWeights = (): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(golden.shapes).map(([name, shape], i) => [name, sines(shape, i)]));

const clipped = (optimizer: Optimizer, clip: Golden["clip"]): Optimizer => {
  if (clip.norm !== undefined) return chain("clipped", clipByGlobalNorm(clip.norm), optimizer);
  return clip.value === undefined ? optimizer : chain("clipped", clipByValue(clip.value), optimizer);
};

/** Largest difference relative to the largest element. */
const distance = (got: ArrayLike<number>, want: readonly number[]): number => {
  const size = Math.max(...want.map(Math.abs));
  return Math.max(...want.map((v, i) => Math.abs(v - got[i]!))) / size;
};

describe("ten steps equal the reference", () => {
  test.each(golden.cases)(
    "$optimizer $options $clip",
    async ({ optimizer, options, clip, lr, losses, params }) => {
      // Newton-Schulz multiplies rounding errors of small singular values by up to 3.4 a step, five times.
      const tolerance = optimizer === "muon" ? 3e-5 : 1e-5;
      const resident = await start(clipped(optimizers[optimizer](options), clip), networkWeights(), network);
      for (const [i, want] of losses.entries()) {
        const loss = await lossAt(resident, lr * (1 - 0.05 * i), i + 1);
        expect(Math.abs(loss - want) / want).toBeLessThan(tolerance);
        for (const [name, values] of Object.entries(params[i + 1] ?? {})) {
          const got = resident.state().get(`params.${name}`)!.data as Float32Array;
          expect(distance(got, values), `${name} after step ${i + 1}`).toBeLessThan(tolerance);
        }
      }
      await resident.dispose();
    },
  );

  test("every optimizer has one", () => {
    expect(new Set(golden.cases.map((c) => c.optimizer))).toEqual(new Set(Object.keys(optimizers)));
  });
});

/** sum((p - target)^2) of a matrix and a vector. */
const parabola: Loss = (p) => {
  const [a, b] = [sub(p["h.weight"]!, constant(sines([3, 3], 2))), sub(p["h.bias"]!, 0.5)];
  return add(sum(mul(a, a)), sum(mul(b, b)));
};

/** 100 (y - x^2)^2 + (1 - x)^2 of x = p[0, 0], y = p[0, 1]; its minimum is (1, 1). */
const rosenbrock: Loss = (p) => {
  const [x, y] = [slice(p["h.weight"]!, 1, 0, 1), slice(p["h.weight"]!, 1, 1, 2)];
  const [bend, rest] = [sub(y, mul(x, x)), sub(1, x)];
  return sum(add(mul(100, mul(bend, bend)), mul(rest, rest)));
};

const names = Object.keys(optimizerCases) as OptimizerName[];

describe.each(names)("%s", (name) => {
  const { options, ...rows } = optimizerCases[name];

  test("finds the minimum of a parabola, traced and compiled once", async () => {
    const weights = { "h.weight": sines([3, 3], 0), "h.bias": sines([3], 1) };
    const before = loads;
    const resident = await start(optimizers[name](options), weights, parabola);
    const { lr, steps } = rows.parabola;
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) losses.push(await lossAt(resident, lr * (1 - i / steps), i + 1));
    expect(loads - before).toBe(1);
    expect(losses[0]).toBeGreaterThan(1);
    expect(losses.at(-1)).toBeLessThan(1e-2);
    await resident.dispose();
  });

  test("descends the Rosenbrock valley", async () => {
    const weights = { "h.weight": tensorOf("float32", [1, 2], [-1.2, 1]) };
    const resident = await start(optimizers[name](options), weights, rosenbrock);
    const { lr, steps } = rows.rosenbrock;
    let [first, last] = [0, 0];
    for (let i = 0; i < steps; i++) {
      last = await lossAt(resident, lr * (1 - i / steps), i + 1);
      if (i === 0) first = last;
    }
    expect(first).toBeCloseTo(24.2, 3);
    expect(last).toBeLessThan(first / 10);
    await resident.dispose();
  });

  test("keeps state under the params' names, all float32 of the params' shapes", () => {
    const types = { transformer: { wte: { weight: f32(5, 2) }, h: [{ weight: f32(2, 3), bias: f32(3) }] } };
    const shapes = new Map([...entries<TensorType>(types)].map(([path, t]) => [path, t.shape]));
    for (const [path, type] of entries<TensorType>(optimizers[name](options).state(types))) {
      expect(type.dtype).toBe("float32");
      const param = path.slice(path.indexOf("transformer."));
      expect(type.shape).toEqual(shapes.get(param));
    }
  });

  test("two runs give the same bits", async () => {
    const run = async (): Promise<Float32Array[]> => {
      const resident = await start(optimizers[name](options), networkWeights(), network);
      for (let i = 1; i <= 3; i++) await lossAt(resident, 0.01, i);
      const state = Array.from(resident.state().values(), (t) => Float32Array.from(t.data as Float32Array));
      await resident.dispose();
      return state;
    };
    expect(await run()).toEqual(await run());
  });
});
