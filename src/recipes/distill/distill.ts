/** From a teacher's folder and data to a smaller model that learnt from it. */
import { join } from "node:path";
import { quantized, teach } from "../../compress/index.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { checkpointStore, writeFolder } from "../../node/files/checkpoints.ts";
import { openModel } from "../../node/hub/hub.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { trainedCard } from "../../report/run/sourceCard.ts";
import { formsOf } from "../../search/candidates/candidate.ts";
import { generationIn, jsonBytes } from "../../ship/onnx/files.ts";
import { modelFolder } from "../../ship/onnx/modelFolder.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Lesson, Task } from "../../tasks/task.ts";
import { checkpointsIn } from "../../train/checkpoint.ts";
import type { TrainResult } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { userData } from "../data/read.ts";
import { recordOptions } from "../data/records.ts";
import type { UserData } from "../data/userData.ts";
import { scheduled } from "../finetune/schedule.ts";
import { calibrationOf } from "../model/calibration.ts";
import { refuseRounded } from "../model/refuseRounded.ts";
import { sourceIn } from "../model/source.ts";
import { identity } from "../train/identity.ts";
import { loopOptions } from "../train/loopOptions.ts";
import { requireTraining } from "../train/needs.ts";
import { follow } from "../train/pretrain.ts";
import { onReplicas, onWholeBatches, replicasOf } from "../train/replicas.ts";
import { takeRun } from "../train/takeRun.ts";
import { distillSection } from "./card.ts";
import { type How, howOf } from "./how.ts";
import { keptBy } from "./keptBy.ts";
import { checkAsked, type DistillModelOptions, type DistillReport } from "./options.ts";
import { finishedRounded, formsWith, keptUnderBits, type Learnt, roundedPupil } from "./roundedStudent.ts";
import { alignedBy, scorerOf, tokenizerOf } from "./scoring.ts";
import { requireEmbedder, staticStudent } from "./staticStudent.ts";
import { type Opened, type Student, studentOf } from "./student.ts";

/** The distilled model's folder, and how the run ended. */
export interface Distilled extends DistillReport {
  readonly path: string;
  readonly task: string;
  readonly ended: string;
}

/** Updates on running text, which has no epochs, where none are asked for. */
const TEXT_STEPS = 600;
/** Students take higher rates than fine-tuning does: they have more to learn. */
const FASTER = 6;
/** Under few bits over 2^bits: numbers that pass from code to code too fast learn less. */
const UNDER_BITS = 12;
/** Held-out tokens that models are measured on; of records all are. */
const WATCHED = 16_384;

/** A distillation before its first step. */
interface Prepared {
  readonly engine: Engine;
  readonly task: Task;
  readonly teacher: Opened;
  readonly student: Student;
  readonly data: UserData;
  readonly lesson: Lesson;
  readonly how: How;
  /** With the steps and rates that data and models decide. */
  readonly options: RunOptions;
}

const positionsOf = ({ arch, config }: Model): number => arch.cache(config).positions;

const opened = async (ref: string, { hub }: RecipeHooks): Promise<Opened> => {
  const { model, tokenizer, dir } = await openModel(ref, { ...hub });
  await refuseRounded(dir, "teaches");
  return { model, tokenizer, source: await sourceIn(dir, ref) };
};

const lessonOf = (
  task: Task,
  { teacher, student }: Pick<Prepared, "teacher" | "student">,
  data: UserData,
  run: RunOptions,
) => {
  // Both read the batches: what only one of them reads is there for it.
  const reads = "type_vocab_size" in teacher.model.config ? teacher.model : student.model;
  return task.lesson(data.material, {
    ...{ model: reads, tokenizer: data.tokenizer, batch: run.train.batch, context: run.model.n_positions },
    ...{
      seed: run.seed,
      heldOutTokens: WATCHED,
      wholeWords: run.train.wholeWords,
      records: recordOptions(run),
    },
  });
};

/** Steps and rates where the options leave them open. */
const timed = (
  given: RunOptions,
  { task, lesson, student: { model, fresh } }: Pick<Prepared, "task" | "lesson" | "student">,
  { bits }: DistillModelOptions,
): RunOptions => {
  const isText = lesson.epoch === undefined;
  const steps = given.train.steps === 0 && isText ? TEXT_STEPS : given.train.steps;
  const usual = fresh || bits === undefined ? FASTER : UNDER_BITS / 2 ** bits;
  const rate = (task.rate ?? 1) * (isText || fresh ? usual : 1);
  const options = { ...given, train: { ...given.train, steps } };
  return scheduled(options, { model, task: { ...task, rate } }, lesson);
};

