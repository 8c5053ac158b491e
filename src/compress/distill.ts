/**
 * Distillation (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): trains a student on what its teacher says
 * of each batch. The teacher runs forward only, with its weights as initializers, beside the student's step.
 */
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import { type Tensor, zeros } from "../ir/tensor.ts";
import type { Json, Model } from "../models/model.ts";
import { asConstants } from "../nn/param.ts";
import type { Teaching } from "../tasks/distillation.ts";
import { batchOutputs } from "../tasks/objective.ts";
import { batchFeeds, typesOf } from "../tasks/scores.ts";
import type { BatchSource } from "../tasks/task.ts";
import { type TrainHooks, type TrainOptions, train } from "../train/loop.ts";
import { derived, type Pass } from "./pass.ts";

/** The teacher, the batches, and how the student is trained on them. */
export interface DistillOptions {
  readonly teacher: Model;
  readonly teaching: Teaching;
  /** Micro-batches, as for training. */
  readonly source: BatchSource;
  readonly train: Omit<TrainOptions, "objective" | "record"> & TrainHooks;
  /** How the teaching was made, for the history. */
  readonly said?: { readonly [name: string]: Json };
}

/** A model that says what it makes of a batch. */
interface Teacher {
  /** What it says, into `buffers` where they are given. */
  say(batch: Feeds, buffers?: Feeds): Promise<Feeds>;
  /** Tensors that hold what it says of a batch. */
  buffers(): Feeds;
  dispose(): Promise<void>;
}

const said = (session: Session, batch: Feeds): Feeds =>
  Object.fromEntries(Object.entries(batchFeeds(batch)).filter(([name]) => name in session.inputTypes));

const teacherOf = async (
  engine: Engine,
  { teacher, teaching }: DistillOptions,
  like: Feeds,
): Promise<Teacher> => {
  const program = trace({ batch: typesOf([like]) }, ({ batch }) => {
    return teaching.says(batchOutputs(teacher, asConstants(teacher.weights), batch), batch);
  });
  const session = await compile(engine, program, { inPlace: true, idle: "sleep" });
  const outputs = Object.entries(program.outputs as Readonly<Record<string, Value>>);
  const buffers = (): Feeds =>
    Object.fromEntries(outputs.map(([name, { dtype, shape }]) => [name, zeros({ dtype, shape } as Tensor)]));
  return {
    buffers,
    async say(batch, into = buffers()) {
      await session.run(said(session, batch), into);
      return into;
    },
    dispose: () => session.dispose(),
  };
};

/** Adds what the teacher says to each micro-batch; the buffers, one a micro-batch, are used at each step. */
const withTeacher = (teacher: Teacher, source: BatchSource, accumulate: number): BatchSource => {
  const buffers = Array.from({ length: accumulate }, () => teacher.buffers());
  return async (index): Promise<Feeds> => {
    const batch = await source(index);
    return { ...batch, ...(await teacher.say(batch, buffers[index % accumulate]!)) };
  };
};

/** Held-out batches, with what the teacher says of them where the student is measured by that. */
const heldOutOf = async (teacher: Teacher, { teaching, train: { validation } }: DistillOptions) => {
  if (validation === undefined || teaching.objective.heldOut !== undefined) return validation;
  const told: Feeds[] = [];
  for (const batch of validation) told.push({ ...batch, ...(await teacher.say(batch)) });
  return told;
};

/** The pass that trains the model it is given as the student. */
export const distill = (options: DistillOptions): Pass => {
  const { teaching, source, train: given, said: how = {} } = options;
  const { steps, accumulate = 1, signal } = given;
  const pass = { name: "distill", options: { ...how, steps } };
  return {
    ...pass,
    run: async (student, { engine }) => {
      const teacher = await teacherOf(engine, options, await source(0));
      try {
        const validation = await heldOutOf(teacher, options);
        const taught = withTeacher(teacher, source, accumulate);
        const result = await train(engine, student, taught, {
          ...given,
          objective: teaching.objective,
          ...(validation === undefined ? {} : { validation }),
        });
        if (result.ended === "interrupted") signal?.throwIfAborted();
        return derived(student, pass, { weights: result.model.weights });
      } finally {
        await teacher.dispose();
      }
    },
  };
};
