import { describe, expect, test } from "vitest";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { rng } from "../util/rng.ts";
import { int4Parts } from "./int4.ts";
import { matrixOf } from "./matrix.ts";

const random = rng(11, "int4");
const numbers = ({ data }: Tensor): number[] => Array.from(data as Uint8Array, Number);
const nibble = (bytes: readonly number[], i: number): number => (bytes[i >> 1]! >> (4 * (i % 2))) & 15;
const packed = (rows: readonly (readonly number[])[]) =>
  int4Parts(matrixOf("w", tensorOf("float32", [rows.length, rows[0]!.length], rows.flat()), "nk"));

/** Each block's q, what stands for 0, and scale. */
const blocksOf = (parts: Readonly<Record<string, Tensor>>) => {
  const [q, scale, zero] = [numbers(parts.q!), numbers(parts.scale!), numbers(parts.zero!)];
  const blocks = parts.q!.shape[1]!;
  return scale.map((step, at) => {
    const row = Math.floor(at / blocks);
    const own = zero.slice(row * Math.ceil(blocks / 2), (row + 1) * Math.ceil(blocks / 2));
    const nibbles = Array.from({ length: 32 }, (_, i) => nibble(q.slice(at * 16, at * 16 + 16), i));
    return { q: nibbles, zero: nibble(own, at % blocks), scale: step };
  });
};

const unpacked = (parts: Readonly<Record<string, Tensor>>, k: number): number[][] => {
  const blocks = parts.q!.shape[1]!;
  const values = blocksOf(parts).map(({ q, zero, scale }) => q.map((v) => (v - zero) * scale));
  return Array.from({ length: values.length / blocks }, (_, row) =>
    values
      .slice(row * blocks, (row + 1) * blocks)
      .flat()
      .slice(0, k),
  );
};

const draw = (k: number, low: number, high: number): number[] =>
  Array.from({ length: k }, () => low + (high - low) * random.uniform());

const squared = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => sum + (v - b[i]!) ** 2, 0);

/** Rounding to 16 steps over the whole range of a block with 0, and what stands for 0 a step itself. */
const fullRange = (values: readonly number[]): number[] => {
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const scale = Math.fround((high - low) / 15);
  const zero = Math.round(-low / scale);
  return values.map((v) => (Math.min(15, Math.max(0, Math.round(v / scale) + zero)) - zero) * scale);
};

const ranges = [
  ["positive", 0.2, 1],
  ["negative", -1, -0.2],
  ["mixed", -1, 1],
  ["mostly positive", -0.1, 1],
  ["mostly negative", -3, 0.4],
] as const;

describe.each([32, 40, 70, 96])("rows of %i", (k) => {
  test.each(ranges)("of %s numbers are no further off than with the whole range", (_, low, high) => {
    const rows = [draw(k, low, high), draw(k, low, high), draw(k, low, high)];
    rows[1]![3] = 2 * high - low;
    const got = unpacked(packed(rows), k);
    for (const [row, values] of rows.entries()) {
      for (let from = 0; from < k; from += 32) {
        const want = values.map(Math.fround).slice(from, from + 32);
        const own = got[row]!.slice(from, from + 32);
        expect(squared(own, want)).toBeLessThanOrEqual(squared(fullRange(want), want) * 1.0001);
        const width = Math.max(0, ...want) - Math.min(0, ...want);
        // What is cut off, a fifth, or half a step and half a step of what stands for 0.
        expect(Math.max(...want.map((v, i) => Math.abs(v - own[i]!)))).toBeLessThan(width * 0.28);
      }
    }
  });

  test("of numbers on their blocks' grids come back as they are", () => {
    // The first two of each block are the ends of its grid.
    const step = (i: number) => (i < 2 ? 15 * i : (i * 7) % 16);
    const centres = [0, 15, 6];
    const rows = centres.map((zero) =>
      Array.from({ length: k }, (_, i) => (step(i % 32) - zero) * 0.25 * (1 + (i >> 5))),
    );
    expect(unpacked(packed(rows), k)).toEqual(rows);
    const zeros = blocksOf(packed(rows)).map(({ zero }) => zero);
    expect(zeros).toEqual(centres.flatMap((zero) => new Array(Math.ceil(k / 32)).fill(zero)));
  });

  test("has parts of the layout's shapes, and padding that stands for 0", () => {
    const parts = packed([draw(k, -1, 1), draw(k, 0.5, 1)]);
    const blocks = Math.ceil(k / 32);
    expect(parts.q!.shape).toEqual([2, blocks, 16]);
    expect(parts.scale!.shape).toEqual([2 * blocks]);
    expect(parts.zero!.shape).toEqual([2 * Math.ceil(blocks / 2)]);
    const last = blocksOf(parts)[blocks - 1]!;
    expect(last.q.slice(k % 32 || 32)).toEqual(new Array((32 - (k % 32)) % 32).fill(last.zero));
  });
});

test("one sign takes all 16 steps: half the error that steps for both signs make", () => {
  const row = draw(64, 0, 1);
  const [got] = unpacked(packed([row]), 64);
  const both = row.map((v) => Math.max(-8, Math.min(7, Math.round(v / (1 / -8)))) * (1 / -8));
  expect(Math.sqrt(squared(got!, row) / squared(both, row))).toBeLessThan(0.6);
});

test("zeros stay zeros, with scales that are finite and not 0", () => {
  const rows = [new Array(70).fill(0), draw(70, 1, 2)];
  const parts = packed(rows);
  expect(unpacked(parts, 70)[0]).toEqual(rows[0]);
  expect(numbers(parts.scale!).slice(0, 3)).toEqual([1, 1, 1]);
});

test("the smallest numbers are not lost to a step of 0", () => {
  const [got] = unpacked(packed([[1e-45, -1e-45, ...new Array(30).fill(0)]]), 32);
  expect(got!.every((v) => Math.abs(v) < 1e-43)).toBe(true);
});
