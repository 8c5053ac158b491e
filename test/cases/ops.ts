/**
 * A row for each op: inputs, how to apply it, what plain JavaScript says, and what is known of its gradient.
 */
import { constant, type Value } from "../../src/ir/op.ts";
import { type Dim, type DType, tensorOf } from "../../src/ir/tensor.ts";
import * as losses from "../../src/nn/loss.ts";
import * as ops from "../../src/ops/index.ts";
import { streamOf } from "../../src/util/rng.ts";
import {
  at,
  attendHead,
  count,
  draw,
  erfOf,
  type Flat,
  layerNormRow,
  logSoftmaxRow,
  make,
  matmulOf,
  pick,
  product,
  rmsNormRow,
  rows,
  softmaxRow,
  zip,
} from "../reference.ts";

export interface Arg {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** Uniform in [low, high) where no values are given. */
  readonly range: readonly [low: number, high: number];
  readonly values?: readonly number[];
}

export interface Case {
  readonly name: string;
  readonly inputs: readonly Arg[];
  readonly build: (...inputs: Value[]) => Value | readonly Value[];
  /** The outputs by plain JavaScript. */
  readonly reference?: (...inputs: Flat[]) => number[][];
  /** Sizes of named dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Float inputs take distinct values far apart and off zero: for ops with kinks. */
  readonly spread?: boolean;
  /**
   * "checked" against finite differences unless told; "zero": nothing flows back; "refused": grad() throws.
   * "skipped", which rows of named dimensions are in any case, since only programs of fixed shape are
   * trained.
   */
  readonly gradient?: "checked" | "zero" | "refused" | "skipped";
  /** Largest error of the values relative to the largest value (1e-5). */
  readonly tolerance?: number;
  /** Largest absolute error of output 0, where the op rounds its input. */
  readonly bound?: (...inputs: Flat[]) => number;
}

const f32 = (shape: readonly Dim[], low = -1, high = 1): Arg => ({
  dtype: "float32",
  shape,
  range: [low, high],
});
const given = (dtype: DType, shape: readonly Dim[], values: readonly number[]): Arg => ({
  dtype,
  shape,
  range: [0, 0],
  values,
});
const int32 = (shape: readonly Dim[], ...values: number[]): Arg => given("int32", shape, values);
const int64 = (shape: readonly Dim[], ...values: number[]): Arg => given("int64", shape, values);

type Unary = (x: Value) => Value;
type Binary = (a: Value, b: Value) => Value;

const unary = (
  build: Unary,
  fn: (x: number) => number,
  more: Partial<Case> & { range?: [number, number] } = {},
): Case[] => {
  const { range = [-2, 2], ...rest } = more;
  const inputs = [f32([3, 4], ...range)];
  return [{ name: "matrix", inputs, build, reference: (x) => [x.map(fn)], ...rest }];
};

const binary = (
  build: Binary,
  fn: (a: number, b: number) => number,
  more: Partial<Case> = {},
  low = -2,
): Case[] => {
  const row = (name: string, a: number[], b: number[], out: number[]): Case => ({
    name,
    inputs: [f32(a, low, 2), f32(b, low, 2)],
    build,
    reference: zip(fn, out, a, b),
    ...more,
  });
  return [
    row("same shape", [2, 3], [2, 3], [2, 3]),
    row("broadcast left", [3], [2, 3], [2, 3]),
    row("broadcast both", [2, 1, 3], [4, 1], [2, 4, 3]),
    {
      ...row("named dimension", [2, 3], [3], [2, 3]),
      inputs: [f32(["B", 3], low, 2), f32([3], low, 2)],
      dims: { B: 2 },
    },
  ];
};

const compare = (build: Binary, fn: (a: number, b: number) => boolean): Case[] => [
  ...binary(build, (a, b) => Number(fn(a, b)), { gradient: "zero", spread: true }),
  {
    name: "equal integers",
    inputs: [int32([4], 1, 2, 3, 4), int32([4], 2, 2, 3, -4)],
    build,
    reference: (a, b) => [a.map((x, i) => Number(fn(x, b[i]!)))],
  },
];

type MatmulCase = [name: string, a: number[], b: number[], options?: ops.MatmulOptions];
const matmuls: MatmulCase[] = [
  ["matrices", [3, 4], [4, 2]],
  ["transA", [4, 3], [4, 2], { transA: true }],
  ["transB", [3, 4], [2, 4], { transB: true }],
  ["both, alpha", [4, 3], [2, 4], { transA: true, transB: true, alpha: 0.5 }],
  ["alpha alone", [3, 4], [4, 2], { alpha: -1.5 }],
  ["batch", [2, 3, 4], [2, 4, 2]],
  ["batch, transA", [2, 4, 3], [2, 4, 2], { transA: true }],
  ["batch, transB", [2, 3, 4], [2, 2, 4], { transB: true, alpha: 2 }],
  ["batch of rows against a matrix", [2, 3, 4], [4, 2]],
  ["batch of rows against a transposed matrix", [2, 3, 4], [2, 4], { transB: true }],
  ["transposed batch against a matrix", [2, 4, 3], [4, 2], { transA: true }],
  ["matrix against a batch", [3, 4], [2, 4, 2]],
  ["broadcast batch", [2, 1, 2, 3], [4, 3, 2]],
];

const HALF = 0.5;

