import { expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { eigen } from "./eigen.ts";
import { principal } from "./principal.ts";

const symmetric = (n: number): Float64Array => {
  const random = rng(2, "eigen");
  const m = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) m[i * n + j] = m[j * n + i] = random.normal();
  return m;
};

test.each([1, 2, 3, 24])("a matrix of %i is its eigenvectors and eigenvalues", (n) => {
  const m = symmetric(n);
  const { values, vectors } = eigen(m, n);
  expect([...values]).toEqual([...values].sort((a, b) => b - a));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const dot = Array.from({ length: n }, (_, k) => vectors[i * n + k]! * vectors[j * n + k]!);
      const product = Array.from({ length: n }, (_, k) => m[j * n + k]! * vectors[i * n + k]!);
      const sum = (all: number[]): number => all.reduce((a, b) => a + b, 0);
      expect(sum(dot)).toBeCloseTo(Number(i === j), 10);
      expect(sum(product)).toBeCloseTo(values[i]! * vectors[i * n + j]!, 10);
    }
  }
});

test("a matrix with equal eigenvalues and zeros falls apart", () => {
  const { values } = eigen(Float64Array.from([2, 0, 0, 0, 2, 0, 0, 0, 0]), 3);
  expect([...values]).toEqual([2, 2, 0]);
});

test("rows lie along their components, and rows that do not count are 0", () => {
  // Points on the line (1, 2, 0) * t around (5, 5, 5), and one that does not count.
  const ts = [-2, -1, 0, 1, 2];
  const data = Float32Array.from([...ts.flatMap((t) => [5 + t, 5 + 2 * t, 5]), 100, -100, 3]);
  const out = principal({ data, rows: 6, width: 3 }, 2, { counts: (row) => row < 5 });
  const sign = Math.sign(out[8]!);
  ts.forEach((t, i) => {
    expect(sign * out[2 * i]!).toBeCloseTo(t * Math.sqrt(5), 5);
    expect(out[2 * i + 1]).toBeCloseTo(0, 5);
  });
  expect([...out.slice(10)]).toEqual([0, 0]);
  const rest = principal({ data, rows: 6, width: 3 }, 1, { counts: (row) => row < 5, skip: 1 });
  for (const x of rest) expect(x).toBeCloseTo(0, 5);
});
