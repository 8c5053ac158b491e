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

/** The parts of a group each, [K, N] again. */
const groupsOf = (parts: Readonly<Record<string, Tensor>>, zero = 0): number[][] => {
  const groups: number[][] = [];
  for (let i = 0; parts[`q${i}`] !== undefined; i++) {
    const scale = numbers(parts[`scale${i}`]!);
    groups.push(numbers(parts[`q${i}`]!).map((q, at) => (q - zero) * scale[at % scale.length]!));
  }
  return groups;
};
const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
const column = (values: readonly number[], j: number, n: number): number[] =>
  values.filter((_, at) => at % n === j);
/** The largest error of rounding to steps of `scale`, in steps. */
const stepsOff = (got: readonly number[], want: readonly number[], scale: readonly number[]): number =>
  largest(got.map((v, at) => (v - want[at]!) / scale[at % scale.length]!));
/** Names, dtypes, shapes and bytes: quick to compare. */
const bytesOf = (parts: Readonly<Record<string, Tensor>>): unknown =>
  Object.entries(parts).map(([name, { dtype, shape, data }]) => {
    const { buffer, byteOffset, byteLength } = data as Int8Array;
    return [name, dtype, shape, Buffer.from(buffer, byteOffset, byteLength).toString("base64")];
  });
/** An unsigned matrix is the signed one and 128 more. */
const isShifted = (unsigned: Readonly<Record<string, Tensor>>, parts: Readonly<Record<string, Tensor>>) =>
  Object.entries(parts).every(([name, part]) => {
    const [own, shift] = [numbers(unsigned[name]!), name.startsWith("q") ? 128 : 0];
    return own.length === part.data.length && numbers(part).every((v, at) => own[at] === v + shift);
  });
/** [K, N] as [N, K]. */
const turned = (w: Tensor, k: number, n: number): Tensor => {
  const data = numbers(w);
  const values = Array.from({ length: k * n }, (_, at) => data[(at % k) * n + Math.floor(at / k)]!);
  return tensorOf("float32", [n, k], values);
};

test.each([
  [1, 4, [0, 1]],
  [40, 6, [0, 40]],
  [287, 6, [0, 287]],
  [288, 6, [0, 144, 288]],
  [577, 6, [0, 192, 384, 577]],
  [576, 8191, [0, 192, 384, 576]],
  [64, 8192, [0, 32, 64]],
  [90, 8192, [0, 32, 60, 90]],
])("groups of %i inputs for %i outputs", (k, n, bounds) => {
  expect(groupBounds(k, n)).toEqual(bounds);
});

test("bounds rise by fours, and groups are near their size, for any number of inputs", () => {
  for (let k = 1; k < 2400; k++) {
    for (const [n, size] of [
      [64, 192],
      [8192, 32],
    ] as const) {
      const bounds = groupBounds(k, n);
      const widths = bounds.slice(1).map((to, i) => to - bounds[i]!);
      expect([bounds[0], bounds.at(-1)]).toEqual([0, k]);
      expect(bounds.slice(0, -1).filter((at) => at % 4 !== 0)).toEqual([]);
      expect(Math.min(...widths)).toBeGreaterThan(k < size ? 0 : size / 2);
      expect(Math.max(...widths)).toBeLessThan(2 * size);
    }
  }
});

describe.each([
  [40, 5],
  [200, 101],
  [400, 193],
  [577, 193],
  [44, 8192],
])("a matrix of %i inputs and %i outputs", (k, n) => {
  const w = drawn(k, n);
  const parts = packed(w);
  const bounds = groupBounds(k, n);
  const wide = numbers(w);
  const groups = bounds.slice(1).map((to, i) => wide.slice(bounds[i]! * n, to * n));

  test("has a part for each group, within half a step of its scale", () => {
    const got = groupsOf(parts);
    expect(got.map((values) => values.length)).toEqual(groups.map((values) => values.length));
    for (const [i, values] of got.entries()) {
      expect(stepsOff(values, groups[i]!, numbers(parts[`scale${i}`]!))).toBeLessThan(0.50001);
    }
  });

  test("meets the largest of each column of each group, at 127 or -127", () => {
    for (const [i, values] of groups.entries()) {
      for (const j of [0, 1, n - 1]) {
        expect(largest(column(numbers(parts[`q${i}`]!), j, n))).toBe(127);
        expect(numbers(parts[`scale${i}`]!)[j]).toBeCloseTo(largest(column(values, j, n)) / 127, 7);
      }
    }
  });

  test("packs to the same from either layout, and unsigned to 128 more", () => {
    expect(bytesOf(int8Parts(matrixOf("w", turned(w, k, n), "nk")))).toEqual(bytesOf(parts));
    const unsigned = packed(w, { unsigned: true });
    expect(Object.keys(unsigned)).toEqual(Object.keys(parts));
    expect(isShifted(unsigned, parts)).toBe(true);
    expect(Object.values(unsigned).map(({ dtype }) => dtype)).toEqual(
      groups.flatMap(() => ["uint8", "float32"]),
    );
  });
});

