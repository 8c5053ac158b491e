/** Batches of labelled texts, what is judged of them, and how a smaller model is taught. */
import type { Engine, Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Labels } from "../../models/encoders/encoder.ts";
import type { Model } from "../../models/model.ts";
import { distillLoss } from "../../nn/divergence.ts";
import { countedLabels, IGNORE, totalsOver } from "../../nn/loss.ts";
import { add, mul, sigmoid, sub } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/structure.ts";
import { type Collate, textFeeds } from "../exampleLesson.ts";
import type { Objective } from "../objective.ts";
import type { Example } from "../records.ts";
import { saidOf } from "../scores.ts";
import { binaryLosses, countedTotals } from "../sequenceClassification.ts";
import type { HeldOut, Judge, LessonOptions } from "../task.ts";
import type { DistillOptions, Teaching } from "../teaching/distillation.ts";
import type { Judged, LabelFigure } from "./figures.ts";
import { type Problem, problemIn } from "./labels.ts";

// B batch, K labels

/** The logits [B, K] of a teacher that examples bring along. */
const teacherFeeds = (examples: readonly Example[], batch: number, count: number): Feeds => {
  if (examples[0]?.parts.teacher === undefined) return {};
  const logits = new Float32Array(batch * count);
  examples.forEach(({ parts }, b) => {
    logits.set(Array.from(parts.teacher!), b * count);
  });
  return { teacherLogits: tensor("float32", [batch, count], logits) };
};

const labelFeeds = (examples: readonly Example[], batch: number, problem: Problem, count: number) => {
  if (problem === "single_label_classification") {
    const labels = Int32Array.from({ length: batch }, (_, b) => examples[b]?.parts.labels?.[0] ?? IGNORE);
    return { labels: tensor("int32", [batch], labels), ...teacherFeeds(examples, batch, count) };
  }
  const labels = new Float32Array(batch * count);
  examples.forEach(({ parts }, b) => {
    labels.set(Array.from(parts.labels!), b * count);
  });
  const counted = Float32Array.from({ length: batch }, (_, b) => Number(b < examples.length));
  return {
    labels: tensor("float32", [batch, count], labels),
    counted: tensor("float32", [batch], counted),
  };
};

/** Batches for a model whose logits mean `problem`. */
export const labelCollate = (options: LessonOptions, problem: Problem): Collate => {
  const count = Object.keys((options.model.config as Labels).id2label).length;
  return (examples, shape) => ({
    ...textFeeds(examples, shape, options),
    ...labelFeeds(examples, shape.batch, problem, count),
  });
};

/** What was said of the rows that are examples, and what is right. */
const judgedBy = (
  logits: readonly { readonly data: ArrayLike<unknown>; readonly shape: readonly number[] }[],
  { examples = [] }: HeldOut,
): Judged => {
  const rows = logits.flatMap(({ data, shape: [n, k] }) =>
    Array.from({ length: n! }, (_, i) => Array.from({ length: k! }, (__, j) => Number(data[i * k! + j]))),
  );
  return {
    logits: rows.slice(0, examples.length),
    labels: examples.map(({ parts }) => parts.labels!),
    groups: examples.map(({ unit }) => unit),
  };
};

/** What a finished model says of held-out examples. */
export const judgedOf = async (engine: Engine, model: Model, heldOut: HeldOut): Promise<Judged> => {
  const said = await saidOf(engine, model, heldOut.windows, ({ logits }) => ({ logits }));
  return judgedBy(
    said.map(({ logits }) => logits!),
    heldOut,
  );
};

const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Judges held-out batches by a figure. */
export const judgeBy = ({ name, numbers }: LabelFigure, heldOut: HeldOut): Judge => ({
  name,
  better: "more",
  says: ({ logits }) => ({ logits }),
  figure: (said) =>
    mean(
      numbers(
        judgedBy(
          said.map(({ logits }) => logits!),
          heldOut,
        ),
      ),
    ),
});

/**
 * Learning from a teacher's logits [B, K] beside the data's labels: alpha of the loss is the teacher's. Of
 * one label that is the teacher's distribution softened by the temperature, of several its probabilities, of
 * a number its number.
 */
export const labelTeaching = (base: Objective, labels: Labels, options: DistillOptions): Teaching => {
  const isNumber = problemIn(labels) === "regression";
  const count = Object.keys(labels.id2label).length;
  const { alpha = 0.9, temperature = 1, divergence = "forward" } = options;
  const objective: Objective = {
    name: "distill",
    inputs: (shape) => {
      return {
        ...base.inputs(shape),
        teacherLogits: { dtype: "float32", shape: [shape.batch, count] },
      };
    },
    totals: ({ logits }, { labels: right, counted, teacherLogits }) => {
      if (counted === undefined) {
        const { counts, safe } = countedLabels(right!);
        const n = right!.shape[0] as number;
        const column = reshape(safe, [n, 1]);
        const losses = distillLoss(logits, teacherLogits!, column, { alpha, temperature, divergence });
        return totalsOver(losses, reshape(counts, [n, 1]));
      }
      const off = (to: typeof logits) => mul(sub(logits, to), sub(logits, to));
      const losses = isNumber
        ? add(mul(off(teacherLogits!), alpha), mul(off(right!), 1 - alpha))
        : add(
            mul(binaryLosses(logits, sigmoid(teacherLogits!)), alpha),
            mul(binaryLosses(logits, right!), 1 - alpha),
          );
      return countedTotals(losses, counted);
    },
    heldOut: base,
  };
  return { objective, says: ({ logits }) => ({ teacherLogits: logits }) };
};
