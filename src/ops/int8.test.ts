import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, type Value } from "../ir/op.ts";
import { nodesOf, type Program, trace } from "../ir/program.ts";
import { tensor, tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { optimize } from "../rewrite/index.ts";
import { rng } from "../util/rng.ts";
import { type Digits, digitRounded, int8Matmul } from "./int8.ts";
import { turnInPlace } from "./rotation.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const N = 5;
const random = rng(13, "int8");
const draw = (n: number, low = -1, high = 1): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());

/** An 8-bit matrix [k, N] under one scale, and the float32 rows of its strong inputs. */
interface Matrix {
  readonly k: number;
  readonly q: readonly number[];
  readonly scale: number;
  readonly digits: Digits;
  readonly unsigned: boolean;
  readonly strong: readonly number[];
  readonly rows: readonly number[];
}

const partsOf = ({ k, q, scale, unsigned, strong, rows }: Matrix) => {
  const weak = q.map((v, at) => (strong.includes(Math.floor(at / N)) ? 0 : v));
  const data = unsigned ? Uint8Array.from(weak, (v) => v + 128) : Int8Array.from(weak);
  return {
    q: constant(tensor(unsigned ? "uint8" : "int8", [k, N], data)),
    scale: constant(tensorOf("float32", [N], new Array(N).fill(scale))),
    ...(strong.length === 0 ? {} : { rows: constant(tensorOf("float32", [strong.length, N], rows)) }),
  };
};

type Run = (rows: readonly (readonly number[])[]) => Promise<number[][]>;

/** Products of a matrix with rows, as many at a time as are given; where none are, with two texts of no tokens. */
const productOf = async (matrix: Matrix, bias?: readonly number[]): Promise<Run> => {
  const { k } = matrix;
  const program = trace({ x: { dtype: "float32" as const, shape: ["B", "T", k] } }, ({ x }) => {
    const added = bias === undefined ? undefined : constant(tensorOf("float32", [N], bias));
    return { y: int8Matmul(x as Value, partsOf(matrix), matrix, added) };
  }) as unknown as Program;
  const session = await compile(engine, program);
  return async (rows) => {
    const lead = rows.length === 0 ? [2, 0] : [rows.length, 1];
    const { y } = await session.run({ x: tensorOf("float32", [...lead, k], rows.flat()) });
    expect(y!.shape).toEqual([...lead, N]);
    const data = Array.from(y!.data as Float32Array);
    return rows.map((_, i) => data.slice(i * N, (i + 1) * N));
  };
};

const column = ({ k, q, scale, strong, rows }: Matrix, n: number): number[] =>
  Array.from({ length: k }, (_, i) => {
    const at = strong.indexOf(i);
    return at < 0 ? q[i * N + n]! * scale : rows[at * N + n]!;
  });
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((s, v, i) => s + v * b[i]!, 0);
const times = (row: readonly number[], matrix: Matrix): number[] =>
  Array.from({ length: N }, (_, n) => dot(row, column(matrix, n)));

/** Half of a step of the digits, as a share of the row's largest input but the strong. */
const halfStep = { 0: 0, 1: 1 / (2 * 127), 2: 1 / (2 * 126 * 63) } as const;

const cases = ([0, 1, 2] as const).flatMap((digits) =>
  [false, true].flatMap((unsigned) =>
    (digits === 0 ? [[]] : [[], [0, 3, 39]]).map((strong) => ({
      digits,
      unsigned,
      strong,
      k: strong.length === 0 ? 577 : 40,
    })),
  ),
);