/** probs and out of attention over [B, H, T, D]; the mask broadcasts. */
const attention =
  ([b, h, t, d]: [number, number, number, number], s: number, scale: number, maskShape?: number[]) =>
  (q: Flat, k: Flat, v: Flat, mask?: Flat): number[][] => {
    const [out, probs]: [number[], number[]] = [[], []];
    for (let i = 0; i < b * h; i++) {
      const head = (x: Flat, n: number) => x.slice(i * n * d, (i + 1) * n * d);
      const [bi, hi] = [Math.floor(i / h), i % h];
      const of = attendHead(head(q, t), head(k, s), head(v, s), {
        t,
        s,
        d,
        scale,
        mask: (ti, si) => (mask === undefined ? 0 : pick(mask, maskShape!, [bi, hi, ti, si])),
      });
      out.push(...of.out);
      probs.push(...of.probs);
    }
    return [out, probs];
  };

const attendCase = (name: string, maskShape?: number[], mask?: Arg, scale?: number): Case => ({
  name,
  inputs: [f32([2, 2, 3, 2]), f32([2, 2, 4, 2]), f32([2, 2, 4, 2]), ...(mask === undefined ? [] : [mask])],
  build: (q, k, v, m) => ops.attend(q!, k!, v!, m, scale),
  reference: attention([2, 2, 3, 2], 4, scale ?? Math.SQRT1_2, maskShape),
});

interface CachedShape {
  readonly b: number;
  readonly t: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly d: number;
}

/** cachedAttend by attention over the joined cache: causal behind the past, plus the bias [B, 1, T, S]. */
const cached =
  ({ b, t, past, heads, kvHeads, d }: CachedShape) =>
  (qkv: Flat, pastKey: Flat, pastValue: Flat, _seqlens: Flat, _total: Flat, bias?: Flat): number[][] => {
    const s = past + t;
    const width = (heads + 2 * kvHeads) * d;
    const fresh = (bi: number, ti: number, slot: number, x: number) =>
      qkv[(bi * t + ti) * width + slot * d + x]!;
    const grown = (old: Flat, first: number): number[] =>
      make([b, kvHeads, s, d], ([bi, h, si, x]) =>
        si! < past
          ? old[at([bi!, h!, si!, x!], [b, kvHeads, past, d])]!
          : fresh(bi!, si! - past, first + h!, x!),
      );
    const [key, value] = [grown(pastKey, heads), grown(pastValue, heads + kvHeads)];
    const out = new Array<number>(b * t * heads * d);
    for (let bi = 0; bi < b; bi++) {
      for (let h = 0; h < heads; h++) {
        const kv = bi * kvHeads + Math.floor((h * kvHeads) / heads);
        const of = (x: Flat) => x.slice(kv * s * d, (kv + 1) * s * d);
        const q = make([t, d], ([ti, x]) => fresh(bi, ti!, h, x!));
        const mask = (ti: number, si: number): number =>
          (si > past + ti ? -Infinity : 0) + (bias === undefined ? 0 : bias[(bi * t + ti) * s + si]!);
        const head = attendHead(q, of(key), of(value), { t, s, d, scale: 1 / Math.sqrt(d), mask }).out;
        head.forEach((v, i) => {
          out[(bi * t + Math.floor(i / d)) * heads * d + h * d + (i % d)] = v;
        });
      }
    }
    return [out, key, value];
  };

/**
 * Padding on the left: the first `padded[b]` of `s` keys are hidden from row b. By -30, which is enough
 * (e^-30 = 1e-13) and keeps the scores of a query that sees padding alone exact in float32.
 */
const leftPadding = (t: number, s: number, padded: readonly number[]): Arg =>
  given(
    "float32",
    [padded.length, 1, t, s],
    make([padded.length, 1, t, s], ([b, , , si]) => (si! < padded[b!]! ? -30 : 0)),
  );

const cachedCase = (name: string, shape: CachedShape, padded?: readonly number[]): Case => {
  const { b, t, past, heads, kvHeads, d } = shape;
  const total = past + t;
  const cache = [b, kvHeads, past, d];
  return {
    name,
    inputs: [
      f32([b, t, (heads + 2 * kvHeads) * d]),
      f32(cache),
      f32(cache),
      int32([b], ...Array.from({ length: b }, () => total - 1)),
      int32([1], total),
      ...(padded === undefined ? [] : [leftPadding(t, total, padded)]),
    ],
    build: (qkv, pastKey, pastValue, seqlensK, totalLength, bias) => {
      const inputs = {
        pastKey: pastKey!,
        pastValue: pastValue!,
        seqlensK: seqlensK!,
        totalLength: totalLength!,
      };
      const given = bias === undefined ? inputs : { ...inputs, bias };
      const { out, key, value } = ops.cachedAttend(qkv!, given, { heads, kvHeads, total });
      return [out!, key!, value!];
    },
    reference: cached(shape),
    gradient: "refused",
  };
};

/** The same case with query, key and value as three inputs, cut from the packed one. */
const separate = (row: Case): Case => ({
  ...row,
  build: (qkv, pastKey, pastValue, seqlensK, totalLength, bias) => {
    const [q, k, v] = ops.columnsOf(qkv!, [32, 16, 16]) as [Value, Value, Value];
    const cache = {
      pastKey: pastKey!,
      pastValue: pastValue!,
      seqlensK: seqlensK!,
      totalLength: totalLength!,
      bias: bias!,
    };
    const total = bias!.shape[3]!;
    const { out, key, value } = ops.cachedAttend([q, k, v], cache, { heads: 4, kvHeads: 2, total });
    return [out!, key!, value!];
  },
});

