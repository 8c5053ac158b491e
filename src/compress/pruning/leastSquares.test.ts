import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { rng } from "../../util/rng.ts";
import type { Cross } from "../calibration/sums.ts";
import { momentsOf } from "../rounding/moments.ts";
import { fitted } from "./leastSquares.ts";

const [K, N] = [12, 3];

const random = rng(1, "least squares");
const numbers = (count: number): Float64Array => Float64Array.from({ length: count }, () => random.normal());

/** Sums over rows x [count, K] and y [count, N]. */
const sumsOf = (x: Float64Array, y: Float64Array) => {
  const count = x.length / K;
  const cross = {
    count,
    inputs: new Float64Array(K),
    targets: new Float64Array(N),
    products: new Float64Array(K * N),
  };
  for (let r = 0; r < count; r++) {
    for (let i = 0; i < K; i++) {
      cross.inputs[i]! += x[r * K + i]!;
      for (let j = 0; j < N; j++) cross.products[i * N + j]! += x[r * K + i]! * y[r * N + j]!;
    }
    for (let j = 0; j < N; j++) cross.targets[j]! += y[r * N + j]!;
  }
  return { moments: momentsOf(x, K), cross: cross satisfies Cross };
};

const truth = numbers(K * N);
const biases = [3, -1, 0.5];

/** What products by `truth` give, with noise. */
const targets = (x: Float64Array, { noise = 0, bias = [0, 0, 0] }): Float64Array =>
  Float64Array.from({ length: (x.length / K) * N }, (_, at) => {
    const [r, j] = [Math.floor(at / N), at % N];
    let sum = bias[j]! + noise * random.normal();
    for (let i = 0; i < K; i++) sum += x[r * K + i]! * truth[i * N + j]!;
    return sum;
  });

const zeros = tensor("float32", [K, N], new Float32Array(K * N));
const how = { damping: 1e-9, biased: false, inputAxis: 0 } as const;

test("a matrix is found again, with its bias, whichever way it lies", () => {
  const x = numbers(200 * K).map((v, i) => v + (i % K) / 4);
  const sums = sumsOf(x, targets(x, { bias: biases }));
  const { weight, bias } = fitted(zeros, { ...sums, ...how, biased: true });
  for (const [i, v] of weight.entries()) expect(v).toBeCloseTo(truth[i]!, 4);
  for (const [j, v] of bias.entries()) expect(v).toBeCloseTo(biases[j]!, 4);
  const turned = tensor("float32", [N, K], new Float32Array(K * N));
  const other = fitted(turned, { ...sums, ...how, biased: true, inputAxis: 1 }).weight;
  for (const [at, v] of other.entries()) expect(v).toBeCloseTo(weight[(at % K) * N + Math.floor(at / K)]!, 5);
});

test("of a change that rows of its own do not bear out little is made", () => {
  const rows = (count: number, of: (x: Float64Array) => Float64Array) => {
    const x = numbers(count * K);
    return sumsOf(x, of(x));
  };
  const noise = (x: Float64Array) => numbers((x.length / K) * N);
  const chance = fitted(zeros, { ...rows(16, noise), ...how, heldOut: rows(16, noise) });
  expect(chance.share).toBeLessThan(0.2);
  const real = (x: Float64Array) => targets(x, { noise: 0.1 });
  const lasting = fitted(zeros, { ...rows(40, real), ...how, heldOut: rows(16, real) });
  expect(lasting.share).toBeGreaterThan(0.95);
  expect(lasting.weight.every((v, i) => Math.abs(v - truth[i]!) < 0.2)).toBe(true);
});

test("few rows of a wide matrix are fitted as much as rows of its own bear out", () => {
  const [k, n] = [96, 80];
  const wide = tensor("float32", [k, n], new Float32Array(k * n));
  const way = Float64Array.from({ length: k * n }, () => random.normal() / Math.sqrt(k));
  const rows = (count: number) => {
    const x = numbers(count * k);
    const y = new Float64Array(count * n);
    for (let r = 0; r < count; r++) {
      for (let j = 0; j < n; j++) {
        let sum = 2 * random.normal();
        for (let i = 0; i < k; i++) sum += x[r * k + i]! * way[i * n + j]!;
        y[r * n + j] = sum;
      }
    }
    return { x, y };
  };
  const sumsOver = ({ x, y }: ReturnType<typeof rows>) => {
    const count = x.length / k;
    const cross = {
      count,
      inputs: new Float64Array(k),
      targets: new Float64Array(n),
      products: new Float64Array(k * n),
    };
    for (let r = 0; r < count; r++)
      for (let i = 0; i < k; i++)
        for (let j = 0; j < n; j++) cross.products[i * n + j]! += x[r * k + i]! * y[r * n + j]!;
    return { moments: momentsOf(x, k), cross: cross satisfies Cross };
  };
  const [seen, apart, fresh] = [rows(108), rows(36), rows(200)].map(sumsOver) as [
    ReturnType<typeof sumsOver>,
    ReturnType<typeof sumsOver>,
    ReturnType<typeof sumsOver>,
  ];
  /** What a change takes from the sum of squares on rows that nobody saw. */
  const gain = (d: Float32Array): number => {
    let total = 0;
    for (let i = 0; i < k; i++) {
      for (let j = 0; j < n; j++) {
        let own = 0;
        for (let m = 0; m < k; m++) own += fresh.moments.gram[i * k + m]! * d[m * n + j]!;
        total += d[i * n + j]! * (2 * fresh.cross.products[i * n + j]! - own);
      }
    }
    return total;
  };
  const options = { ...seen, heldOut: apart, biased: false, inputAxis: 0 } as const;
  const chosen = fitted(wide, options);
  const weak = fitted(wide, { ...options, damping: 0.01 });
  expect(chosen.damping).toBeGreaterThan(0.1);
  expect(gain(chosen.weight)).toBeGreaterThan(2 * Math.max(0, gain(weak.weight)));
  expect(gain(chosen.weight)).toBeGreaterThan(0);
});
