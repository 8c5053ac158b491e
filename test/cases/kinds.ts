/** Rows for each kind of weight: one of random parts, and the same numbers worked out from them here. */
import { type Tensor, tensor, tensorOf } from "../../src/ir/tensor.ts";
import { outputSquares } from "../../src/nn/kinds/dora.ts";
import { kinds } from "../../src/nn/kinds/index.ts";
import { isPacked, type Layout, type Weight } from "../../src/nn/param.ts";
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

/** How a matrix of 8 bits is stored, and how its product meets its inputs. */
interface Int8Case {
  readonly k?: number;
  readonly unsigned?: boolean;
  readonly strong?: readonly number[];
  /** Powers of two that inputs' steps are, in turn: what is computed with them is exact. */
  readonly steps?: readonly number[];
  /** Whether q is [N, K]. */
  readonly table?: boolean;
}

/** Weights over the whole range that a form stands, int8 or uint8 around 128, and rows of strong inputs. */
const int8 = (name: string, digits: 0 | 1 | 2, given: Int8Case): KindCase => {
  const { k = 40, unsigned = false, strong = [], table = false } = given;
  const zero = unsigned ? 128 : 0;
  const most = digits === 1 ? 64 : 127;
  const q = ints(k * N, -most, most + 1).map((v, at) => (strong.includes(Math.floor(at / N)) ? 0 : v));
  const laid = table ? q.map((_, at) => q[(at % k) * N + Math.floor(at / k)]!) : q;
  const bytes = laid.map((v) => v + zero);
  const scale = floats([N], 0.01, 0.02);
  const rows = floats([strong.length, N]);
  const shape = table ? [N, k] : [k, N];
  const parts = {
    q: unsigned
      ? tensor("uint8", shape, Uint8Array.from(bytes))
      : tensor("int8", shape, Int8Array.from(bytes)),
    scale,
    ...(strong.length === 0 ? {} : { rows }),
  };
  const stepAt = (i: number): number => (strong.includes(i) ? 1 : given.steps![i % given.steps!.length]!);
  const steps = given.steps && Array.from({ length: k }, (_, i) => stepAt(i));
  const attrs = {
    ...{ digits, strong },
    ...(steps === undefined ? {} : { steps, zero: 128 }),
    ...(table ? { table: 1 } : {}),
  };
  const ofDigits = [0, 1 / (2 * 127), 1 / (2 * 126 * 63)][digits]!;
  return {
    ...{ name, k, weight: (layout) => ({ ...shaped(k, layout), kind: kinds.int8, parts, attrs }) },
    at: (i, j) => {
      const row = strong.indexOf(i);
      if (row >= 0) return rows.data[row * N + j] as number;
      return Math.fround((q[i * N + j]! * (scale.data[j] as number)) / (steps?.[i] ?? 1));
    },
    // Half a step: of two digits a low one, of which a high one has 126 and the largest input 63 high ones.
    share: given.steps === undefined || digits === 0 ? ofDigits : Math.max(...given.steps) / 2,
  };
};