interface RotaryShape {
  readonly b: number;
  readonly t: number;
  readonly heads: number;
  readonly d: number;
}

const ROTARY_POSITIONS = 5;

/** Angle of a position and a point: any will do. */
const angleOf = (position: number, point: number): number => 0.7 * position + 0.4 * position * point;

/** rotary by its definition; `positions` of each token, or of each time. */
const rotaryCase = (name: string, { b, t, heads, d }: RotaryShape, positions: readonly number[]): Case => {
  const half = d / 2;
  const table = (fn: (angle: number) => number) =>
    tensorOf(
      "float32",
      [ROTARY_POSITIONS, half],
      make([ROTARY_POSITIONS, half], ([p, i]) => fn(angleOf(p!, i!))),
    );
  const whole = positions.length === b * t;
  return {
    name,
    inputs: [f32([b, t, heads * d]), int64(whole ? [b, t] : [t], ...positions)],
    build: (x, at) => {
      const tables = { cos: constant(table(Math.cos)), sin: constant(table(Math.sin)) };
      return ops.rotary(x!, at!, tables, heads);
    },
    reference: (x) => [
      make([b, t, heads, d], ([bi, ti, h, i]) => {
        const position = positions[whole ? bi! * t + ti! : ti!]!;
        const angle = angleOf(position, i! % half);
        const element = (e: number) => x![((bi! * t + ti!) * heads + h!) * d + e]!;
        const other = i! < half ? -element(i! + half) : element(i! - half);
        return element(i!) * Math.cos(angle) + other * Math.sin(angle);
      }),
    ],
  };
};

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
    build: (at, ...parts) => ops.int8Rows(int8Of(parts), at!, kind.strong),
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

/** The hash of src/ops/random.ts (lowbias32) on BigInts. */
const uniformOf = (seed: number, site: string, n: number): number[] => {
  const word = (x: bigint): bigint => BigInt.asUintN(32, x);
  const mix = (x: bigint): bigint => {
    const y = word((x ^ (x >> 16n)) * 0x7feb352dn);
    const z = word((y ^ (y >> 15n)) * 0x846ca68bn);
    return z ^ (z >> 16n);
  };
  const key = mix(word(BigInt(seed) + BigInt(streamOf(site))));
  return Array.from({ length: n }, (_, i) => Number(mix(BigInt(i) ^ key) >> 8n) / 2 ** 24);
};

const tanhGelu = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Exports of src/ops that make no node of their own. */
type NoOp = "lift" | "causalMask" | "permutationOf" | "sumOp";
export type OpName = Exclude<keyof typeof ops, NoOp>;

