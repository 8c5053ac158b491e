import { describe, expect, test } from "vitest";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { kinds } from "../nn/kinds/index.ts";
import type { Digits, Int8Form } from "../ops/int8.ts";
import { rng } from "../util/rng.ts";
import { int8Parts, plainForm } from "./int8.ts";
import { matrixOf } from "./matrix.ts";

const random = rng(7, "int8");
const drawn = (k: number, n: number): Tensor =>
  tensorOf(
    "float32",
    [k, n],
    Array.from({ length: k * n }, () => random.uniform() - 0.5),
  );
const numbers = ({ data }: Tensor): number[] => Array.from(data as Int8Array, Number);
const packed = (w: Tensor, form: Int8Form, options = {}) => int8Parts(matrixOf("w", w, "kn"), form, options);
const form = (digits: Digits, ...strong: number[]): Int8Form => ({ digits, strong });

/** Names, dtypes, shapes and bytes: quick to compare. */
const bytesOf = (parts: Readonly<Record<string, Tensor>>): unknown =>
  Object.entries(parts).map(([name, { dtype, shape, data }]) => {
    const { buffer, byteOffset, byteLength } = data as Int8Array;
    return [name, dtype, shape, Buffer.from(buffer, byteOffset, byteLength).toString("base64")];
  });
/** [K, N] as [N, K]. */
const turned = (w: Tensor, k: number, n: number): Tensor => {
  const data = numbers(w);
  const values = Array.from({ length: k * n }, (_, at) => data[(at % k) * n + Math.floor(at / k)]!);
  return tensorOf("float32", [n, k], values);
};

test.each([
  [64, 2047, 0],
  [64, 2048, 2],
  [1024, 128, 2],
])("an unmeasured matrix of %i inputs and %i outputs reads %i digits", (k, n, digits) => {
  expect(plainForm({ k, n })).toEqual({ digits, strong: [] });
});

describe.each([
  [40, 5],
  [200, 101],
  [577, 193],
])("a matrix of %i inputs and %i outputs", (k, n) => {
  const w = drawn(k, n);
  const wide = numbers(w);
  const strong = [0, 7, k - 1];

  test.each([form(2), form(1), form(0), form(2, ...strong), form(1, ...strong)])(
    "is within half a step of its scale but for strong rows, which are exact: %j",
    (own) => {
      const parts = packed(w, own);
      const [q, scale] = [numbers(parts.q!), numbers(parts.scale!)];
      const apart = new Set(own.strong);
      const weak = wide.map((v, at) => (apart.has(Math.floor(at / n)) ? 0 : v));
      const off = q.map((v, at) => Math.abs(v - weak[at]! / scale[at % n]!));
      expect(Math.max(...off)).toBeLessThan(0.50001);
      expect(Object.keys(parts)).toEqual(["q", "scale", ...(own.strong.length > 0 ? ["rows"] : [])]);
      if (own.strong.length === 0) return;
      expect(numbers(parts.rows!)).toEqual(own.strong.flatMap((i) => wide.slice(i * n, (i + 1) * n)));
    },
  );

  test("takes the whole range where pairs may be large", () => {
    const { q, scale } = packed(w, form(2));
    for (const j of [0, 1, n - 1]) {
      const column = (values: readonly number[]) => values.filter((_, at) => at % n === j).map(Math.abs);
      expect(Math.max(...column(numbers(q!)))).toBe(127);
      expect(numbers(scale!)[j]).toBeCloseTo(Math.max(...column(wide)) / 127, 7);
    }
  });

  test("of one digit has no two neighbours that reach 129 together, and some that come near", () => {
    const q = numbers(packed(w, form(1)).q!);
    let most = 0;
    for (let i = 0; i + 1 < k; i += 2) {
      for (let j = 0; j < n; j++) most = Math.max(most, Math.abs(q[i * n + j]! + q[(i + 1) * n + j]!));
    }
    expect(most).toBeLessThanOrEqual(128);
    expect(most).toBeGreaterThan(124);
    // 8 bits and a sign times two weights: what the 16-bit sums of processors without VNNI hold.
    expect(255 * most).toBeLessThan(2 ** 15);
  });

  test("packs to the same from either layout, and unsigned to 128 more", () => {
    const own = form(1, 3);
    const parts = packed(w, own);
    expect(bytesOf(int8Parts(matrixOf("w", turned(w, k, n), "nk"), own))).toEqual(bytesOf(parts));
    const unsigned = packed(w, own, { unsigned: true });
    expect(unsigned.q!.dtype).toBe("uint8");
    expect(numbers(unsigned.q!)).toEqual(numbers(parts.q!).map((v) => v + 128));
    expect(bytesOf({ ...unsigned, q: parts.q! })).toEqual(bytesOf(parts));
  });
});

