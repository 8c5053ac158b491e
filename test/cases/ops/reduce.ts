/** Rows of ops that take sums, means and norms of an axis. */
import * as ops from "../../../src/ops/index.ts";
import { layerNormRow, logSoftmaxRow, make, rmsNormRow, rows, softmaxRow } from "../../reference.ts";
import { casesOf, f32, int64 } from "./case.ts";

export const reduce = casesOf({
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
  sumOfSquares: [
    {
      name: "two tensors",
      inputs: [f32([2, 3]), f32([4])],
      build: (...xs) => ops.sumOfSquares(xs),
      reference: (...xs) => [[xs.flat().reduce((s, x) => s + x * x, 0)]],
    },
  ],
});
