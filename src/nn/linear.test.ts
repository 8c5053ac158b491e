import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, input, type Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { rng } from "../util/rng.ts";
import { conv1d, embed, INT4_BLOCK, project } from "./linear.ts";
import { asConstants, countParams, dense, type PackedParam, type PackedWeight, tensorsOf } from "./param.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [N, ROWS] = [6, 5];
const random = rng(3, "linear");
const draw = (n: number, low: number, high: number): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());
const ints = (n: number, low: number, high: number): number[] => draw(n, low, high).map(Math.floor);
const floats = (shape: readonly number[], low = -1, high = 1): Tensor =>
  tensorOf(
    "float32",
    shape,
    draw(
      shape.reduce((a, b) => a * b, 1),
      low,
      high,
    ),
  );

interface Kind {
  readonly k: number;
  readonly packed: PackedWeight;
  /** The same numbers at row k, column n. */
  at(k: number, n: number): number;
  /** The largest error of rounding the inputs, as a share of the largest input times the sum of a column. */
  readonly share: number;
}

/**
 * Groups of `widths` inputs over the whole range, int8 or uint8 around 128; a later one is of another size.
 * Parts of all inputs, each finer than the one before, are added up.
 */
const int8 = (widths: readonly number[], unsigned: boolean, added = false): Kind => {
  const zero = unsigned ? 128 : 0;
  const parts: Record<string, Tensor> = {};
  const matrix: number[][] = [];
  for (const [i, k] of widths.entries()) {
    const q = ints(k * N, -127, 128);
    const factor = added ? 200 ** -i : 4 ** i;
    const scale = floats([N], 0.01 * factor, 0.02 * factor);
    const bytes = q.map((v) => v + zero);
    parts[`q${i}`] = unsigned
      ? tensor("uint8", [k, N], Uint8Array.from(bytes))
      : tensor("int8", [k, N], Int8Array.from(bytes));
    parts[`scale${i}`] = scale;
    const first = added ? 0 : matrix.length;
    for (let row = 0; row < k; row++) {
      const before = matrix[first + row];
      matrix[first + row] = Array.from(scale.data as Float32Array, (v, n) =>
        Math.fround((before?.[n] ?? 0) + Math.fround(q[row * N + n]! * v)),
      );
    }
  }
  const k = matrix.length;
  return {
    ...{ k, packed: { dtype: "float32", shape: [k, N], kind: "int8", parts } },
    at: (row, n) => matrix[row]![n]!,
    // Half of a low digit, of which a high one has 126 and the largest input 63 high ones.
    share: 1 / (2 * 126 * 63),
  };
};

const int4 = (k: number): Kind => {
  const blocks = Math.ceil(k / INT4_BLOCK);
  const [bytes, zeroBytes] = [INT4_BLOCK / 2, Math.ceil(blocks / 2)];
  const q = Uint8Array.from(ints(N * blocks * bytes, 0, 256));
  const zero = Uint8Array.from(ints(N * zeroBytes, 0, 256));
  const scale = floats([N * blocks], 0.05, 0.1);
  const nibble = (values: Uint8Array, from: number, i: number) =>
    (values[from + (i >> 1)]! >> (4 * (i % 2))) & 15;
  const parts = {
    q: tensor("uint8", [N, blocks, bytes], q),
    scale,
    zero: tensor("uint8", [N * zeroBytes], zero),
  };
  return {
    ...{ k, packed: { dtype: "float32", shape: [k, N], kind: "int4", parts } },
    at: (row, n) => {
      const b = Math.floor(row / INT4_BLOCK);
      const centred = nibble(q, n * blocks * bytes, row) - nibble(zero, n * zeroBytes, b);
      return centred * (scale.data[n * blocks + b] as number);
    },
    // Half a step of 8 bits, of x and of what stands for 0.
    share: 2 / 255,
  };
};

const denseOf = ({ k, at }: Kind, layout: "kn" | "nk"): Tensor => {
  const [rows, columns] = layout === "kn" ? [k, N] : [N, k];
  const values = Array.from({ length: k * N }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return layout === "kn" ? at(r, c) : at(c, r);
  });
  return tensorOf("float32", [rows, columns], values);
};

type Build = (x: Value) => { dense: Value; packed: Value };

