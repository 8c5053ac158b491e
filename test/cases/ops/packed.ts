/** Rows of products with packed weights. */
import type { Value } from "../../../src/ir/op.ts";
import * as ops from "../../../src/ops/index.ts";
import { draw, type Flat, make, product, rows } from "../../reference.ts";
import { type Arg, type Case, casesOf, f32, given, int32, int64 } from "./case.ts";

/** Largest |x * w| error of a matrix [k, n] when each x is off by half of `step` of the largest. */
const digitsBound = (x: Flat, w: Flat, n: number, step: number): number => {
  const columns = make([n], ([j]) => w.reduce((sum, v, i) => (i % n === j ? sum + Math.abs(v) : sum), 0));
  return Math.max(...x.map(Math.abs)) * (step / 2) * Math.max(...columns) + 1e-5;
};

const ints = (name: string, n: number, low: number, high: number): number[] =>
  draw(name, n, low, high).map(Math.floor);

const bytes = (name: string, n: number): number[] => ints(name, n, 0, 256);

/** What stands in an 8-bit matrix of `k` inputs: its form, and what stands for 0. */
interface Int8Kind extends ops.Int8Form {
  readonly zero: 0 | 128;
}

/** Inputs q [k, n] (over the range that one digit stands), scale and, of strong inputs, rows. */
const int8Inputs = (k: number, n: number, { zero, strong }: Int8Kind): Arg[] => {
  const weak = ints("int8", k * n, -64, 65).map((v, at) => (strong.includes(Math.floor(at / n)) ? 0 : v));
  const q = given(
    zero === 0 ? "int8" : "uint8",
    [k, n],
    weak.map((v) => v + zero),
  );
  return [q, f32([n], 0.01, 0.02), ...(strong.length === 0 ? [] : [f32([strong.length, n])])];
};

/** The matrix [K, n] of its parts. */
const int8Matrix = ([q, scale, rows]: readonly Flat[], n: number, { zero, strong }: Int8Kind): number[] =>
  q!.map((v, at) => {
    const row = strong.indexOf(Math.floor(at / n));
    return row < 0 ? (v - zero) * scale![at % n]! : rows![row * n + (at % n)]!;
  });

const int8Of = ([q, scale, rows]: readonly Value[]): ops.Int8Matrix => ({
  q: q!,
  scale: scale!,
  ...(rows === undefined ? {} : { rows }),
});

const int8Kinds = ([0, 1, 2] as const).flatMap((digits) =>
  ([0, 128] as const).flatMap((zero) =>
    (digits === 0 ? [[]] : [[], [1, 5]]).map((strong): Int8Kind => ({ digits, zero, strong })),
  ),
);

const int8Name = ({ digits, zero, strong }: Int8Kind): string =>
  `${digits} digits, ${zero === 0 ? "signed" : "unsigned"}, ${strong.length} strong inputs`;

const int8Product = (kind: Int8Kind, biased: boolean): Case => {
  const k = 70;
  const step = [0, 1 / 127, 1 / (126 * 63)][kind.digits]!;
  const count = kind.strong.length === 0 ? 2 : 3;
  return {
    name: `${int8Name(kind)}${biased ? " and bias" : ""}`,
    inputs: [f32([3, k]), ...int8Inputs(k, 4, kind), ...(biased ? [f32([4])] : [])],
    build: (x, ...rest) =>
      ops.int8Matmul(x!, int8Of(rest.slice(0, count)), kind, biased ? rest.at(-1)! : undefined),
    reference: (x, ...rest) => [
      product(x!, int8Matrix(rest, 4, kind), 3, k, 4).map((v, i) => v + (biased ? rest.at(-1)![i % 4]! : 0)),
    ],
    bound: (x, ...rest) => digitsBound(x!, int8Matrix(rest, 4, kind), 4, step),
    // To the input alone: test/kinds.test.ts has it.
    gradient: "skipped",
  };
};

const int8Lookup = (kind: Int8Kind, ids: Arg): Case => {
  const k = 6;
  return {
    name: `${int8Name(kind)}, ids ${ids.shape.join(" by ")}`,
    inputs: [ids, ...int8Inputs(k, 4, kind)],
    dims: { B: 2, T: 2 },
    build: (at, ...parts) => ops.int8Rows(int8Of(parts), at!, kind),
    reference: (at, ...parts) => {
      const matrix = int8Matrix(parts, 4, kind);
      return [at!.flatMap((id) => make([k], ([i]) => matrix[i! * 4 + id]!))];
    },
    gradient: "refused",
    tolerance: 1e-7,
  };
};

type Int4Flat = readonly [q: Flat, scale: Flat, zero: Flat];

/** Row `n` of an int4 matrix [N, blocks, block / 2], low nibble first. */
const int4Row = ([q, scale, zero]: Int4Flat, n: number, k: number, block: number): number[] => {
  const blocks = Math.ceil(k / block);
  const nibble = (values: Flat, from: number, i: number) => (values[from + (i >> 1)]! >> (4 * (i % 2))) & 15;
  return make([k], ([i]) => {
    const b = Math.floor(i! / block);
    const centre = nibble(zero, n * Math.ceil(blocks / 2), b);
    return (nibble(q, n * blocks * (block / 2), i!) - centre) * scale[n * blocks + b]!;
  });
};

