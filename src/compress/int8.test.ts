import { describe, expect, test } from "vitest";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { rng } from "../util/rng.ts";
import { groupBounds, int8Parts } from "./int8.ts";
import { matrixOf } from "./matrix.ts";

const random = rng(7, "int8");
const drawn = (k: number, n: number): Tensor =>
  tensorOf(
    "float32",
    [k, n],
    Array.from({ length: k * n }, () => random.uniform() - 0.5),
  );
const numbers = ({ data }: Tensor): number[] => Array.from(data as Int8Array, Number);
const packed = (w: Tensor, options = {}) => int8Parts(matrixOf("w", w, "kn"), options);

/** [K, N] again. */
const unpacked = (parts: Readonly<Record<string, Tensor>>, zero = 0): number[] => {
  const rows: number[] = [];
  for (let i = 0; parts[`q${i}`] !== undefined; i++) {
    const scale = numbers(parts[`scale${i}`]!);
    rows.push(...numbers(parts[`q${i}`]!).map((q, at) => (q - zero) * scale[at % scale.length]!));
  }
  return rows;
};

test.each([
  [1, 4, [0, 1]],
  [40, 6, [0, 40]],
  [143, 6, [0, 143]],
  [200, 6, [0, 100, 200]],
  [577, 6, [0, 96, 192, 288, 384, 480, 577]],
  [576, 8191, [0, 96, 192, 288, 384, 480, 576]],
  [64, 8192, [0, 32, 64]],
  [90, 8192, [0, 32, 60, 90]],
])("groups of %i inputs for %i outputs", (k, n, bounds) => {
  expect(groupBounds(k, n)).toEqual(bounds);
});

test("bounds rise, and groups are near their size, for any number of inputs", () => {
  for (let k = 1; k < 1200; k++) {
    for (const [n, size] of [
      [64, 96],
      [8192, 32],
    ] as const) {
      const bounds = groupBounds(k, n);
      const widths = bounds.slice(1).map((to, i) => to - bounds[i]!);
      expect([bounds[0], bounds.at(-1)]).toEqual([0, k]);
      expect(Math.min(...widths)).toBeGreaterThan(k < size ? 0 : size / 2);
      expect(Math.max(...widths)).toBeLessThan(2 * size);
    }
  }
});

describe.each([40, 200, 577])("a matrix of %i inputs", (k) => {
  const w = drawn(k, 5);
  const parts = packed(w);
  const bounds = groupBounds(k, 5);

  test("is within half a step of each group's scale", () => {
    const got = unpacked(parts);
    expect(got).toHaveLength(k * 5);
    for (const [i, from] of bounds.slice(0, -1).entries()) {
      const scale = numbers(parts[`scale${i}`]!);
      for (let at = from * 5; at < bounds[i + 1]! * 5; at++) {
        expect(Math.abs(got[at]! - numbers(w)[at]!)).toBeLessThan(scale[at % 5]! * 0.50001);
      }
    }
  });

  test("meets the largest of each column of each group, at 127 or -127", () => {
    for (const [i, from] of bounds.slice(0, -1).entries()) {
      const q = numbers(parts[`q${i}`]!);
      for (let j = 0; j < 5; j++) {
        const own = (values: number[]) => values.filter((_, at) => at % 5 === j).map(Math.abs);
        expect(Math.max(...own(q))).toBe(127);
        const top = Math.max(...own(numbers(w).slice(from * 5, bounds[i + 1]! * 5)));
        expect(numbers(parts[`scale${i}`]!)[j]).toBeCloseTo(top / 127, 7);
      }
    }
  });

  test("packs to the same from either layout, and unsigned to 128 more", () => {
    const turned = Array.from({ length: k * 5 }, (_, at) => numbers(w)[(at % k) * 5 + Math.floor(at / k)]!);
    expect(int8Parts(matrixOf("w", tensorOf("float32", [5, k], turned), "nk"))).toEqual(parts);
    const unsigned = packed(w, { unsigned: true });
    expect(Object.keys(unsigned)).toEqual(Object.keys(parts));
    expect(unpacked(unsigned, 128)).toEqual(unpacked(parts));
    expect(Object.values(unsigned).map(({ dtype }) => dtype)).toEqual(
      bounds.slice(1).flatMap(() => ["uint8", "float32"]),
    );
  });
});

test("a group that is large costs the others nothing", () => {
  const w = drawn(200, 3);
  const [plain, { data }] = [packed(w), structuredClone(w)];
  data[7] = 1e4;
  const spoilt = packed({ ...w, data });
  expect([spoilt.q1, spoilt.scale1]).toEqual([plain.q1, plain.scale1]);
  expect(spoilt.q0).not.toEqual(plain.q0);
});

test("zeros stay zeros, with scales that are finite and not 0", () => {
  const w = tensorOf("float32", [200, 2], new Array(400).fill(0));
  expect(unpacked(packed(w))).toEqual(numbers(w));
  expect(unpacked(packed(w, { unsigned: true }), 128)).toEqual(numbers(w));
  expect(numbers(packed(w).scale1!)).toEqual([1, 1]);
});
