/** Measures the forms of a dense model: what they score, what they lose against the start, what they cost. */
import type { Figures } from "../../metrics/metric.ts";
import { countParams } from "../../nn/param.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { Lesson, Task } from "../../tasks/task.ts";
import { qualityFigures, type Start } from "../quality.ts";
import type { Values } from "../space/space.ts";
import type { Base, BaseParity, MeasuredCandidate } from "./candidate.ts";
import type { Form, FormDtype } from "./formats/format.ts";
import { dtypeIn } from "./space.ts";

/**
 * Writes a form's files somewhere and measures what it costs there: its size, and figures of each target.
 */
export type ProbeModel = (
  form: Form,
) => Promise<{ readonly figures: Figures /** Where it does not run. */; readonly fault?: string }>;

/** What candidates are measured by. */
export interface Measuring {
  readonly task: Task;
  readonly lesson: Lesson;
  readonly score: (form: Form) => Promise<Float32Array>;
  readonly probe: ProbeModel;
  /** Judges the dtypes that are named. */
  readonly judge: (base: Base, only: readonly FormDtype[]) => Promise<BaseParity>;
}

/** Where a form stands, and what it is called. */
export interface Placed {
  readonly number: number;
  readonly name: string;
  readonly values: Values;
}

/** A form that was measured, with the scores of its held-out examples. */
export interface FormMeasured {
  readonly candidate: MeasuredCandidate;
  readonly scores: Float32Array;
}

/** The scores that others lose against. */
export const startOf = ({ task, lesson }: Measuring, scores: Float32Array): Start => ({
  scores,
  quality: task.criterion.of(scores, lesson.heldOut),
});

/** Measures a form of `base`; without a start it is the start itself. */
export const measureForm = async (
  base: Base,
  { number, name, values }: Placed,
  parity: BaseParity,
  way: Measuring,
  start: Start | undefined,
): Promise<FormMeasured> => {
  const dtype = dtypeIn(values);
  const model = base.forms[dtype]!;
  const judged = parity[dtype]!;
  const scores = await way.score(model);
  const quality = qualityFigures(way.task, scores, { heldOut: way.lesson.heldOut, start });
  const { figures, fault } = await way.probe(model);
  const faults = [
    ...(judged.status === "failed" ? [judged.reason ?? "it computes something else"] : []),
    ...(fault === undefined ? [] : [fault]),
  ];
  const candidate: MeasuredCandidate = {
    ...{ number, name, values, base: base.name, dtype },
    layers: model.arch.cache(model.config).layers,
    params: countParams(model.weights),
    score: meanOf(scores),
    figures: { ...quality, ...figures },
    lineage: model.history,
    ...(faults.length === 0 ? {} : { fault: faults.join("; ") }),
  };
  return { candidate, scores };
};
