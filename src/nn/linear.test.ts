import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, input, type Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/engine.ts";
import { rng } from "../util/rng.ts";
import { conv1d, embed, INT4_BLOCK, project } from "./linear.ts";
import { asConstants, countParams, dense, type PackedParam, type PackedWeight, tensorsOf } from "./param.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [K, N, ROWS] = [40, 6, 5];
const random = rng(3, "linear");
const draw = (n: number, low: number, high: number): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());
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
  readonly packed: PackedWeight;
  /** The same numbers at row k, column n. */
  at(k: number, n: number): number;
}

const int8 = (): Kind => {
  const q = Int8Array.from(draw(K * N, -63, 64).map(Math.floor));
  const scale = floats([N], 0.01, 0.02);
  const parts = { q: tensor("int8", [K, N], q), scale };
  return {
    packed: { dtype: "float32", shape: [K, N], kind: "int8", parts },
    at: (k, n) => q[k * N + n]! * (scale.data[n] as number),
  };
};

const int4 = (): Kind => {
  const blocks = Math.ceil(K / INT4_BLOCK);
  const bytes = INT4_BLOCK / 2;
  const q = Uint8Array.from(draw(N * blocks * bytes, 0, 256).map(Math.floor));
  const scale = floats([N * blocks], 0.05, 0.1);
  const parts = { q: tensor("uint8", [N, blocks, bytes], q), scale };
  return {
    packed: { dtype: "float32", shape: [K, N], kind: "int4", parts },
    at: (k, n) => {
      const byte = q[n * blocks * bytes + (k >> 1)]!;
      return (
        ((k % 2 === 0 ? byte & 15 : byte >> 4) - 8) *
        (scale.data[n * blocks + Math.floor(k / INT4_BLOCK)] as number)
      );
    },
  };
};

const denseOf = ({ at }: Kind, layout: "kn" | "nk"): Tensor => {
  const [rows, columns] = layout === "kn" ? [K, N] : [N, K];
  const values = Array.from({ length: K * N }, (_, i) => {
    const [r, c] = [Math.floor(i / columns), i % columns];
    return layout === "kn" ? at(r, c) : at(c, r);
  });
  return tensorOf("float32", [rows, columns], values);
};

const run = async (fn: (x: Value) => { dense: Value; packed: Value }): Promise<[number[], number[]]> => {
  const program = trace({ x: { dtype: "float32" as const, shape: [ROWS, K] } }, ({ x }) =>
    fn(x),
  ) as unknown as Program;
  const session = await compile(engine, program);
  const out = await session.run({ x: tensorOf("float32", [ROWS, K], draw(ROWS * K, -1, 1)) });
  await session.dispose();
  return [Array.from(out.packed!.data as Float32Array), Array.from(out.dense!.data as Float32Array)];
};

/**
 * The largest error a rounding of x to 8 bits makes: half a step of x and of its zero point, on every weight.
 */
const bound = ({ at }: Kind): number => {
  let most = 0;
  for (let n = 0; n < N; n++) {
    let column = 0;
    for (let k = 0; k < K; k++) column += Math.abs(at(k, n));
    most = Math.max(most, column);
  }
  return (most * 2) / 255;
};

describe.each([
  ["int8", int8],
  ["int4", int4],
] as const)("a weight packed as %s", (_, make) => {
  const kind = make();
  const as = (shape: readonly number[]): PackedParam => {
    const { packed } = asConstants({ packed: { ...kind.packed, shape } }) as unknown as {
      packed: PackedParam;
    };
    return packed;
  };
  const bias = constant(floats([N]));

  test("multiplies as the dense weight does: conv1d and project, with and without a bias", async () => {
    const allowed = bound(kind);
    const cases = [
      (x: Value) => ({
        dense: conv1d({ weight: constant(denseOf(kind, "kn")), bias }, x),
        packed: conv1d({ weight: as([K, N]), bias }, x),
      }),
      (x: Value) => ({ dense: project(constant(denseOf(kind, "nk")), x), packed: project(as([N, K]), x) }),
      (x: Value) => ({
        dense: project(constant(denseOf(kind, "nk")), x, bias),
        packed: project(as([N, K]), x, bias),
      }),
    ];
    for (const fn of cases) {
      const [got, want] = await run(fn);
      expect(Math.max(...want.map(Math.abs))).toBeGreaterThan(4 * allowed);
      want.forEach((v, i) => {
        expect(Math.abs(got[i]! - v)).toBeLessThan(allowed);
      });
    }
  });

  test("gives its rows exactly: a tied embedding", async () => {
    const ids = constant(tensorOf("int32", [2, 2], [5, 0, 0, 3]));
    const [got, want] = await run(() => ({
      dense: embed(constant(denseOf(kind, "nk")), ids),
      packed: embed(as([N, K]), ids),
    }));
    expect(got).toEqual(want);
  });

  test("is refused where a dense one is needed", () => {
    expect(() => dense(as([K, N]))).toThrow(new RegExp(`${kind.packed.kind} weight`));
  });

  test("counts as its numbers, and is stored by its parts", () => {
    const weights = { h: { weight: kind.packed }, ln: floats([3]) };
    expect(countParams(weights)).toBe(K * N + 3);
    expect(Array.from(tensorsOf(weights), ([name]) => name)).toEqual(["h.weight.q", "h.weight.scale", "ln"]);
  });
});

test("dense weights are constants named by their paths", () => {
  const { h } = asConstants({ h: [{ weight: floats([2, 2]) }] }) as unknown as { h: { weight: Value }[] };
  expect((h[0]!.weight.node.attrs as { name: string }).name).toBe("h.0.weight");
});

test("a width that does not fit throws where the layer is applied", () => {
  const x = input("x", { dtype: "float32", shape: [2, K + 1] });
  expect(() => project(constant(floats([N, K])), x)).toThrow(/matmul/);
  expect(() => conv1d({ weight: constant(floats([K, N])), bias: constant(floats([N])) }, x)).toThrow(
    /affine/,
  );
});