const prepared = async (
  ref: string,
  asked: DistillModelOptions,
  given: RunOptions,
  hooks: RecipeHooks,
): Promise<Prepared> => {
  const { ui, hub } = hooks;
  ui.stage("Loading the teacher");
  const engine = await nodeEngine(given.threads > 0 ? { threads: given.threads } : {});
  const teacher = await opened(ref, hooks);
  const task = taskOf(teacher.model);
  ui.line(`task: ${task.name}`);
  if (asked.static) requireEmbedder(teacher);
  const early = asked.static
    ? undefined
    : await studentOf(teacher, asked, given, { engine, ...defined({ hub }) });
  const positions = Math.min(positionsOf(teacher.model), positionsOf((early ?? teacher).model));
  const n_positions = Math.min(given.model.n_positions, positions);
  const run = { ...given, model: { ...given.model, from: ref, n_positions } };
  ui.stage("Reading the data");
  const { tokenizer = teacher.tokenizer } = early ?? {};
  const model = early?.tokenizer === undefined ? teacher.model : early.model;
  const data = await userData(run, hooks, { task, tokenizer, model });
  const student = early ?? (await staticStudent(engine, teacher, data.material, asked, hooks));
  await requireTraining(student.model, run);
  const lesson = lessonOf(task, { teacher, student }, data, run);
  const across = student.tokenizer !== undefined;
  const taught = { task, teacher: teacher.model, student: student.model, lesson, across };
  const how = howOf(taught, asked, run);
  const options = timed(run, { task, lesson, student }, asked);
  return { engine, task, teacher, student, data, lesson, how, options };
};

/** A table is of use as it was made: it learns where updates are asked for. */
const asMade = ({ model }: Student): Taught => ({ model, steps: 0, bestStep: 0, ended: "done" });

/** What a run is beside its options: with another student or teaching it is another run. */
const identityOf = (
  { options, data, how, student }: Prepared,
  asked: DistillModelOptions,
  pupil: Model,
): Json => ({
  ...(identity(options, data, pupil, () => false) as { readonly [name: string]: Json }),
  distill: {
    ...how.options,
    from: student.from,
    teacherBits: asked.teacherBits ?? 32,
    ...defined({ teacherTopK: asked.teacherTopK }),
    bits: asked.bits ?? 32,
  },
});

/** A trained student, and the codes of its matrices where those were learnt. */
interface Taught extends TrainResult {
  readonly codes?: Learnt;
}

/** The student with what learns beside it, or as it is rounded while it learns. */
const pupilOf = async ({ engine, how, student, options }: Prepared, { bits }: DistillModelOptions) => {
  if (bits === undefined) return how.pupil(options.seed);
  return { model: await roundedPupil(engine, student.model, bits), finish: finishedRounded };
};

/** The student after its lessons. */
const taughtBy = async (all: Prepared, asked: DistillModelOptions, hooks: RecipeHooks): Promise<Taught> => {
  const { engine, teacher, student, lesson, how, options } = all;
  const { train: t, seed, out } = options;
  const { ui } = hooks;
  const pupil = await pupilOf(all, asked);
  const run = join(out, "run");
  const store = checkpointStore(join(run, "checkpoints"), { onWarning: (line) => ui.warn(line) });
  const progress = ui.task("distilling", t.steps);
  const { onRow } = follow("distilled", progress, join(run, "metrics.jsonl"));
  const steppers = how.compares ? onWholeBatches(t) : onReplicas(t, pupil.model, engine);
  const replicas = how.compares ? 1 : replicasOf(t, pupil.model, engine);
  if (replicas > 1) ui.line(`trained on ${replicas} replicas`);
  const teaches = asked.teacherBits === 8 ? quantized(teacher.model, { bits: 8 }) : teacher.model;
  const result = await teach(engine, pupil.model, {
    ...{ teacher: teaches, teaching: how.teaching, source: lesson.source },
    ...keptBy(teacher.model, asked, { options, ui }),
    ...(student.tokenizer === undefined ? {} : { aligned: alignedBy(all) }),
    ...(asked.onPolicy === undefined ? {} : { onPolicy: { share: asked.onPolicy, seed } }),
    record: {
      name: "distill",
      options: { teacher: teacher.source.card.title, ...how.options, ...t } as Json,
    },
    train: {
      ...loopOptions(t, lesson.context, seed),
      ...(asked.bits === undefined ? {} : keptUnderBits(t, lesson)),
      ...defined({ widths: lesson.widths, judge: lesson.judge, signal: hooks.signal }),
      ...steppers,
      validation: lesson.heldOut.windows,
      checkpoints: checkpointsIn(store, identityOf(all, asked, pupil.model)),
      onRow,
      resume: hooks.resume ?? false,
    },
  });
  const best = result.ended === "interrupted" ? "" : `; the weights of update ${result.bestStep} are kept`;
  progress.done(`distilled in ${result.steps} updates (${result.ended})${best}`);
  const finished = pupil.finish(result.model);
  const made = "codes" in finished ? finished : { model: finished };
  return { ...result, ...made, model: { ...made.model, history: historyOf(student, result) } };
};

