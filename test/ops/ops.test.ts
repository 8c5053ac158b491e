/**
 * Every op on the real onnxruntime: types as inferred, values as plain JavaScript has them, gradients and
 * gradients of gradients as finite differences of the same graph give them, and no change by the rewrites.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { vjp } from "../../src/autodiff/grad.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Engine, Session } from "../../src/engine/engine.ts";
import { toOnnx } from "../../src/formats/onnx/lower.ts";
import { encodeOnnx } from "../../src/formats/onnx/onnx.ts";
import { input, type Value } from "../../src/ir/op.ts";
import { type Program, trace } from "../../src/ir/program.ts";
import { sizeOf, type Tensor, type TensorType, tensorOf } from "../../src/ir/tensor.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import * as ops from "../../src/ops/index.ts";
import { ShapeError } from "../../src/util/errors.ts";
import { permutation } from "../../src/util/rng.ts";
import { type Arg, type Case, lossCases, opCases } from "../cases/ops/index.ts";
import { draw } from "../reference.ts";

let engine: Engine;

let loads = 0;

const isFloat = (t: TensorType): boolean => t.dtype.startsWith("float");

const list = (y: Value | readonly Value[]): readonly Value[] => ("node" in y ? [y] : y);

const bound = (shape: TensorType["shape"], dims: Case["dims"] = {}): number[] =>
  shape.map((d) => (typeof d === "string" ? dims[d]! : d));

/** All float elements of a case on one grid, shuffled: none near another or near zero. */
const spreadValues = (args: readonly Arg[], dims: Case["dims"]): number[] => {
  const n = args.filter(isFloat).reduce((sum, arg) => sum + sizeOf(bound(arg.shape, dims)), 0);
  return Array.from(permutation(n, 3, "spread"), (i) => -2 + (4 * (i + 0.3)) / n);
};

const inputsOf = ({ inputs, dims, spread }: Case): Tensor[] => {
  const grid = spread ? spreadValues(inputs, dims) : [];
  return inputs.map(({ dtype, shape: named, range, values }, i) => {
    const shape = bound(named, dims);
    const n = sizeOf(shape);
    if (values !== undefined) return tensorOf(dtype, shape, values);
    return tensorOf(dtype, shape, spread ? grid.splice(0, n) : draw(`x${i}`, n, ...range));
  });
};

const numbers = (t: Tensor): number[] => Array.from(t.data as Float64Array, Number);

type Listed = Readonly<Record<string, readonly TensorType[]>>;

type Built = Readonly<Record<string, readonly Value[]>>;

const traceLists = (spec: Listed, fn: (given: Built) => Built): Program<Built, Built> => trace(spec, fn);

const feed = (name: string, tensors: readonly Tensor[]): Record<string, Tensor> =>
  Object.fromEntries(tensors.map((t, i) => [`${name}.${i}`, t]));

const largest = (xs: readonly number[]): number => xs.reduce((a, x) => Math.max(a, Math.abs(x)), 0);

/** Elements within `relative` of the largest wanted one, or within `absolute`. */
const expectClose = (
  got: readonly number[],
  want: readonly number[],
  what: string,
  relative: number,
  absolute = 0,
) => {
  expect(got.length, what).toBe(want.length);
  const allowed = relative * largest(want) + absolute;
  const worst = largest(want.map((w, i) => w - got[i]!));
  expect(Number.isFinite(worst), `${what} is finite`).toBe(true);
  expect(worst, `${what}: got ${got.slice(0, 8)}, want ${want.slice(0, 8)}`).toBeLessThanOrEqual(allowed);
};

