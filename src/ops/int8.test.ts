import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, type Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import { tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { rng } from "../util/rng.ts";
import { int8Matmul } from "./int8.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const N = 5;
const random = rng(13, "int8");
const draw = (n: number, low = -1, high = 1): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());

/** Groups of rows [k, N] and a scale for each: one below the other, or added up where each has all K rows. */
interface Matrix {
  readonly k: number;
  readonly widths: readonly number[];
  readonly q: readonly number[];
  readonly scale: number;
  readonly unsigned: boolean;
}

const groupsOf = ({ widths, q, scale, unsigned }: Matrix) => {
  let from = 0;
  return widths.map((k) => {
    const own = q.slice(from * N, (from + k) * N);
    from += k;
    const data = unsigned ? Uint8Array.from(own, (v) => v + 128) : Int8Array.from(own);
    return {
      q: constant(tensor(unsigned ? "uint8" : "int8", [k, N], data)),
      scale: constant(tensorOf("float32", [N], new Array(N).fill(scale))),
    };
  });
};

type Run = (rows: readonly (readonly number[])[]) => Promise<number[][]>;

/** Products of a matrix with rows, as many at a time as are given; where none are, with two texts of no tokens. */
const productOf = async (matrix: Matrix, bias?: readonly number[]): Promise<Run> => {
  const { k } = matrix;
  const program = trace({ x: { dtype: "float32" as const, shape: ["B", "T", k] } }, ({ x }) => {
    const added = bias === undefined ? undefined : constant(tensorOf("float32", [N], bias));
    return { y: int8Matmul(x as Value, groupsOf(matrix), added) };
  });
  const session = await compile(engine, program);
  return async (rows) => {
    const lead = rows.length === 0 ? [2, 0] : [rows.length, 1];
    const { y } = await session.run({ x: tensorOf("float32", [...lead, k], rows.flat()) });
    expect(y!.shape).toEqual([...lead, N]);
    const data = Array.from(y!.data as Float32Array);
    return rows.map((_, i) => data.slice(i * N, (i + 1) * N));
  };
};

const column = ({ k, q, scale }: Matrix, n: number): number[] => {
  const own = q.filter((_, i) => i % N === n);
  return Array.from({ length: k }, (_, row) => {
    let sum = 0;
    for (let at = row; at < own.length; at += k) sum += own[at]!;
    return sum * scale;
  });
};
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const times = (row: readonly number[], matrix: Matrix): number[] =>
  Array.from({ length: N }, (_, n) => dot(row, column(matrix, n)));

describe.each([
  ["int8, one group", [40], false],
  ["int8, two groups", [100, 100], false],
  ["int8, groups of different sizes", [96, 96, 96, 96, 96, 97], false],
  ["uint8, one group", [40], true],
  ["uint8, two groups", [100, 100], true],
  ["uint8, groups of different sizes", [96, 96, 96, 96, 96, 97], true],
  ["int8, two parts of all rows", [70, 70], false],
  ["uint8, two parts of all rows", [577, 577], true],
] as const)("%s", (name, widths, unsigned) => {
  const stored = widths.reduce<number>((a, b) => a + b, 0);
  const k = name.endsWith("all rows") ? widths[0] : stored;
  const of = (q: readonly number[], scale = 1): Matrix => ({ k, widths, q, scale, unsigned });
  const drawn = (): number[] => draw(stored * N, -127, 128).map(Math.floor);
  const matrix = of(drawn(), 0.01);
  const rows = Array.from({ length: 7 }, () => draw(k));

  test("a row's result is, bit for bit, the same alone and beside any others", async () => {
    const run = await productOf(matrix, draw(N));
    const alone: number[][] = [];
    for (const row of rows) alone.push(...(await run([row])));
    expect(await run(rows)).toEqual(alone);
    expect((await run([...rows].reverse())).reverse()).toEqual(alone);
    const massive = draw(k, -1e4, 1e4);
    expect((await run([massive, ...rows])).slice(1)).toEqual(alone);
    expect((await run([...rows, massive, massive.map(() => 0)])).slice(0, rows.length)).toEqual(alone);
  });

  test.each([1, 10, 100, 1e4])("a channel %i times as large costs the others a low digit", async (factor) => {
    const run = await productOf(matrix);
    const spiked = rows.map((row, b) => row.map((v, i) => (i === (b * 7) % k ? factor : v)));
    const got = await run(spiked);
    const half = factor / (2 * 126 * 63);
    for (const [b, row] of spiked.entries()) {
      const want = times(row, matrix);
      for (let n = 0; n < N; n++) {
        const w = column(matrix, n);
        const rounding = 1e-5 * (1 + Math.abs(want[n]!)) + 5e-7 * factor;
        const error = Math.abs(got[b]![n]! - want[n]!);
        expect(error).toBeLessThan(half * w.reduce((s, v) => s + Math.abs(v), 0) + rounding);
        // Errors are as likely up as down: five times their standard deviation.
        expect(error).toBeLessThan((5 * half * Math.sqrt(dot(w, w))) / Math.sqrt(3) + rounding);
      }
    }
  });

  test("does not saturate: the largest digits and weights of any signs give exact integers", async () => {
    const signs = [() => 1, () => -1, (i: number) => (i % 2 ? 1 : -1), (i: number) => (i % 3 ? 1 : -1)];
    for (const sign of signs) {
      const full = of(Array.from({ length: stored * N }, (_, i) => 127 * sign(Math.floor(i / N) % k)));
      const run = await productOf(full);
      const integers = signs.map((own) => Array.from({ length: k }, (_, i) => 63 * own(i)));
      expect(await run(integers)).toEqual(integers.map((row) => times(row, full)));
      // High digits of even numbers, low ones of 63 or -63.
      const halves = signs.map((own) =>
        Array.from({ length: k }, (_, i) => (i === 0 ? 63 : own(i) * (2 * (i % 31) + 0.5))),
      );
      const got = await run(halves);
      for (const [b, row] of halves.entries()) {
        for (const [n, want] of times(row, full).entries()) {
          expect(Math.abs(got[b]![n]! - want)).toBeLessThan(0.5 + 1e-6 * Math.abs(want));
        }
      }
    }
  });

  test("rows of integers up to 63 times whole weights are exact", async () => {
    const whole = of(drawn());
    const integers = rows.map((row) => row.map((v, i) => (i === 1 ? 63 : Math.floor(v * 63))));
    expect(await (await productOf(whole))(integers)).toEqual(integers.map((row) => times(row, whole)));
  });

  test("a row a power of two as large has a result as much larger, bit for bit", async () => {
    const run = await productOf(matrix);
    const got = await run(rows);
    for (const factor of [2 ** -60, 2 ** -10, 2 ** 10, 2 ** 60]) {
      const scaled = await run(rows.map((row) => row.map((v) => v * factor)));
      expect(scaled.map((row) => row.map((v) => v / factor))).toEqual(got);
    }
  });

  test("zero rows give the bias, zero weights too, and no rows nothing", async () => {
    const bias = draw(N).map(Math.fround);
    const run = await productOf(matrix, bias);
    const zero = new Array<number>(k).fill(0);
    expect(await run([zero])).toEqual([bias]);
    expect(await run([rows[0]!, zero, rows[1]!])).toEqual([
      ...(await run([rows[0]!])),
      bias,
      ...(await run([rows[1]!])),
    ]);
    const none = await productOf(of(new Array(stored * N).fill(0)), bias);
    expect(await none([rows[0]!, zero])).toEqual([bias, bias]);
    expect(await run([])).toEqual([]);
  });
});