describe.each([
  [64, 32],
  [200, 5],
  [577, 192],
])("a narrow matrix of %i inputs and %i outputs", (k, n) => {
  const w = drawn(k, n);
  const parts = packed(w);

  test("takes two parts of all its rows, together within half a step of the second's scale", () => {
    expect(Object.entries(parts).map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ["q0", "int8", [k, n]],
      ["scale0", "float32", [n]],
      ["q1", "int8", [k, n]],
      ["scale1", "float32", [n]],
    ]);
    const [first, second] = groupsOf(parts) as [number[], number[]];
    const [scale0, scale1] = [numbers(parts.scale0!), numbers(parts.scale1!)];
    const wide = numbers(w);
    expect(stepsOff(first, wide, scale0)).toBeLessThan(0.50001);
    const sum = first.map((v, at) => v + second[at]!);
    // What the first part leaves is a float32.
    expect(stepsOff(sum, wide, scale1)).toBeLessThan(0.501);
    for (const j of [0, 1, n - 1]) {
      expect(scale1[j]).toBeLessThan((scale0[j]! * 0.50001) / 127);
      expect(largest(column(numbers(parts.q1!), j, n))).toBe(127);
    }
  });

  test("packs to the same from either layout, and unsigned to 128 more", () => {
    expect(bytesOf(int8Parts(matrixOf("w", turned(w, k, n), "nk")))).toEqual(bytesOf(parts));
    const unsigned = packed(w, { unsigned: true });
    expect(Object.values(unsigned).map(({ dtype }) => dtype)).toEqual([
      ...["uint8", "float32", "uint8", "float32"],
    ]);
    expect(isShifted(unsigned, parts)).toBe(true);
  });
});

test.each([
  ["few inputs", 63, 4],
  ["outputs more than half of its inputs", 200, 101],
  ["more than 192 outputs", 500, 193],
])("a matrix of %s is not narrow", (_, k, n) => {
  expect(packed(drawn(k, n)).q0!.shape).toEqual([groupBounds(k, n)[1], n]);
  expect(Object.keys(packed(drawn(k, n)))).toHaveLength(2 * (groupBounds(k, n).length - 1));
});

test("a group that is large costs the others nothing", () => {
  const w = drawn(400, 201);
  const [plain, { data }] = [packed(w), structuredClone(w)];
  data[7] = 1e4;
  const spoilt = packed({ ...w, data });
  const halves = (parts: typeof plain, i: number) =>
    bytesOf({ q: parts[`q${i}`]!, scale: parts[`scale${i}`]! });
  expect(halves(spoilt, 1)).toEqual(halves(plain, 1));
  expect(halves(spoilt, 0)).not.toEqual(halves(plain, 0));
});

test.each([
  ["groups", 400, 201],
  ["two parts", 200, 2],
])("zeros stay zeros in %s, with scales that are finite and not 0", (_, k, n) => {
  const w = tensorOf("float32", [k, n], new Array(k * n).fill(0));
  const zeros = [
    largest(groupsOf(packed(w)).flat()),
    largest(groupsOf(packed(w, { unsigned: true }), 128).flat()),
  ];
  expect(zeros).toEqual([0, 0]);
  expect(new Set([...numbers(packed(w).scale0!), ...numbers(packed(w).scale1!)])).toEqual(new Set([1]));
});

test("a column that the first part holds exactly leaves the second zeros", () => {
  const w = tensorOf(
    "float32",
    [128, 1],
    Array.from({ length: 128 }, (_, i) => i - 64 - (i === 0 ? 63 : 0)),
  );
  const parts = packed(w);
  expect(groupsOf(parts)).toEqual([numbers(w), new Array(128).fill(0)]);
  expect(numbers(parts.scale1!)).toEqual([1]);
});