const valuesTest = async (row: Case): Promise<void> => {
  const program = traceLists({ x: row.inputs }, ({ x }) => ({ y: list(row.build(...x!)) }));
  const types = program.outputs.y!;
  const inputs = inputsOf(row);
  const before = loads;
  const session = await compile(engine, program);
  const out = await session.run(feed("x", inputs));
  const again = await session.run(feed("x", inputs));
  expect(loads - before).toBe(1);
  expect(again).toEqual(out);
  expect(session.outputNames).toEqual(types.map((_, i) => `y.${i}`));
  types.forEach((type, i) => {
    expect(out[`y.${i}`]!.dtype).toBe(type.dtype);
    expect([...out[`y.${i}`]!.shape]).toEqual(bound(type.shape, row.dims));
  });
  const arrays = inputs.map(numbers);
  row.reference?.(...arrays).forEach((want, i) => {
    const absolute = row.bound?.(...arrays) ?? 0;
    expectClose(numbers(out[`y.${i}`]!), want, `output ${i}`, row.tolerance ?? 1e-5, absolute + 1e-7);
  });
  const raw = await engine.load(encodeOnnx(toOnnx(program)).model, { optimize: "none" });
  const plain = await raw.run(feed("x", inputs));
  types.forEach((_, i) => {
    expectClose(numbers(out[`y.${i}`]!), numbers(plain[`y.${i}`]!), `rewritten output ${i}`, 1e-6, 1e-7);
  });
  await Promise.all([session.dispose(), raw.dispose()]);
};

/** y, the gradient g of <c, y>, and the gradient h of <d, g>, with the covectors c and d as inputs. */
const gradientProgram = (row: Case): Program<Built, Built> => {
  const types = list(row.build(...row.inputs.map((arg, i) => input(`x${i}`, arg))));
  const c = types.map(({ dtype, shape }) => ({ dtype, shape }));
  return traceLists({ x: row.inputs, c, d: row.inputs.filter(isFloat) }, ({ x, c, d }) => {
    const y = list(row.build(...x!));
    const floats = x!.filter(isFloat);
    const g = vjp(y, c!, floats);
    return { y, g, h: vjp(g, d!, [...floats, ...c!]) };
  });
};

const drawLike = (name: string, types: readonly TensorType[]): Tensor[] =>
  types.map(({ dtype, shape }, i) =>
    tensorOf(
      dtype,
      shape as number[],
      draw(`${name}${i}`, sizeOf(shape), 0.5, 1.5).map((v, j) => (j % 3 === 1 ? -v : v)),
    ),
  );

const inner = (out: Record<string, Tensor>, name: string, covectors: readonly Tensor[]): number =>
  covectors.reduce((sum, c, i) => {
    const values = out[`${name}.${i}`]!.data as Float32Array;
    return sum + numbers(c).reduce((s, v, j) => s + v * values[j]!, 0);
  }, 0);

/**
 * Fourth-order central differences: the error of the stencil is below the rounding of float32 at this step.
 */
const EPS = 0.03;

const STENCIL = [
  [-2, 1 / 12],
  [-1, -8 / 12],
  [1, 8 / 12],
  [2, -1 / 12],
] as const;

const differences = async (
  session: Session,
  feeds: Record<string, Tensor>,
  name: string,
  functional: (out: Record<string, Tensor>) => readonly number[],
): Promise<number[][]> => {
  const t = feeds[name]!;
  const slopes: number[][] = [];
  for (let j = 0; j < t.data.length; j++) {
    const at = t.data[j] as number;
    let slope: number[] = [];
    for (const [k, weight] of STENCIL) {
      const data = (t.data as Float32Array).slice();
      data[j] = at + k * EPS;
      const values = functional(await session.run({ ...feeds, [name]: { ...t, data } }));
      slope = values.map((v, i) => (slope[i] ?? 0) + (v * weight) / EPS);
    }
    slopes.push(slope);
  }
  return slopes;
};

