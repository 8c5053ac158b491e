/** Rows of losses. */
import type { Value } from "../../../src/ir/op.ts";
import { distillLoss } from "../../../src/nn/divergence.ts";
import * as losses from "../../../src/nn/loss.ts";
import * as ops from "../../../src/ops/index.ts";
import { type Flat, logSoftmaxRow, make, matmulOf, rows, softmaxRow } from "../../reference.ts";
import { type Case, f32, int32 } from "./case.ts";

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
      distillLoss(student!, teacher!, labels!, { alpha: 0.7, temperature }),
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
