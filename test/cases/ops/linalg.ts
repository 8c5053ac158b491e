/** Rows of products. */
import * as ops from "../../../src/ops/index.ts";
import { count, matmulOf, product } from "../../reference.ts";
import { type Case, casesOf, f32 } from "./case.ts";

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

export const linalg = casesOf({
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
  addOuter: [
    {
      name: "matrices",
      inputs: [f32([3, 2]), f32([4, 3]), f32([4, 2])],
      build: (sum, a, b) => ops.addOuter(sum!, a!, b!),
      reference: (sum, a, b) => [
        sum!.map((v, i) => {
          const [m, n] = [Math.floor(i / 2), i % 2];
          return [0, 1, 2, 3].reduce((s, k) => s + a![k * 3 + m]! * b![k * 2 + n]!, v);
        }),
      ],
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
});