const fewBits = (bits: 4 | 2, name: string, k: number, block = 32): KindCase => {
  const each = 8 / bits;
  const blocks = Math.ceil(k / block);
  const [bytes, zeroBytes] = [block / each, Math.ceil(blocks / each)];
  const q = Uint8Array.from(ints(N * blocks * bytes, 0, 256));
  const zero = Uint8Array.from(ints(N * zeroBytes, 0, 256));
  const scale = floats([N * blocks], 0.05, 0.1);
  const value = (values: Uint8Array, from: number, i: number) =>
    (values[from + Math.floor(i / each)]! >> (bits * (i % each))) & (2 ** bits - 1);
  const parts = {
    q: tensor("uint8", [N, blocks, bytes], q),
    scale,
    zero: tensor("uint8", [N * zeroBytes], zero),
  };
  const kind = bits === 4 ? kinds.int4 : kinds.int2;
  return {
    ...{ name, k, weight: (layout) => ({ ...shaped(k, layout), kind, parts }) },
    at: (row, n) => {
      const b = Math.floor(row / block);
      const centred = value(q, n * blocks * bytes, row) - value(zero, n * zeroBytes, b);
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

/** Another case's weight, of which a float32 matrix is made when the graph is loaded: nothing is rounded. */
const widened = (over: KindCase): KindCase => ({
  ...{ name: `${over.name}, widened`, k: over.k, at: over.at, share: 0, slack: 1e-6 },
  weight: (layout) => {
    const packed = over.weight(layout);
    if (!isPacked(packed) || packed.kind.widened === undefined) throw new Error(`${over.name} is not packed`);
    return { ...packed, attrs: packed.kind.widened(packed.attrs ?? {}) };
  },
});

/** The length of each output trained apart, over a dense matrix. */
const dora = (k: number): KindCase => {
  const over = denseCase(k);
  const [rank, scale] = [2, 1.5];
  const [a, b, magnitude] = [floats([rank, k]), floats([N, rank]), floats([N], 0.5, 2)];
  const sum = (row: number, n: number): number => {
    const low = [0, 1].map((r) => (b.data[n * rank + r] as number) * (a.data[r * k + row] as number));
    return Math.fround(over.at(row, n) + scale * (low[0]! + low[1]!));
  };
  const lengths = Array.from({ length: N }, (_, n) => {
    const total = Array.from({ length: k }, (__, i) => sum(i, n) ** 2).reduce((x, y) => x + y);
    return Math.fround(Math.sqrt(Math.fround(total)));
  });
  return {
    ...{ name: `over ${over.name}`, k, share: 0, slack: 2e-6 },
    weight: (layout) => {
      const base = over.weight(layout) as Tensor;
      const squares = tensor("float32", [N], outputSquares(base, layout));
      return {
        ...{ ...shaped(k, layout), kind: kinds.dora, attrs: { scale, dropout: 0 } },
        parts: { base, a, b, magnitude, squares },
      };
    },
    at: (row, n) => Math.fround(((magnitude.data[n] as number) * sum(row, n)) / lengths[n]!),
  };
};

/** Some outputs replaced, over another case's weight. */
const tokensCase = (over: KindCase): KindCase => {
  const tokens = [1, 4];
  const rows = floats([tokens.length, over.k]);
  return {
    ...{ name: `over ${over.name}`, k: over.k, share: over.share, slack: over.slack ?? 0 },
    weight: (layout) => ({
      ...{ ...shaped(over.k, layout), kind: kinds.tokens, attrs: { tokens } },
      parts: { base: over.weight(layout), rows },
    }),
    at: (row, n) => {
      const own = tokens.indexOf(n);
      return own < 0 ? over.at(row, n) : (rows.data[own * over.k + row] as number);
    },
  };
};

/** Codes of 3 bits, whose scales learn; numbers lie a quarter beside codes, so that none is at a tie. */
const learningCase = (k: number): KindCase => {
  const [bits, block] = [3, 8];
  const [scale, blocks] = [floats([N, k / block], 0.1, 0.2), k / block];
  const zero = tensor("float32", [N, blocks], Float32Array.from(ints(N * blocks, 1, 6)));
  const codes = ints(k * N, -8, 9);
  const place = (row: number, n: number): number => n * blocks + Math.floor(row / block);
  const near = (row: number, n: number): number =>
    (codes[row * N + n]! + 0.25) * (scale.data[place(row, n)] as number);
  return {
    ...{ name: `${bits} bits`, k, share: 0 },
    weight: (layout) => {
      const { shape } = shaped(k, layout);
      const at = (i: number): number =>
        layout === "kn" ? near(Math.floor(i / N), i % N) : near(i % k, Math.floor(i / k));
      const weight = tensor(
        "float32",
        shape,
        Float32Array.from({ length: k * N }, (_, i) => at(i)),
      );
      return {
        ...shaped(k, layout),
        kind: kinds.rounded,
        attrs: { bits, block },
        parts: { weight, scale, zero },
      };
    },
    at: (row, n) => {
      const [s, z] = [scale, zero].map(({ data }) => data[place(row, n)] as number) as [number, number];
      return Math.fround(Math.max(-z, Math.min(7 - z, codes[row * N + n]!)) * s);
    },
  };
};

export const kindCases: Record<keyof typeof kinds, readonly KindCase[]> = {
  int8: [
    int8("no digits", 0, {}),
    int8("no digits, unsigned", 0, { unsigned: true }),
    int8("one digit", 1, {}),
    int8("one digit and strong inputs", 1, { k: 100, strong: [0, 7, 99] }),
    int8("one digit and strong inputs, unsigned", 1, { unsigned: true, strong: [3] }),
    int8("two digits", 2, { k: 577 }),
    int8("two digits and strong inputs", 2, { k: 100, strong: [5, 50] }),
    int8("two digits, unsigned", 2, { k: 577, unsigned: true }),
    int8("by steps", 1, { k: 100, steps: [1 / 64, 1 / 32] }),
    int8("by steps that are alike, unsigned", 1, { k: 100, unsigned: true, steps: [1 / 64] }),
    int8("by steps, strong inputs apart", 1, { k: 100, steps: [1 / 64, 1 / 32], strong: [0, 7, 99] }),
    int8("a table by steps, strong inputs apart", 1, { table: true, steps: [1 / 64], strong: [3] }),
    int8("a table", 2, { k: 193, table: true, strong: [5, 50] }),
    int8("a table by steps, unsigned", 1, { k: 100, unsigned: true, table: true, steps: [1 / 32, 1 / 64] }),
    widened(int8("two digits and strong inputs", 2, { k: 100, strong: [5, 50] })),
    widened(int8("a table by steps", 1, { k: 100, table: true, steps: [1 / 64, 1 / 32] })),
    widened(int8("by steps, strong inputs apart", 1, { k: 100, steps: [1 / 64, 1 / 32], strong: [0, 7] })),
    widened(int8("one digit, unsigned", 1, { unsigned: true, strong: [3] })),
  ],
  int4: [
    fewBits(4, "a last block that is not full", 40),
    fewBits(4, "seven blocks", 200),
    fewBits(4, "nineteen blocks", 577),
    fewBits(4, "blocks of 16", 100, 16),
    widened(fewBits(4, "a last block that is not full", 40)),
    widened(fewBits(4, "nineteen blocks", 577)),
  ],
  int2: [
    fewBits(2, "a last block that is not full", 40),
    fewBits(2, "five blocks", 160),
    fewBits(2, "nineteen blocks", 577),
    widened(fewBits(2, "five blocks", 160)),
  ],
  rounded: [learningCase(40)],
  adapted: [
    adapted(denseCase(40)),
    adapted(int8("8 bits", 2, { k: 193 })),
    adapted(fewBits(4, "4 bits", 70)),
    adapted(adapted(denseCase(40))),
  ],
  dora: [dora(40), dora(193)],
  tokens: [
    tokensCase(denseCase(40)),
    tokensCase(int8("8 bits", 2, { k: 193 })),
    tokensCase(adapted(denseCase(40))),
  ],
};
