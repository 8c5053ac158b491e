// A fresh student with a tokenizer of its own (half of the teacher's tokens, or --vocab): alone, and taught by the teacher's distributions,
// which are carried over to its tokens, on as many tokens. acrossGapClosed is the share of the gap to the teacher, in bits a byte of held-out text, that is closed.
import { bitsOfSpans } from "../../../dist/compress/distillation/alignedTeacher.js";
import { teach } from "../../../dist/compress/index.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { taskOf } from "../../../dist/tasks/index.js";
import { alignedTeaching } from "../../../dist/tasks/teaching/aligned.js";
import { trainBpe } from "../../../dist/tokenizer/index.js";
import { argument, corpus, fresh, lessonOf, teacherOf, trainedAlone, trainOptions } from "./shared.mjs";

/** The same texts by a tokenizer of fewer tokens. */
const inOther = ({ tokenizer, material }, vocab) => {
  const text = (ids) => new TextDecoder().decode(tokenizer.decodeBytes(ids));
  const [train, validation] = [text(material.train), text(material.validation)];
  const own = trainBpe([train.slice(0, 600_000), train.slice(-600_000)], { vocab });
  const encoded = { kind: "text", train: own.encode(train), validation: own.encode(validation) };
  return { tokenizer: own, material: encoded };
};

export const acrossPart = async ({ log, args, threads, steps, layers, studentLayers, studentSteps }) => {
  const engine = await nodeEngine({ threads });
  const theirs = corpus();
  const teacher = await teacherOf(engine, theirs, { steps, layers, log });
  const data = inOther(theirs, argument(args, "vocab", 1024));
  const both = { student: data.tokenizer, teacher: theirs.tokenizer };
  const how = (name) => ({ steps: studentSteps, seed: 1, log, name });
  const student = fresh(data, studentLayers, 1);
  const alone = await trainedAlone(engine, student, data, how("alone"));
  const lesson = lessonOf(student, data, 1);
  const taught = await teach(engine, student, {
    ...{
      teacher,
      teaching: alignedTeaching({ alpha: argument(args, "alpha", 0.6), temperature: 1 }),
      source: lesson.source,
    },
    ...{ aligned: both, train: trainOptions(lesson, how("taught")) },
  });
  const task = taskOf(student);
  const score = await task.scorer(engine, lesson.heldOut, student);
  const bits = async (model) => task.criterion.of(await score(model), lesson.heldOut);
  const whole = await bitsOfSpans(engine, teacher, lesson.heldOut.windows, both);
  const [before, after] = [await bits(alone), await bits(taught.model)];
  log(`bits a byte: teacher ${whole.toFixed(4)}, alone ${before.toFixed(4)}, taught ${after.toFixed(4)}`);
  const across = { teacher: whole, alone: before, taught: after };
  return { acrossGapClosed: (before - after) / (before - whole), across };
};