export const opCases: Record<OpName, Case[]> = {
  // elementwise
  add: binary(ops.add, (a, b) => a + b),
  sub: binary(ops.sub, (a, b) => a - b),
  mul: binary(ops.mul, (a, b) => a * b),
  div: binary(ops.div, (a, b) => a / b, {}, 0.5),
  maximum: binary(ops.maximum, Math.max, { spread: true }),
  minimum: binary(ops.minimum, Math.min, { spread: true }),
  neg: unary(ops.neg, (x) => -x),
  exp: unary(ops.exp, Math.exp),
  log: unary(ops.log, Math.log, { range: [0.5, 3] }),
  sqrt: unary(ops.sqrt, Math.sqrt, { range: [0.5, 3] }),
  abs: unary(ops.abs, Math.abs, { spread: true }),
  sign: unary(ops.sign, Math.sign, { spread: true, gradient: "zero" }),
  tanh: unary(ops.tanh, Math.tanh),
  sigmoid: unary(ops.sigmoid, (x) => 1 / (1 + Math.exp(-x))),
  hardSigmoid: unary(
    (x) => ops.hardSigmoid(x, 0.15, 0.5),
    (x) => Math.min(1, Math.max(0, 0.15 * x + 0.5)),
  ),
  relu: unary(ops.relu, (x) => Math.max(x, 0), { spread: true }),
  sin: unary(ops.sin, Math.sin),
  cos: unary(ops.cos, Math.cos),
  erf: unary(ops.erf, erfOf),
  silu: unary(ops.silu, (x) => x / (1 + Math.exp(-x))),
  gelu: unary(ops.gelu, (x) => 0.5 * x * (1 + erfOf(x * Math.SQRT1_2))),
  geluTanh: unary(ops.geluTanh, tanhGelu),
  greater: compare(ops.greater, (a, b) => a > b),
  less: compare(ops.less, (a, b) => a < b),
  equal: compare(ops.equal, (a, b) => a === b),
  where: [
    {
      name: "broadcast condition",
      inputs: [given("bool", [3], [1, 0, 1]), f32([2, 3]), f32([2, 1])],
      build: (c, a, b) => ops.where(c!, a!, b!),
      reference: zip((c, a, b) => (c ? a : b)!, [2, 3], [3], [2, 3], [2, 1]),
    },
  ],
  cast: [
    {
      name: "to float64",
      inputs: [f32([2, 3])],
      build: (x) => ops.cast(x!, "float64"),
      reference: (x) => [[...x]],
    },
    {
      name: "to int32 truncates",
      inputs: [f32([2, 3], -3, 3)],
      build: (x) => ops.cast(x!, "int32"),
      reference: (x) => [x.map(Math.trunc)],
      gradient: "zero",
    },
    {
      name: "from bool",
      inputs: [given("bool", [3], [1, 0, 1])],
      build: (x) => ops.cast(x!, "float32"),
      reference: (x) => [[...x]],
    },
  ],
  broadcastLike: [
    {
      name: "row to matrix",
      inputs: [f32([3]), f32([2, 3])],
      build: (x, like) => ops.broadcastLike(x!, like!),
      reference: zip((x) => x!, [2, 3], [3], [2, 3]),
    },
  ],

  // structure
  sum: [
    {
      name: "all",
      inputs: [f32([2, 3])],
      build: (x) => ops.sum(x!),
      reference: (x) => [[x.reduce((a, b) => a + b)]],
    },
    {
      name: "one axis",
      inputs: [f32([2, 3])],
      build: (x) => ops.sum(x!, [0]),
      reference: (x) => [make([3], ([j]) => x[j!]! + x[3 + j!]!)],
    },
    {
      name: "two axes kept, counted from the back",
      inputs: [f32([2, 3, 2])],
      build: (x) => ops.sum(x!, [-1, 0], true),
      reference: (x) => [make([3], ([j]) => x[2 * j!]! + x[2 * j! + 1]! + x[6 + 2 * j!]! + x[7 + 2 * j!]!)],
    },
    { name: "of a scalar", inputs: [f32([])], build: (x) => ops.sum(x!), reference: (x) => [[...x]] },
  ],
  expandTo: [
    {
      name: "new and stretched axes",
      inputs: [f32([3, 1])],
      build: (x) => ops.expandTo(x!, [2, 3, 4]),
      reference: zip((x) => x!, [2, 3, 4], [3, 1]),
    },
  ],
  sumTo: [
    {
      name: "lead and stretched axes",
      inputs: [f32([2, 3, 4])],
      build: (x) => ops.sumTo(x!, [3, 1]),
      reference: (x) => [
        make([3], ([i]) => make([2, 4], ([a, b]) => x[a! * 12 + i! * 4 + b!]!).reduce((p, q) => p + q)),
      ],
    },
    {
      name: "to a scalar",
      inputs: [f32([2, 3])],
      build: (x) => ops.sumTo(x!, []),
      reference: (x) => [[x.reduce((a, b) => a + b)]],
    },
  ],
  reshape: [
    {
      name: "fixed",
      inputs: [f32([2, 6])],
      build: (x) => ops.reshape(x!, [3, 4]),
      reference: (x) => [[...x]],
    },
    {
      name: "to a scalar",
      inputs: [f32([1, 1])],
      build: (x) => ops.reshape(x!, []),
      reference: (x) => [[...x]],
    },
    {
      name: "named",
      inputs: [f32(["B", "T", 4])],
      dims: { B: 2, T: 3 },
      build: (x) => ops.reshape(x!, ["B", "T", 2, 2]),
      reference: (x) => [[...x]],
    },
    {
      name: "twice",
      inputs: [f32([2, 6])],
      build: (x) => ops.reshape(ops.reshape(x!, [12]), [4, 3]),
      reference: (x) => [[...x]],
    },
  ],
  transpose: [
    {
      name: "three axes",
      inputs: [f32([2, 3, 4])],
      build: (x) => ops.transpose(x!, [2, 0, 1]),
      reference: (x) => [make([4, 2, 3], ([c, a, b]) => x[at([a!, b!, c!], [2, 3, 4])]!)],
    },
    {
      name: "axes counted from the back",
      inputs: [f32([2, 3])],
      build: (x) => ops.transpose(x!, [-1, -2]),
      reference: (x) => [make([3, 2], ([j, i]) => x[i! * 3 + j!]!)],
    },
  ],
  slice: [
    {
      name: "middle",
      inputs: [f32([2, 5])],
      build: (x) => ops.slice(x!, -1, 1, 3),
      reference: (x) => [make([2, 2], ([i, j]) => x[i! * 5 + j! + 1]!)],
    },
  ],
  pad: [
    {
      name: "both sides",
      inputs: [f32([2, 3])],
      build: (x) => ops.pad(x!, 1, 1, 2),
      reference: (x) => [make([2, 6], ([i, j]) => (j! >= 1 && j! < 4 ? x[i! * 3 + j! - 1]! : 0))],
    },
    {
      name: "axis counted from the back",
      inputs: [f32([2, 3])],
      build: (x) => ops.pad(x!, -2, 0, 1),
      reference: (x) => [[...x, 0, 0, 0]],
    },
  ],
  concat: [
    {
      name: "three parts",
      inputs: [f32([2, 1]), f32([2, 2]), f32([2, 3])],
      build: (...parts) => ops.concat(parts, -1),
      reference: (a, b, c) => [
        make([2, 6], ([i, j]) => (j! < 1 ? a![i!]! : j! < 3 ? b![i! * 2 + j! - 1]! : c![i! * 3 + j! - 3]!)),
      ],
    },
    {
      name: "one part twice",
      inputs: [f32([2, 2])],
      build: (x) => ops.concat([x!, x!], 0),
      reference: (x) => [[...x, ...x]],
    },
  ],
  split: [
    {
      name: "all parts used",
      inputs: [f32([2, 6])],
      build: (x) => ops.split(x!, -1, 3),
      reference: (x) => [0, 1, 2].map((p) => make([2, 2], ([i, j]) => x[i! * 6 + p * 2 + j!]!)),
    },
    {
      name: "one part used",
      inputs: [f32([4, 2])],
      build: (x) => ops.split(x!, 0, 2)[1]!,
      reference: (x) => [x.slice(4)],
    },
  ],
  partsOf: [
    {
      name: "unequal",
      inputs: [f32([6, 2])],
      build: (x) => ops.partsOf(x!, [1, 3, 2]),
      reference: (x) => [x.slice(0, 2), x.slice(2, 8), x.slice(8)],
    },
    {
      name: "one part used",
      inputs: [f32([5])],
      build: (x) => ops.partsOf(x!, [2, 3])[0]!,
      reference: (x) => [x.slice(0, 2)],
    },
  ],
  columnsOf: [
    {
      name: "different widths",
      inputs: [f32([2, 6])],
      build: (x) => ops.columnsOf(x!, [1, 3, 2]),
      reference: (x) =>
        [
          [0, 1],
          [1, 4],
          [4, 6],
        ].map(([from, to]) => rows(x!, 6, (row) => row.slice(from, to))),
    },
    {
      name: "one width is the whole",
      inputs: [f32([2, 3])],
      build: (x) => ops.columnsOf(x!, [3]),
      reference: (x) => [[...x!]],
    },
    {
      name: "behind named dimensions",
      inputs: [f32(["B", "T", 3])],
      dims: { B: 2, T: 2 },
      build: (x) => ops.columnsOf(x!, [2, 1]),
      reference: (x) =>
        [
          [0, 2],
          [2, 3],
        ].map(([from, to]) => rows(x!, 3, (row) => row.slice(from, to))),
    },
  ],
  gather: [
    {
      name: "rows, some twice",
      inputs: [f32([4, 3]), int32([2, 2], 3, 0, 3, 1)],
      build: (table, ids) => ops.gather(table!, ids!),
      reference: (x, ids) => [ids!.flatMap((r) => x!.slice(r * 3, r * 3 + 3))],
    },
    {
      name: "elements of a vector, int64",
      inputs: [f32([4]), int64([3], 2, 2, 0)],
      build: (table, ids) => ops.gather(table!, ids!),
      reference: (x, ids) => [ids!.map((r) => x![r]!)],
    },
  ],
  scatterAdd: [
    {
      name: "rows, some on one another",
      inputs: [f32([2, 2, 3]), int32([2, 2], 3, 0, 3, 1)],
      build: (from, ids) => ops.scatterAdd(from!, ids!, [5, 3]),
      reference: (x, ids) => [
        make([5, 3], ([r, c]) => ids!.reduce((s, id, i) => s + (id === r ? x![i * 3 + c!]! : 0), 0)),
      ],
    },
  ],

  // indexing
  take: [
    {
      name: "one a row",
      inputs: [f32([3, 4]), int32([3, 1], 2, 0, 3)],
      build: (x, ids) => ops.take(x!, ids!),
      reference: (x, ids) => [ids!.map((id, i) => x![i * 4 + id]!)],
    },
    {
      name: "two a row, int64",
      inputs: [f32([2, 4]), int64([2, 2], 2, 0, 1, 3)],
      build: (x, ids) => ops.take(x!, ids!),
      reference: (x, ids) => [ids!.map((id, i) => x![Math.floor(i / 2) * 4 + id]!)],
    },
  ],
  put: [
    {
      name: "two a row",
      inputs: [f32([2, 4]), int32([2, 2], 2, 0, 1, 3), f32([2, 2])],
      build: (x, ids, values) => ops.put(x!, ids!, values!),
      reference: (x, ids, values) => {
        const out = [...x!];
        ids!.forEach((id, i) => {
          out[Math.floor(i / 2) * 4 + id] = values![i]!;
        });
        return [out];
      },
    },
  ],

  // products
  matmul: [
    ...matmuls.map(
      ([name, a, b, options]): Case => ({
        name,
        inputs: [f32(a), f32(b)],
        build: (x, y) => ops.matmul(x!, y!, options),
        reference: (x, y) => matmulOf(a, b, options)(x!, y!),
      }),
    ),
    {
      name: "named batch",
      inputs: [f32(["B", 3, 4]), f32([4, 2])],
      dims: { B: 2 },
      build: (x, y) => ops.matmul(x!, y!),
      reference: (x, y) => matmulOf([2, 3, 4], [4, 2])(x!, y!),
    },
    {
      name: "of transposes, which are taken in",
      inputs: [f32([2, 4, 3]), f32([2, 2, 4])],
      build: (x, y) => ops.matmul(ops.transpose(x!, [0, 2, 1]), ops.transpose(y!, [0, 2, 1])),
      reference: (x, y) => matmulOf([2, 4, 3], [2, 2, 4], { transA: true, transB: true })(x!, y!),
    },
  ],
  affine: [
    ...[
      [3, 4],
      [2, 3, 4],
    ].map(
      (shape): Case => ({
        name: `${shape.length} axes`,
        inputs: [f32(shape), f32([4, 2]), f32([2])],
        build: (x, w, b) => ops.affine(x!, w!, b!),
        reference: (x, w, b) => [product(x!, w!, count(shape) / 4, 4, 2).map((v, i) => v + b![i % 2]!)],
      }),
    ),
    {
      name: "named",
      inputs: [f32(["B", "T", 4]), f32([4, 2]), f32([2])],
      dims: { B: 2, T: 3 },
      build: (x, w, b) => ops.affine(x!, w!, b!),
      reference: (x, w, b) => [product(x!, w!, 6, 4, 2).map((v, i) => v + b![i % 2]!)],
    },
  ],
  dot: [
    {
      name: "matrices",
      inputs: [f32([2, 3]), f32([2, 3])],
      build: (a, b) => ops.dot(a!, b!),
      reference: (a, b) => [[a!.reduce((s, x, i) => s + x * b![i]!, 0)]],
    },
  ],

  // reductions
  mean: [
    {
      name: "last axis",
      inputs: [f32([2, 4])],
      build: (x) => ops.mean(x!, [-1], true),
      reference: (x) => [rows(x, 4, (row) => [row.reduce((a, b) => a + b) / 4])],
    },
    {
      name: "all",
      inputs: [f32([2, 4])],
      build: (x) => ops.mean(x!),
      reference: (x) => [[x.reduce((a, b) => a + b) / 8]],
    },
  ],
  reduceMax: [
    {
      name: "rows",
      inputs: [f32([3, 4], -2, 2)],
      spread: true,
      build: (x) => ops.reduceMax(x!),
      reference: (x) => [rows(x, 4, (row) => [Math.max(...row)])],
    },
  ],
  cumsum: [
    {
      name: "rows",
      inputs: [f32([3, 4])],
      build: (x) => ops.cumsum(x!, -1),
      reference: (x) => [
        rows(x!, 4, (row) => row.map((_, i) => row.slice(0, i + 1).reduce((a, b) => a + b))),
      ],
    },
    {
      name: "columns, from the end",
      inputs: [f32([3, 2])],
      build: (x) => ops.cumsum(x!, 0, true),
      reference: (x) => [
        make([3, 2], ([i, j]) => make([3 - i!], ([k]) => x![(i! + k!) * 2 + j!]!).reduce((a, b) => a + b)),
      ],
    },
    {
      name: "named integers",
      inputs: [int64(["B", "T"], 1, 0, 1, 1, 1, 0)],
      dims: { B: 2, T: 3 },
      build: (x) => ops.cumsum(x!, 1),
      reference: () => [[1, 1, 2, 1, 2, 2]],
      gradient: "skipped",
    },
  ],
  softmax: [
    {
      name: "rows",
      inputs: [f32([2, 2, 4], -2, 2)],
      build: (x) => ops.softmax(x!),
      reference: (x) => [rows(x, 4, softmaxRow)],
    },
  ],
  logSoftmax: [
    {
      name: "rows",
      inputs: [f32([3, 4], -2, 2)],
      build: (x) => ops.logSoftmax(x!),
      reference: (x) => [rows(x, 4, logSoftmaxRow)],
    },
  ],
  layerNorm: [
    {
      name: "matrix",
      inputs: [f32([3, 5], -2, 2), f32([5], 0.5, 1.5), f32([5])],
      build: (x, scale, bias) => ops.layerNorm(x!, scale!, bias!),
      reference: (x, scale, bias) => [rows(x!, 5, (row) => layerNormRow(row, scale!, bias!, 1e-5))],
    },
    {
      name: "three axes, large epsilon",
      inputs: [f32([2, 2, 4], -2, 2), f32([4], 0.5, 1.5), f32([4])],
      build: (x, scale, bias) => ops.layerNorm(x!, scale!, bias!, 0.1),
      reference: (x, scale, bias) => [rows(x!, 4, (row) => layerNormRow(row, scale!, bias!, 0.1))],
    },
  ],
  rmsNorm: [
    {
      name: "matrix",
      inputs: [f32([3, 5], -2, 2), f32([5], 0.5, 1.5)],
      build: (x, scale) => ops.rmsNorm(x!, scale!),
      reference: (x, scale) => [rows(x!, 5, (row) => rmsNormRow(row, scale!, 1e-6))],
    },
    {
      name: "four axes, large epsilon",
      inputs: [f32([2, 1, 3, 4], -2, 2), f32([4], 0.5, 1.5)],
      build: (x, scale) => ops.rmsNorm(x!, scale!, 0.1),
      reference: (x, scale) => [rows(x!, 4, (row) => rmsNormRow(row, scale!, 0.1))],
    },
    {
      name: "named dimensions",
      inputs: [f32(["B", "T", 4], -2, 2), f32([4], 0.5, 1.5)],
      dims: { B: 2, T: 3 },
      build: (x, scale) => ops.rmsNorm(x!, scale!),
      reference: (x, scale) => [rows(x!, 4, (row) => rmsNormRow(row, scale!, 1e-6))],
    },
  ],
  addRmsNorm: [
    {
      name: "a sum and its norm",
      inputs: [f32([2, "T", 4], -2, 2), f32([2, "T", 4], -2, 2), f32([4], 0.5, 1.5)],
      dims: { T: 3 },
      build: (x, y, scale) => {
        const { out, sum } = ops.addRmsNorm(x!, y!, scale!, 1e-3);
        return [out, sum];
      },
      reference: (x, y, scale) => {
        const sum = x!.map((v, i) => v + y![i]!);
        return [rows(sum, 4, (row) => rmsNormRow(row, scale!, 1e-3)), sum];
      },
      gradient: "refused",
    },
  ],
  rotary: [
    rotaryCase("two heads, a batch", { b: 2, t: 3, heads: 2, d: 4 }, [0, 2, 1, 4, 0, 3]),
    rotaryCase("one head, positions shared by the batch", { b: 2, t: 2, heads: 1, d: 6 }, [3, 1]),
    rotaryCase("one row", { b: 1, t: 3, heads: 3, d: 2 }, [0, 1, 2]),
  ],
  sumOfSquares: [
    {
      name: "two tensors",
      inputs: [f32([2, 3]), f32([4])],
      build: (...xs) => ops.sumOfSquares(xs),
      reference: (...xs) => [[xs.flat().reduce((s, x) => s + x * x, 0)]],
    },
  ],

  // attention
  attend: [
    attendCase("no mask"),
    attendCase("scale", undefined, undefined, HALF),
    attendCase("full mask", [2, 2, 3, 4], f32([2, 2, 3, 4])),
    attendCase("mask broadcast over batch and heads", [1, 1, 3, 4], f32([1, 1, 3, 4])),
    attendCase("mask of keys", [2, 1, 1, 4], f32([2, 1, 1, 4])),
    attendCase(
      "causal",
      [1, 1, 3, 4],
      given(
        "float32",
        [1, 1, 3, 4],
        make([3, 4], ([t, s]) => (s! > t! ? -1e9 : 0)),
      ),
    ),
  ],
  cachedAttend: [
    cachedCase("one token", { b: 2, t: 1, past: 3, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase("first call, several tokens", { b: 2, t: 3, past: 0, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase(
      "first call, padding on the left",
      { b: 2, t: 3, past: 0, heads: 2, kvHeads: 2, d: 8 },
      [0, 2],
    ),
    cachedCase("one token, padding on the left", { b: 2, t: 1, past: 3, heads: 2, kvHeads: 2, d: 8 }, [2, 0]),
    cachedCase("several tokens behind a cache", { b: 1, t: 2, past: 3, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase("grouped heads", { b: 2, t: 1, past: 3, heads: 4, kvHeads: 2, d: 8 }),
    cachedCase("one head for keys", { b: 2, t: 2, past: 0, heads: 3, kvHeads: 1, d: 16 }, [1, 0]),
    separate(
      cachedCase("grouped heads, in parts", { b: 2, t: 2, past: 0, heads: 4, kvHeads: 2, d: 8 }, [0, 1]),
    ),
  ],
  emptyCache: [
    {
      name: "for two rows",
      inputs: [int64(["B", "T"], 1, 2, 3, 4)],
      dims: { B: 2, T: 2 },
      build: (ids) => ops.emptyCache(ids!, 3, 8),
      reference: () => [[]],
    },
  ],

  // quantized
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

  // random and dynamic
  uniform: [
    {
      name: "a hash of seed, site and position",
      inputs: [int32([], 12345)],
      build: (seed) => [ops.uniform(seed!, "a", [2, 8]), ops.uniform(seed!, "b", [4])],
      reference: () => [uniformOf(12345, "a", 16), uniformOf(12345, "b", 4)],
    },
    {
      name: "a negative seed",
      inputs: [int32([], -7)],
      build: (seed) => ops.uniform(seed!, "a", [16]),
      reference: () => [uniformOf(-7, "a", 16)],
    },
  ],
  lengthOf: [
    {
      name: "of a named axis",
      inputs: [f32([2, "T"])],
      dims: { T: 5 },
      build: (x) => ops.lengthOf(x!, -1),
      reference: () => [[5]],
      gradient: "refused",
    },
  ],
  keepLast: [3, 1, 0].map((n) => ({
    name: `${n} of 3`,
    inputs: [f32([2, "T", 2]), int64([], n)],
    dims: { T: 3, K: n === 0 ? 3 : n },
    build: (x, keep) => ops.keepLast(x!, keep!, "K"),
    reference: (x) => [
      n === 0 ? [...x!] : make([2, n, 2], ([b, t, c]) => x![b! * 6 + (3 - n + t!) * 2 + c!]!),
    ],
    gradient: "refused",
  })),
  detach: [
    {
      name: "passes values and no gradient",
      inputs: [f32([2, 3])],
      build: (x) => ops.detach(x!),
      reference: (x) => [[...x!]],
      gradient: "zero",
    },
  ],
  countUp: [3, 0].map((n) => ({
    name: `to ${n}`,
    inputs: [int64([1], n)],
    dims: { T: n },
    build: (count) => ops.countUp(count!, "T"),
    reference: () => [make([n], ([i]) => i!)],
  })),
  dynamicSlice: [
    [1, 3],
    [0, 4],
    [2, 2],
  ].map(([start, end]) => ({
    name: `${start} to ${end} of 4`,
    inputs: [f32([2, "T", 2]), int64([1], start!), int64([1], end!)],
    dims: { T: 4, N: end! - start! },
    build: (x, from, to) => ops.dynamicSlice(x!, [from!, to!], { axis: 1, size: "N" }),
    reference: (x) => [make([2, end! - start!, 2], ([b, t, c]) => x![b! * 8 + (start! + t!) * 2 + c!]!)],
    gradient: "refused",
  })),
  append: [0, 2].map((past) => ({
    name: `behind ${past}`,
    inputs: [f32([2, "P", 2]), f32([2, "T", 2])],
    dims: { P: past, T: 3, N: past + 3 },
    build: (x, y) => ops.append(x!, y!, { axis: 1, size: "N" }),
    reference: (x, y) => [
      make([2, past + 3, 2], ([b, t, c]) =>
        t! < past ? x![(b! * past + t!) * 2 + c!]! : y![(b! * 3 + t! - past) * 2 + c!]!,
      ),
    ],
    gradient: "refused",
  })),
};

const rowLosses = (logits: Flat, labels: Flat, v: number): number[] =>
  labels.map((label, i) => -logSoftmaxRow(logits.slice(i * v, i * v + v))[label]!);
const headLogits = (x: Flat, w: Flat): Flat => matmulOf([4, 3], [5, 3], { transB: true })(x, w)[0]!;

/** Mean loss over the rows that count, the labels' column made safe first. */
const counted = (build: (labels: Value) => Value, labels: Value): Value => {
  const { counts, safe } = losses.countedLabels(labels);
  return losses.meanLoss(losses.totalsOver(build(ops.reshape(safe, [4, 1])), ops.reshape(counts, [4, 1])));
};
const IGNORED = int32([4], 3, losses.IGNORE, 0, losses.IGNORE);

/** Cross-entropy of [3, 4] logits against the softmax of scores, both softened. */
const softRows = (logits: Flat, scores: Flat, temperature: number): Flat => {
  const soft = (x: Flat): Flat => x.map((v) => v / temperature);
  const [s, t] = [rows(soft(logits), 4, logSoftmaxRow), rows(soft(scores), 4, softmaxRow)];
  return make([3], ([i]) => -make([4], ([j]) => t[i! * 4 + j!]! * s[i! * 4 + j!]!).reduce((a, b) => a + b));
};

type LossRows = "headLoss" | "crossEntropy" | "softLoss" | "distillLoss" | "ignored labels";

export const lossCases: Record<LossRows, Case[]> = {
  headLoss: [
    {
      name: "rows",
      inputs: [f32([4, 3]), f32([5, 3]), int32([4, 1], 3, 0, 4, 3)],
      build: (x, w, labels) => losses.headLoss(x!, w!, labels!),
      reference: (x, w, labels) => [rowLosses(headLogits(x!, w!), labels!, 5)],
    },
    {
      name: "sure of itself: probabilities near 0 and 1",
      inputs: [f32([4, 3], 20, 30), f32([5, 3], -3, 3), int32([4, 1], 3, 0, 4, 3)],
      build: (x, w, labels) => losses.headLoss(x!, w!, labels!),
      reference: (x, w, labels) => [rowLosses(headLogits(x!, w!), labels!, 5)],
      gradient: "skipped",
    },
  ],
  crossEntropy: [
    {
      name: "rows",
      inputs: [f32([4, 5], -2, 2), int32([4, 1], 3, 0, 4, 3)],
      build: (logits, labels) => losses.crossEntropy(logits!, labels!),
      reference: (logits, labels) => [rowLosses(logits!, labels!, 5)],
    },
  ],
  softLoss: [
    {
      name: "rows",
      inputs: [f32([3, 4], -2, 2), f32([3, 4], -2, 2)],
      build: (logits, scores) => losses.softLoss(logits!, ops.softmax(scores!)),
      reference: (logits, scores) => [[...softRows(logits!, scores!, 1)]],
    },
  ],
  distillLoss: [1, 2].map((temperature) => ({
    name: `temperature ${temperature}`,
    inputs: [f32([3, 4], -2, 2), f32([3, 4], -2, 2), int32([3, 1], 3, 0, 1)],
    build: (student, teacher, labels) =>
      losses.distillLoss(student!, teacher!, labels!, { alpha: 0.7, temperature }),
    reference: (student, teacher, labels) => {
      const soft = softRows(student!, teacher!, temperature);
      const hard = rowLosses(student!, labels!, 4);
      return [make([3], ([i]) => 0.7 * temperature ** 2 * soft[i!]! + 0.3 * hard[i!]!)];
    },
  })),
  "ignored labels": [
    {
      name: "headLoss",
      inputs: [f32([4, 3]), f32([5, 3]), IGNORED],
      build: (x, w, labels) => counted((column) => losses.headLoss(x!, w!, column), labels!),
      reference: (x, w) => {
        const all = rowLosses(headLogits(x!, w!), [3, 0, 0, 0], 5);
        return [[(all[0]! + all[2]!) / 2]];
      },
    },
    {
      name: "crossEntropy",
      inputs: [f32([4, 5]), IGNORED],
      build: (logits, labels) => counted((column) => losses.crossEntropy(logits!, column), labels!),
      reference: (logits) => {
        const all = rowLosses(logits!, [3, 0, 0, 0], 5);
        return [[(all[0]! + all[2]!) / 2]];
      },
    },
    {
      name: "all of them: no loss and no gradient",
      inputs: [f32([4, 3]), f32([5, 3]), int32([4], -100, -100, -100, -100)],
      build: (x, w, labels) => counted((column) => losses.headLoss(x!, w!, column), labels!),
      reference: () => [[0]],
      gradient: "zero",
    },
  ],
};