const historyOf = ({ model }: Student, result: TrainResult): Model["history"] => [
  ...model.history,
  ...result.model.history.slice(-1),
];

/** Writes OUT/model. */
const write = async (
  { engine, teacher, student, options, task, how }: Prepared,
  { model, steps, valLoss, codes }: Taught,
  { report, bits = 4 }: { readonly report: DistillReport } & Pick<DistillModelOptions, "bits">,
  { command }: RecipeHooks,
): Promise<string> => {
  const tokenizer = tokenizerOf({ teacher, student });
  const context = { engine, seed: options.seed, calibration: calibrationOf(tokenizer), log: () => {} };
  const dense = await formsOf(model, context);
  const forms = codes === undefined ? dense : formsWith(dense, model, { codes, bits });
  const { source } = student;
  const files = modelFolder(model, {
    ...{
      dtype: codes === undefined ? "fp32" : `q${bits}`,
      tokenizer: tokenizer.files(),
      eos: tokenizer.eos,
      forms,
    },
    ...defined({ source }),
  });
  const card = trainedCard(model, {
    ...{ steps, generation: generationIn(files), source: source?.card, valLoss, unit: task.lossUnit },
    sections: [distillSection(report, { teacher: teacher.source.card.title, how: how.words })],
  });
  files.set("README.md", [new TextEncoder().encode(card)]);
  files.set("anneal.json", [jsonBytes({ version, command, recipe: options, history: model.history })]);
  const path = join(options.out, "model");
  await writeFolder(path, files);
  return path;
};

const tell = ({ student, lesson, how, options }: Prepared, { ui }: RecipeHooks): void => {
  const { steps, lrPeak, warmup } = options.train;
  const millions = (countParams(student.model.weights) / 1e6).toFixed(2);
  ui.line(`student: ${student.from}, ${millions} M parameters`);
  ui.line(`loss: ${how.words}`);
  for (const note of lesson.notes ?? []) ui.line(note);
  ui.line(`${steps} updates (${warmup} of warm-up to ${lrPeak})`);
};

/**
 * Teaches a student by the model `ref` on the user's data and writes OUT/model; undefined when interrupted
 * (a checkpoint is then in OUT/run). Throws ConfigError for a student of another task or tokenizer, for
 * layers that the teacher has not and losses that do not suit, and as `openModel`, `userData` and `train`.
 */
export const distillModel = async (
  ref: string,
  asked: DistillModelOptions,
  run: RunOptions,
  hooks: RecipeHooks,
): Promise<Distilled | undefined> => {
  checkAsked(asked);
  const unlock = await takeRun(run.out);
  try {
    const all = await prepared(ref, asked, run, hooks);
    const { student, task } = all;
    tell(all, hooks);
    const score = await scorerOf(all);
    const [whole, before] = [await score.teacher(), await score.student(student.model)];
    hooks.ui.stage("Distilling");
    const untaught = asked.static === true && run.train.steps === 0;
    const result = untaught ? asMade(student) : await taughtBy(all, asked, hooks);
    if (result.ended === "interrupted") return undefined;
    const after = await score.student(result.model);
    const { name, better } = task.criterion;
    const unit = student.tokenizer === undefined ? task.criterion.unit : name;
    const report: DistillReport = {
      ...{ teacher: whole.form, before: before.form, after: after.form, unit, better },
      ...{ scored: before.scored, from: student.from, steps: result.steps },
    };
    hooks.ui.stage("Writing the model");
    const path = await write(all, result, { report, ...defined({ bits: asked.bits }) }, hooks);
    return { ...report, path, task: task.name, ended: result.ended };
  } finally {
    await unlock();
  }
};