describe.each(cases)("digits $digits, unsigned $unsigned, strong inputs $strong", (given) => {
  const { k, digits, strong } = given;
  const strongRows = draw(strong.length * N);
  const of = (q: readonly number[], scale = 1): Matrix => ({ ...given, q, scale, rows: strongRows });
  const drawn = (): number[] => draw(k * N, -63, 64).map(Math.floor);
  const matrix = of(drawn(), 0.01);
  const rows = Array.from({ length: 7 }, () => draw(k));

  test("a row's result is, bit for bit, the same alone and beside any others", async () => {
    // Whole float32 products, and their strong parts, are summed in an order that depends on the rows.
    const same = (a: number[][], b: number[][]) => {
      if (digits !== 0 && strong.length === 0) expect(a).toEqual(b);
      for (const [i, row] of a.entries()) {
        for (const [n, v] of row.entries()) expect(v).toBeCloseTo(b[i]![n]!, 4);
      }
    };
    const run = await productOf(matrix, draw(N));
    const alone: number[][] = [];
    for (const row of rows) alone.push(...(await run([row])));
    same(await run(rows), alone);
    const massive = draw(k, -1e4, 1e4);
    same((await run([massive, ...rows])).slice(1), alone);
    same((await run([...rows, massive, massive.map(() => 0)])).slice(0, rows.length), alone);
  });

  test.each([1, 10, 100, 1e4])(
    "is as near as its digits where an input is %i times as large",
    async (factor) => {
      const run = await productOf(matrix);
      const spiked = rows.map((row, b) =>
        row.map((v, i) => (i === (strong[b % 3] ?? (b * 7) % k) ? factor : v)),
      );
      const got = await run(spiked);
      for (const [b, row] of spiked.entries()) {
        const want = times(row, matrix);
        const largest = Math.max(...row.map((v, i) => (strong.includes(i) ? 0 : Math.abs(v))));
        // A strong input does not widen the steps of the others.
        expect(largest).toBeLessThanOrEqual(strong.length > 0 ? 1 : Math.max(1, factor));
        for (let n = 0; n < N; n++) {
          const w = column(matrix, n).map((v, i) => (strong.includes(i) ? 0 : v));
          const rounding = 1e-5 * (1 + Math.abs(want[n]!)) + 1e-6 * factor;
          const error = Math.abs(got[b]![n]! - want[n]!);
          const half = halfStep[digits] * largest;
          expect(error).toBeLessThan(half * w.reduce((s, v) => s + Math.abs(v), 0) + rounding);
          // Errors are as likely up as down: five times their standard deviation.
          expect(error).toBeLessThan((5 * half * Math.sqrt(dot(w, w))) / Math.sqrt(3) + rounding);
        }
      }
    },
  );

  test("does not saturate: the largest digits and weights of any signs give the right sums", async () => {
    const signs = [() => 1, () => -1, (i: number) => (i % 2 ? 1 : -1), (i: number) => (i % 3 ? 1 : -1)];
    // Two neighbours of one sign may be 128 together where inputs are one digit, else 254.
    const largest = digits === 1 ? 64 : 127;
    for (const sign of signs) {
      const full = of(Array.from({ length: k * N }, (_, at) => largest * sign(Math.floor(at / N))));
      const run = await productOf(full);
      const integers = signs.map((own) => Array.from({ length: k }, (_, i) => 127 * own(i)));
      const got = await run(integers);
      for (const [b, row] of integers.entries()) {
        for (const [n, want] of times(row, full).entries()) {
          expect(Math.abs(got[b]![n]! - want)).toBeLessThan(0.01 + 1e-6 * Math.abs(want));
        }
      }
    }
  });

  test("a row a power of two as large has a result as much larger", async () => {
    const run = await productOf(matrix);
    const got = await run(rows);
    for (const factor of [2 ** -60, 2 ** -10, 2 ** 10, 2 ** 60]) {
      const scaled = await run(rows.map((row) => row.map((v) => v * factor)));
      expect(scaled.map((row) => row.map((v) => v / factor))).toEqual(got);
    }
  });

  test("zero rows give the bias, and no rows nothing", async () => {
    const bias = draw(N).map(Math.fround);
    const run = await productOf(matrix, bias);
    const zero = new Array<number>(k).fill(0);
    expect(await run([zero])).toEqual([bias]);
    expect((await run([rows[0]!, zero, rows[1]!]))[1]).toEqual(bias);
    expect(await run([])).toEqual([]);
  });
});

test("products of one x in one form share its digits; others do not", () => {
  const matrix = {
    ...{ k: 8, q: draw(8 * N, -9, 9).map(Math.floor), scale: 1, unsigned: false, rows: draw(N) },
  };
  const digitsIn = (...forms: { digits: Digits; strong: number[] }[]): number => {
    const program = trace({ x: { dtype: "float32" as const, shape: [2, 8] } }, ({ x }) =>
      forms.map((form) => int8Matmul(x, partsOf({ ...matrix, ...form }), form)),
    ) as unknown as Program;
    return nodesOf(optimize(program)).filter(({ op }) => op.name === "digits").length;
  };
  expect(digitsIn({ digits: 1, strong: [3] }, { digits: 1, strong: [3] })).toBe(1);
  expect(digitsIn({ digits: 1, strong: [3] }, { digits: 2, strong: [3] }, { digits: 1, strong: [4] })).toBe(
    3,
  );
  expect(digitsIn({ digits: 0, strong: [] })).toBe(0);
});

test("what one digit reads is what the product of an identity gives", async () => {
  const [k, strong] = [N, [1]];
  const q = Array.from({ length: k * N }, (_, at) => (Math.floor(at / N) === at % N ? 1 : 0));
  const program = trace({ x: { dtype: "float32" as const, shape: [3, k] } }, ({ x }) => ({
    rounded: digitRounded(x, strong),
    product: int8Matmul(
      x,
      partsOf({ k, q, scale: 1, digits: 1, unsigned: false, strong, rows: new Array(N).fill(0) }),
      { digits: 1, strong },
    ),
  })) as unknown as Program;
  const session = await compile(engine, program);
  const { rounded, product } = await session.run({ x: tensorOf("float32", [3, k], draw(3 * k)) });
  const both = [rounded!, product!].map(({ data }) => Array.from(data as Float32Array));
  expect(new Set(both[0]!).size).toBeGreaterThan(8);
  for (const [i, v] of both[0]!.entries()) expect(v).toBeCloseTo(both[1]![i]!, 6);
});

test.each([0, 1, 2] as const)("turned inputs times codes of turned weights, %i digits", async (digits) => {
  const [k, strong, rotation] = [16, [3], 8];
  const q = draw(k * N, -63, 64).map(Math.floor);
  const given = { k, q, scale: 0.01, digits, unsigned: false, strong, rows: draw(N) };
  const parts = partsOf({ ...given, strong: [] });
  const rows = constant(tensorOf("float32", [1, N], given.rows));
  const program = trace({ x: { dtype: "float32" as const, shape: [3, k] } }, ({ x }) => ({
    y: int8Matmul(x, { ...parts, rows }, { digits, strong, rotation }),
  }));
  const x = draw(3 * k);
  const { y } = await (await compile(engine, program)).run({ x: tensorOf("float32", [3, k], x) });
  for (let j = 0; j < N; j++) {
    // The weights that the codes stand for: turned back, the strong input's replaced by its row.
    const column = Float32Array.from({ length: k }, (_, i) => q[i * N + j]! * given.scale);
    turnInPlace(column, rotation);
    column[strong[0]!] = given.rows[j]!;
    for (let row = 0; row < 3; row++) {
      const want = dot(Array.from(column), x.slice(row * k, (row + 1) * k));
      expect(Math.abs((y!.data[row * N + j] as number) - want)).toBeLessThan(digits === 1 ? 0.05 : 0.001);
    }
  }
});