const run = async (k: number, fn: Build): Promise<[number[], number[]]> => {
  const program = trace({ x: { dtype: "float32" as const, shape: [ROWS, k] } }, ({ x }) =>
    fn(x),
  ) as unknown as Program;
  const session = await compile(engine, program);
  const out = await session.run({ x: tensorOf("float32", [ROWS, k], draw(ROWS * k, -1, 1)) });
  await session.dispose();
  return [Array.from(out.packed!.data as Float32Array), Array.from(out.dense!.data as Float32Array)];
};

/** The largest error that rounding inputs of -1 to 1 makes, and half a millionth for sums in float32. */
const bound = ({ k, at, share }: Kind): number => {
  let most = 0;
  for (let n = 0; n < N; n++) {
    let column = 0;
    for (let row = 0; row < k; row++) column += Math.abs(at(row, n));
    most = Math.max(most, column);
  }
  return most * (share + 5e-7);
};

describe.each([
  ["int8, one group", int8([40], false)],
  ["int8, two groups", int8([100, 100], false)],
  ["int8, groups of different sizes", int8([96, 96, 96, 96, 96, 97], false)],
  ["uint8, one group", int8([40], true)],
  ["uint8, two groups", int8([100, 100], true)],
  ["uint8, groups of different sizes", int8([96, 96, 96, 96, 96, 97], true)],
  ["int8, two parts", int8([100, 100], false, true)],
  ["uint8, two parts", int8([577, 577], true, true)],
  ["int4, a last block that is not full", int4(40)],
  ["int4, seven blocks", int4(200)],
  ["int4, nineteen blocks", int4(577)],
] as const)("a weight packed as %s", (_, kind) => {
  const { k } = kind;
  const as = (shape: readonly number[]): PackedParam => {
    const { packed } = asConstants({ packed: { ...kind.packed, shape } }) as unknown as {
      packed: PackedParam;
    };
    return packed;
  };
  const bias = constant(floats([N]));
  const [kn, nk] = [constant(denseOf(kind, "kn")), constant(denseOf(kind, "nk"))];

  test.each<[string, Build]>([
    [
      "conv1d",
      (x) => ({
        dense: conv1d({ weight: kn, bias }, x),
        packed: conv1d({ weight: as([k, N]), bias }, x),
      }),
    ],
    ["project", (x) => ({ dense: project(nk, x), packed: project(as([N, k]), x) })],
    ["project, biased", (x) => ({ dense: project(nk, x, bias), packed: project(as([N, k]), x, bias) })],
  ])("multiplies as the dense weight does: %s", async (_, fn) => {
    const allowed = bound(kind);
    const [got, want] = await run(k, fn);
    expect(Math.max(...want.map(Math.abs))).toBeGreaterThan(4 * allowed);
    expect(Math.max(...want.map((v, i) => Math.abs(got[i]! - v)))).toBeLessThan(allowed);
  });

  test("gives its rows exactly: a tied embedding", async () => {
    const ids = constant(tensorOf("int32", [2, 2], [5, 0, 0, 3]));
    const [got, want] = await run(k, () => ({
      dense: embed(nk, ids),
      packed: embed(as([N, k]), ids),
    }));
    expect(got).toEqual(want);
  });

  test("is refused where a dense one is needed", () => {
    expect(() => dense(as([k, N]))).toThrow(new RegExp(`${kind.packed.kind} weight`));
  });

  test("a width that does not fit throws where the layer is applied", () => {
    const x = input("x", { dtype: "float32", shape: [2, k + INT4_BLOCK] });
    expect(() => project(as([N, k]), x)).toThrow(new RegExp(`${kind.packed.kind}Matmul`));
  });

  test("counts as its numbers, and is stored by its parts", () => {
    const weights = { h: { weight: kind.packed }, ln: floats([3]) };
    expect(countParams(weights)).toBe(k * N + 3);
    const parts = Object.keys(kind.packed.parts).map((part) => `h.weight.${part}`);
    expect(Array.from(tensorsOf(weights), ([name]) => name)).toEqual([...parts, "ln"]);
  });
});

test("dense weights are constants named by their paths", () => {
  const { h } = asConstants({ h: [{ weight: floats([2, 2]) }] }) as unknown as { h: { weight: Value }[] };
  expect((h[0]!.weight.node.attrs as { name: string }).name).toBe("h.0.weight");
});

test("a width that does not fit throws where the layer is applied", () => {
  const x = input("x", { dtype: "float32", shape: [2, 41] });
  expect(() => project(constant(floats([N, 40])), x)).toThrow(/matmul/);
  expect(() => conv1d({ weight: constant(floats([40, N])), bias: constant(floats([N])) }, x)).toThrow(
    /affine/,
  );
});