const gradientTest = async (row: Case): Promise<void> => {
  const program = gradientProgram(row);
  const session = await compile(engine, program);
  const spec = program.inputs;
  const [c, d] = [drawLike("c", spec.c!), drawLike("d", spec.d!)];
  const feeds = { ...feed("x", inputsOf(row)), ...feed("c", c), ...feed("d", d) };
  const out = await session.run(feeds);
  const floats = spec.x!.flatMap((v, i) => (isFloat(v) ? [`x.${i}`] : []));
  const functional = (run: Record<string, Tensor>) => [inner(run, "y", c), inner(run, "g", d)];
  const known = [...floats, ...c.map((_, i) => `c.${i}`)];
  const first = Math.max(...floats.map((_, i) => largest(numbers(out[`g.${i}`]!))));
  for (const [i, name] of known.entries()) {
    const slopes = await differences(session, feeds, name, functional);
    const isX = i < floats.length;
    if (isX)
      expectClose(
        numbers(out[`g.${i}`]!),
        slopes.map((s) => s[0]!),
        `gradient to ${name}`,
        2e-3,
        1e-4,
      );
    const second = slopes.map((s) => s[1]!);
    expectClose(
      numbers(out[`h.${i}`]!),
      second,
      `gradient of gradient to ${name}`,
      3e-3,
      1e-4 * Math.max(1, first),
    );
  }
  const raw = await engine.load(encodeOnnx(toOnnx(program)).model, { optimize: "none" });
  const plain = await raw.run(feeds);
  for (const name of raw.outputNames) {
    expectClose(numbers(out[name]!), numbers(plain[name]!), `rewritten ${name}`, 1e-5, 1e-6);
  }
  await Promise.all([session.dispose(), raw.dispose()]);
};

const zeroTest = async (row: Case): Promise<void> => {
  const program = traceLists({ x: row.inputs }, ({ x }) => {
    const y = list(row.build(...x!)).map((v) => ops.cast(v, "float32"));
    const ones = y.map((v) => ops.expandTo(ops.lift(1, "float32"), v.shape));
    return { g: vjp(y, ones, x!.filter(isFloat)) };
  });
  const session = await compile(engine, program);
  const out = await session.run(feed("x", inputsOf(row)));
  for (const t of Object.values(out)) expect(largest(numbers(t))).toBe(0);
  expect(Object.keys(out)).toHaveLength(row.inputs.filter(isFloat).length);
  await session.dispose();
};

const refusedTest = (row: Case): void => {
  const x = row.inputs.map((arg, i) => input(`x${i}`, arg));
  const y = list(row.build(...x));
  expect(() => vjp(y, y, x.filter(isFloat))).toThrow(ShapeError);
  expect(() => vjp(y, y, x.filter(isFloat))).toThrow(/has no gradient/);
};

const gradientOf = ({ gradient, dims, inputs }: Case): NonNullable<Case["gradient"]> => {
  if (gradient === "refused") return gradient;
  if (dims !== undefined || !inputs.some(isFloat)) return "skipped";
  return gradient ?? "checked";
};

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

describe.each(Object.entries({ ...opCases, ...lossCases }))("%s", (_name, cases) => {
  for (const row of cases) {
    test(`${row.name}: types and values`, () => valuesTest(row));
    const gradient = gradientOf(row);
    if (gradient === "checked") test(`${row.name}: gradients`, () => gradientTest(row));
    if (gradient === "zero") test(`${row.name}: no gradient flows`, () => zeroTest(row));
    if (gradient === "refused") test(`${row.name}: grad refuses`, () => refusedTest(row));
  }
});

describe("ties", () => {
  const tied = async (build: (a: Value, b: Value) => Value): Promise<number[][]> => {
    const type: TensorType = { dtype: "float32", shape: [2] };
    const program = traceLists({ x: [type, type] }, ({ x }) => {
      const y = build(x![0]!, x![1]!);
      const seed = ops.expandTo(ops.lift(1, "float32"), y.shape);
      return { g: vjp([y], [seed], x!) };
    });
    const session = await compile(engine, program);
    const out = await session.run(
      feed("x", [tensorOf("float32", [2], [1, 1]), tensorOf("float32", [2], [1, 1])]),
    );
    await session.dispose();
    return [numbers(out["g.0"]!), numbers(out["g.1"]!)];
  };
  test("maximum and minimum give the gradient to the second operand", async () => {
    expect(await tied(ops.maximum)).toEqual([
      [0, 0],
      [1, 1],
    ]);
    expect(await tied(ops.minimum)).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });
  test("reduceMax shares it", async () => {
    expect((await tied((a) => ops.reduceMax(a)))[0]).toEqual([0.5, 0.5]);
  });
});
