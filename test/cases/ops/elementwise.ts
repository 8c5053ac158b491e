/** Rows of ops that go element by element. */
import type { Value } from "../../../src/ir/op.ts";
import * as ops from "../../../src/ops/index.ts";
import { erfOf, zip } from "../../reference.ts";
import { type Case, casesOf, f32, given, int32 } from "./case.ts";

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

const tanhGelu = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export const elementwise = casesOf({
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
  round: [
    {
      name: "ties to even",
      inputs: [given("float32", [7], [-2.5, -1.5, -0.4, 0.5, 0.6, 1.5, 2.5])],
      build: (x) => ops.round(x!),
      reference: () => [[-2, -2, -0, 0, 1, 2, 2]],
      // Straight-through: finite differences are 0 or infinite.
      gradient: "skipped",
    },
  ],
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
});
