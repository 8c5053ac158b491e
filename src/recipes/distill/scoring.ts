/** What teacher and student score on the held-out data, and by which tokenizers. */
import { bitsOfSpans } from "../../compress/distillation/alignedTeacher.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { Lesson, Scorer, Task } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { formOf, type Opened, type Student } from "./student.ts";

/** Both models, and what they are judged by. */
export interface Judged {
  readonly engine: Engine;
  readonly task: Task;
  readonly teacher: Opened;
  readonly student: Student;
  readonly lesson: Lesson;
}

/** The student's tokenizer, by which batches are. */
export const tokenizerOf = ({ teacher, student }: Pick<Judged, "teacher" | "student">): Tokenizer =>
  student.tokenizer ?? teacher.tokenizer;

/** Tokenizers by which the models are. */
export const alignedBy = ({ teacher, student }: Pick<Judged, "teacher" | "student">) => ({
  student: tokenizerOf({ teacher, student }),
  teacher: teacher.tokenizer,
});

/**
 * What the models score on the held-out data; those of two tokenizers by the bytes of the text, of which the
 * teacher says what stands in spans.
 */
export const scorerOf = async (all: Judged) => {
  const { engine, task, lesson, teacher, student } = all;
  const { heldOut } = lesson;
  const score: Scorer = await task.scorer(engine, heldOut, teacher.model);
  const across = student.tokenizer !== undefined;
  const figure = across ? (scores: Float32Array) => task.criterion.of(scores, heldOut) : meanOf;
  const scored = async (model: Model) => {
    const scores = await score(model);
    return { form: formOf(model, figure(scores)), scored: scores.length };
  };
  if (!across) return { teacher: () => scored(teacher.model), student: scored };
  const bits = () => bitsOfSpans(engine, teacher.model, heldOut.windows, alignedBy(all));
  return {
    teacher: async () => ({ form: formOf(teacher.model, await bits()), scored: heldOut.windows.length }),
    student: scored,
  };
};
