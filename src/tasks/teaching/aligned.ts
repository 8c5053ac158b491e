/**
 * Learning from a teacher of another tokenizer, where tokens of both begin at one place of the text: its
 * distribution, carried over to the student's tokens, is taught there; elsewhere the labels are.
 */

import { type DistillLossOptions, distillLoss } from "../../nn/divergence.ts";
import { countedLabels, crossEntropy, totalsOver } from "../../nn/loss.ts";
import { add, mul, sub } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/structure.ts";
import { languageModelling } from "../languageModelling.ts";
import { type Objective, rowsOf, tokenLosses } from "../objective.ts";
import type { Teaching } from "./distillation.ts";

// B batch, T time, N = B * T rows, V the student's vocabulary

/**
 * The loss of `distillation` where `matched` float32 [N] is 1, by `teacherLogits` [N, V], and cross-entropy
 * of the labels [N] where it is 0; nothing there where alpha is 1.
 */
export const alignedObjective = (options: DistillLossOptions): Objective => ({
  name: "distill across tokenizers",
  inputs: (shape) => {
    const rows = shape.batch * shape.context;
    return {
      ...languageModelling.inputs(shape),
      teacherLogits: { dtype: "float32", shape: [rows, shape.vocab] },
      matched: { dtype: "float32", shape: [rows] },
    };
  },
  totals: (outputs, { labels, teacherLogits, matched }) => {
    const { counts, safe } = countedLabels(labels!);
    const n = labels!.shape[0] as number;
    const [column, where] = [reshape(safe, [n, 1]), reshape(matched!, [n, 1])];
    const logits = rowsOf(outputs.logits);
    const taught = mul(distillLoss(logits, teacherLogits!, column, options), where);
    const said = mul(crossEntropy(logits, column), sub(1, where));
    // A loss without labels has none elsewhere either.
    return totalsOver(options.alpha === 1 ? taught : add(taught, said), reshape(counts, [n, 1]));
  },
  heldOut: languageModelling,
});

/** Teaching across tokenizers; the teacher says its own logits, and the nats of each of its own tokens. */
export const alignedTeaching = (options: DistillLossOptions): Teaching => ({
  objective: alignedObjective(options),
  says: (outputs, { labels }) => ({
    logits: rowsOf(outputs.logits),
    nats: tokenLosses(outputs, labels!).losses,
  }),
});