const int4Product =
  (k: number, n: number, block: number) =>
  (x?: Flat, q?: Flat, scale?: Flat, zero?: Flat, bias?: Flat): number[][] => [
    rows(x!, k, (row) =>
      make([n], ([j]) => {
        const w = int4Row([q!, scale!, zero!], j!, k, block);
        return row.reduce((s, v, i) => s + v * w[i]!, bias?.[j!] ?? 0);
      }),
    ),
  ];

const int4Inputs = (k: number, n: number): Arg[] => {
  const blocks = Math.ceil(k / 32);
  const zeroBytes = n * Math.ceil(blocks / 2);
  return [
    given("uint8", [n, blocks, 16], bytes("int4", n * blocks * 16)),
    f32([n * blocks], 0.05, 0.2),
    given("uint8", [zeroBytes], bytes("zero", zeroBytes)),
  ];
};

type Int4Args = (Value | undefined)[];

const int4Of = ([q, scale, zero]: Int4Args): ops.Int4Blocks => ({ q: q!, scale: scale!, zero: zero! });

export const packed = casesOf({
  int8Matmul: int8Kinds.flatMap((kind) => [false, true].map((biased) => int8Product(kind, biased))),
  digitRounded: [
    {
      name: "but for strong inputs",
      inputs: [f32([3, 8])],
      build: (x) => ops.digitRounded(x!, [2]),
      reference: (x) => [
        rows(x!, 8, (row) => {
          const most = Math.max(...row.map((v, i) => (i === 2 ? 0 : Math.abs(v))));
          return row.map((v, i) => (i === 2 ? 0 : (Math.round((v / most) * 127) / 127) * most));
        }),
      ],
      gradient: "refused",
    },
  ],
  // Gradients, to the input alone: test/kinds.test.ts has them.
  int4Matmul: [
    {
      name: "float32 accuracy",
      inputs: [f32([3, 64]), ...int4Inputs(64, 5)],
      build: (x, ...w) => ops.int4Matmul(x!, int4Of(w), { block: 32, accuracy: 1 }),
      reference: int4Product(64, 5, 32),
      gradient: "skipped",
    },
    {
      name: "int8 accuracy and bias",
      inputs: [f32([2, 2, 64]), ...int4Inputs(64, 5), f32([5])],
      build: (x, q, scale, zero, bias) =>
        ops.int4Matmul(x!, int4Of([q, scale, zero]), { block: 32, bias: bias! }),
      reference: int4Product(64, 5, 32),
      tolerance: 2e-2,
      gradient: "skipped",
    },
    ...[40, 70].map(
      (k): Case => ({
        name: `a last block that is not full, of ${Math.ceil(k / 32)}`,
        inputs: [f32([3, k]), ...int4Inputs(k, 4)],
        build: (x, ...w) => ops.int4Matmul(x!, int4Of(w), { block: 32, accuracy: 1 }),
        reference: int4Product(k, 4, 32),
        gradient: "skipped",
      }),
    ),
  ],
  int8Dense: ([0, 128] as const).map((zero): Case => {
    const kind: Int8Kind = { digits: 2, zero, strong: [] };
    return {
      name: int8Name(kind),
      inputs: int8Inputs(8, 4, kind),
      build: (...parts) => ops.int8Dense(int8Of(parts)),
      reference: (...parts) => [int8Matrix(parts, 4, kind)],
      gradient: "refused",
      tolerance: 1e-7,
    };
  }),
  int4Dense: [64, 40, 70].map(
    (k): Case => ({
      name: `${Math.ceil(k / 32)} blocks of ${k} inputs`,
      inputs: int4Inputs(k, 4),
      build: (...parts) => ops.int4Dense(int4Of(parts), k),
      reference: (q, scale, zero) => [[0, 1, 2, 3].flatMap((n) => int4Row([q!, scale!, zero!], n, k, 32))],
      gradient: "refused",
      tolerance: 1e-7,
    }),
  ),
  int8Rows: int8Kinds.map((kind, i) =>
    int8Lookup(kind, [int32([2, 2], 3, 0, 0, 1), int32([3], 3, 0, 1), int64(["B", "T"], 3, 0, 0, 1)][i % 3]!),
  ),
  int4Rows: (
    [
      [64, "rows"],
      [40, "rows whose last block is not full"],
      [70, "rows of three blocks"],
    ] as const
  ).map(
    ([k, name]): Case => ({
      name,
      inputs: [...int4Inputs(k, 4), int32(["B", 2], 3, 0, 0, 1)],
      dims: { B: 2 },
      build: (q, scale, zero, ids) => ops.int4Rows(int4Of([q, scale, zero]), ids!, k),
      reference: (q, scale, zero, ids) => [ids!.flatMap((id) => int4Row([q!, scale!, zero!], id, k, 32))],
      gradient: "refused",
      tolerance: 1e-7,
    }),
  ),
});