test("by steps it rounds each input's weights times its step; a table lies output by output", () => {
  const [k, n] = [40, 6];
  const w = drawn(k, n);
  const steps = Array.from({ length: k }, (_, i) => 2 ** ((i % 5) - 6));
  const own = { digits: 1, strong: [], steps, zero: 100 } as const;
  const stretched = tensorOf(
    "float32",
    [k, n],
    numbers(w).map((v, at) => v * steps[Math.floor(at / n)]!),
  );
  expect(bytesOf(packed(w, own))).toEqual(bytesOf(packed(stretched, form(1))));
  const [plain, table] = [packed(w, own), packed(w, own, { table: true })];
  expect(table.q!.shape).toEqual([n, k]);
  expect(numbers(table.q!)).toEqual(numbers(turned(plain.q!, k, n)));
  expect(table.scale).toEqual(plain.scale);
});

test("of turned inputs a large weight costs the others less, and turned back all are what they were", () => {
  const [k, n] = [128, 6];
  const w = drawn(k, n);
  const data = Float32Array.from(w.data as Float32Array, (v, at) => (at % 7 === 0 && at < 2 * n ? 8 * v : v));
  const error = (own: Int8Form): number => {
    const parts = packed({ ...w, data }, own);
    const about = { dtype: "float32", shape: [k, n], layout: "kn", kind: kinds.int8 } as const;
    const back = kinds.int8.dense({ ...about, parts, attrs: { ...own } });
    const off = numbers(back).map((v, at) => v - data[at]!);
    for (let j = 0; j < n; j++) for (const i of own.strong) expect(off[i * n + j]).toBe(0);
    return Math.hypot(...off) / Math.hypot(...data);
  };
  const own = { digits: 1, strong: [3, 100] } as const;
  const [plain, turnedFirst] = [error(own), error({ ...own, rotation: 64 })];
  expect(turnedFirst).toBeLessThan(0.02);
  expect(turnedFirst).toBeLessThan(0.8 * plain);
});

test("a strong row that is large costs the others nothing", () => {
  const w = drawn(40, 6);
  const data = Float32Array.from(w.data as Float32Array, (v, at) => (Math.floor(at / 6) === 7 ? 1e4 * v : v));
  const [plain, spoilt] = [packed(w, form(2, 7)), packed({ ...w, data }, form(2, 7))];
  expect(bytesOf({ q: spoilt.q!, scale: spoilt.scale! })).toEqual(
    bytesOf({ q: plain.q!, scale: plain.scale! }),
  );
});

test.each([0, 1, 2] as const)(
  "zeros stay zeros for %i digits, with scales that are finite and not 0",
  (digits) => {
    const w = tensorOf("float32", [8, 3], new Array(24).fill(0));
    for (const unsigned of [false, true]) {
      const { q, scale } = packed(w, form(digits, 2), { unsigned });
      expect(new Set(numbers(q!))).toEqual(new Set([unsigned ? 128 : 0]));
      expect(numbers(scale!)).toEqual([1, 1, 1]);
    }
  },
);
