/** Sums over what a site's products read, and over what those are to come to. */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { abs, mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { pad, reshape, sum, transpose } from "../../ops/structure.ts";
import { DataError } from "../../util/errors.ts";
import { type Moments, RUN, type SecondMoments } from "../rounding/moments.ts";
import type { Site } from "../sites.ts";

/** What a site's product is to come to. */
export interface Target {
  /** [..., N] */
  readonly value: Value;
  /** What each row counts, its square that is, [...]; all alike without. */
  readonly weight?: Value;
}

/** Sums over the rows x [K] of a site and y [N] of its target, where rows have weights both times these. */
export interface Cross {
  /** How many rows there are, or their squared weights' sum. */
  readonly count: number;
  /** Sum of x, weighed twice where rows have weights, [K]. */
  readonly inputs: Float64Array;
  /** Sum of y, the same, [N]. */
  readonly targets: Float64Array;
  /** Sum of x y^T, [K, N]. */
  readonly products: Float64Array;
}

const countOf = ({ shape }: Value): number => (shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);

/** [..., K] -> [rows, K], times the weight of each row. */
const asRows = (x: Value, weight?: Value): Value => {
  const rows = countOf(x);
  const flat = reshape(x, [rows, x.shape.at(-1)!]);
  return weight === undefined ? flat : mul(flat, reshape(weight, [rows, 1]));
};

/** What is summed of x [..., K] and a target. */
export const crossOf = (x: Value, target: Target | undefined): Record<string, Value> => {
  if (target === undefined) return {};
  const { value, weight } = target;
  const [rows, y] = [asRows(x, weight), asRows(value, weight)];
  const products = matmul(rows, y, { transA: true });
  if (weight === undefined) return { products, inputs: sum(rows, [0]), targets: sum(y, [0]) };
  const w = reshape(weight, [countOf(x), 1]);
  const total = (of: Value): Value => sum(mul(of, w), [0]);
  return { products, inputs: total(rows), targets: total(y), weights: total(w) };
};

/** Rows [R, K] -> what inputs of one run have in common, [runs, RUN, RUN]. */
const nearOf = (rows: Value): Value => {
  const [count, k] = rows.shape as [number, number];
  const runs = Math.ceil(k / RUN);
  const apart = reshape(pad(rows, 1, 0, runs * RUN - k), [count, runs, RUN]);
  const of = transpose(apart, [1, 0, 2]);
  return matmul(of, of, { transA: true });
};

/** What is summed of x [..., K], of rows that may have weights. */
export const sumsOf = (x: Value, gram: boolean, weight?: Value): Record<string, Value> => {
  const rows = asRows(x, weight);
  return {
    absolutes: sum(abs(rows), [0]),
    ...(gram ? { gram: matmul(rows, rows, { transA: true }) } : { near: nearOf(rows) }),
  };
};

const addTo = (total: Float64Array, values: ArrayLike<number>): void => {
  for (let i = 0; i < total.length; i++) total[i]! += values[i]!;
};

/** Sums of one site over batches. */
export const totals = (site: Site, gram: boolean) => {
  const k = site.x.shape.at(-1) as number;
  const rows = (site.x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  const absolutes = new Float64Array(k);
  const products = new Float64Array(gram ? k * k : Math.ceil(k / RUN) * RUN * RUN);
  let count = 0;
  return {
    add: (out: Readonly<Record<string, Tensor>>): void => {
      addTo(absolutes, out["sums.absolutes"]!.data as Float32Array);
      addTo(products, out[gram ? "sums.gram" : "sums.near"]!.data as Float32Array);
      count += rows;
    },
    moments: (): Moments | SecondMoments => {
      if (!absolutes.every(Number.isFinite)) {
        throw new DataError("reads numbers that are not finite on the calibration text", {
          tensor: site.paths[0]!,
          hint: "look at the weights of this layer and those before it",
        });
      }
      const squareAt = gram ? (i: number) => i * k + i : (i: number) => i * RUN + (i % RUN);
      const squares = Float64Array.from({ length: k }, (_, i) => products[squareAt(i)]!);
      return { k, count, squares, absolutes, ...(gram ? { gram: products } : { near: products }) };
    },
  };
};

/** Sums of a site and its target over batches of so many rows. */
export const crossTotals = (names: readonly string[], rows: number) => {
  let count = 0;
  const sums = new Map<string, Float64Array>();
  return {
    add: (out: Readonly<Record<string, Tensor>>): void => {
      for (const name of names) {
        const values = out[`cross.${name}`]!.data as Float32Array;
        const total = sums.get(name) ?? new Float64Array(values.length);
        addTo(total, values);
        sums.set(name, total);
      }
      count += rows;
    },
    cross: (): { cross?: Cross } => {
      const [inputs, targets, products] = ["inputs", "targets", "products"].map((name) => sums.get(name));
      if (inputs === undefined || targets === undefined || products === undefined) return {};
      return { cross: { count: sums.get("weights")?.[0] ?? count, inputs, targets, products } };
    },
  };
};
