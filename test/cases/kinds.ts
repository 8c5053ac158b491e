/** Rows for each kind of weight: one of random parts, and the same numbers worked out from them here. */
import { type Tensor, tensor, tensorOf } from "../../src/ir/tensor.ts";
import { kinds } from "../../src/nn/kinds/index.ts";
import type { Layout, Weight } from "../../src/nn/param.ts";
import { rng } from "../../src/util/rng.ts";

/** Outputs of every case. */
export const N = 6;

export interface KindCase {
  readonly name: string;
  /** Inputs. */
  readonly k: number;
  weight(layout: Layout): Weight;
  /** The weight at input k, output n. */
  at(k: number, n: number): number;
  /** The largest error of rounding the inputs, as a share of the largest input times the sum of a column. */
  readonly share: number;
  /** The largest error of rows that are sums in float32, as a share of the largest number (0). */
  readonly slack?: number;
}

const random = rng(3, "kinds");
export const draw = (n: number, low: number, high: number): number[] =>
  Array.from({ length: n }, () => low + (high - low) * random.uniform());
const ints = (n: number, low: number, high: number): number[] => draw(n, low, high).map(Math.floor);
export const floats = (shape: readonly number[], low = -1, high = 1): Tensor =>
  tensorOf(
    "float32",
    shape,
    draw(
      shape.reduce((a, b) => a * b, 1),
      low,
      high,
    ),
  );

/** What a packed weight says of the dense one. */
export const shaped = (k: number, layout: Layout) =>
  ({ dtype: "float32", shape: layout === "kn" ? [k, N] : [N, k], layout }) as const;

/**
 * Groups of `widths` inputs over the whole range, int8 or uint8 around 128; a later one is of another size.
 * Parts of all inputs, each finer than the one before, are added up.
 */
const int8 = (name: string, widths: readonly number[], { unsigned = false, added = false }): KindCase => {
  const zero = unsigned ? 128 : 0;
  const parts: Record<string, Tensor> = {};
  const matrix: number[][] = [];
  for (const [i, k] of widths.entries()) {
    const q = ints(k * N, -127, 128);
    const factor = added ? 200 ** -i : 4 ** i;
    const scale = floats([N], 0.01 * factor, 0.02 * factor);
    const bytes = q.map((v) => v + zero);
    parts[`q${i}`] = unsigned
      ? tensor("uint8", [k, N], Uint8Array.from(bytes))
      : tensor("int8", [k, N], Int8Array.from(bytes));
    parts[`scale${i}`] = scale;
    const first = added ? 0 : matrix.length;
    for (let row = 0; row < k; row++) {
      const before = matrix[first + row];
      matrix[first + row] = Array.from(scale.data as Float32Array, (v, n) =>
        Math.fround((before?.[n] ?? 0) + Math.fround(q[row * N + n]! * v)),
      );
    }
  }
  const k = matrix.length;
  return {
    ...{ name, k, weight: (layout) => ({ ...shaped(k, layout), kind: kinds.int8, parts }) },
    at: (row, n) => matrix[row]![n]!,
    // Half of a low digit, of which a high one has 126 and the largest input 63 high ones.
    share: 1 / (2 * 126 * 63),
  };
};

const int4 = (name: string, k: number, block = 32): KindCase => {
  const blocks = Math.ceil(k / block);
  const [bytes, zeroBytes] = [block / 2, Math.ceil(blocks / 2)];
  const q = Uint8Array.from(ints(N * blocks * bytes, 0, 256));
  const zero = Uint8Array.from(ints(N * zeroBytes, 0, 256));
  const scale = floats([N * blocks], 0.05, 0.1);
  const nibble = (values: Uint8Array, from: number, i: number) =>
    (values[from + (i >> 1)]! >> (4 * (i % 2))) & 15;
  const parts = {
    q: tensor("uint8", [N, blocks, bytes], q),
    scale,
    zero: tensor("uint8", [N * zeroBytes], zero),
  };
  return {
    ...{ name, k, weight: (layout) => ({ ...shaped(k, layout), kind: kinds.int4, parts }) },
    at: (row, n) => {
      const b = Math.floor(row / block);
      const centred = nibble(q, n * blocks * bytes, row) - nibble(zero, n * zeroBytes, b);
      return Math.fround(centred * (scale.data[n * blocks + b] as number));
    },
    // Half a step of 8 bits, of x and of what stands for 0.
    share: 2 / 255,
  };
};

/** A plain tensor, to stand something on. */
const denseCase = (k: number): KindCase => {
  const values = draw(k * N, -1, 1).map(Math.fround);
  const at = (row: number, n: number): number => values[row * N + n]!;
  return {
    ...{ name: "a dense matrix", k, at, share: 0 },
    weight: (layout) => {
      const { shape } = shaped(k, layout);
      const turned = values.map((_, i) => at(i % k, Math.floor(i / k)));
      return tensorOf("float32", shape, layout === "kn" ? values : turned);
    },
  };
};

/** An adapter of rank 2 over another case's weight. */
const adapted = (over: KindCase): KindCase => {
  const [rank, scale] = [2, 1.5];
  const [a, b] = [floats([rank, over.k]), floats([N, rank])];
  const low = (row: number, n: number): number => {
    let sum = 0;
    for (let r = 0; r < rank; r++) {
      sum += (b.data[n * rank + r] as number) * (a.data[r * over.k + row] as number);
    }
    return sum;
  };
  return {
    ...{ name: `over ${over.name}`, k: over.k, share: over.share, slack: 1e-6 },
    weight: (layout) => ({
      ...{ ...shaped(over.k, layout), kind: kinds.adapted, attrs: { scale, dropout: 0 } },
      parts: { base: over.weight(layout), a, b },
    }),
    at: (row, n) => Math.fround(over.at(row, n) + scale * low(row, n)),
  };
};

export const kindCases: Record<keyof typeof kinds, readonly KindCase[]> = {
  int8: [
    int8("one group", [40], {}),
    int8("two groups", [100, 100], {}),
    int8("groups of different sizes", [96, 96, 96, 96, 96, 97], {}),
    int8("one unsigned group", [40], { unsigned: true }),
    int8("two unsigned groups", [100, 100], { unsigned: true }),
    int8("unsigned groups of different sizes", [96, 96, 96, 96, 96, 97], { unsigned: true }),
    int8("two parts", [100, 100], { added: true }),
    int8("two unsigned parts", [577, 577], { unsigned: true, added: true }),
  ],
  int4: [
    int4("a last block that is not full", 40),
    int4("seven blocks", 200),
    int4("nineteen blocks", 577),
    int4("blocks of 16", 100, 16),
  ],
  adapted: [
    adapted(denseCase(40)),
    adapted(int8("8 bits", [96, 97], {})),
    adapted(int4("4 bits", 70)),
    adapted(adapted(denseCase(40))),
  ],
};
