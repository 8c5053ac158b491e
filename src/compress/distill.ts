/**
 * Distillation (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): trains a student on what its teacher says
 * of each batch. The teacher runs forward only, with its weights as initializers, beside the student's step.
 */
import { byShape, shapesOf } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type TensorType, zeros } from "../ir/tensor.ts";
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
  /** What it says, in tensors of its own for each `slot`, which its next use of the same shape overwrites. */
  say(batch: Feeds, slot: number): Promise<Feeds>;
  /** What it says, in fresh tensors. */
  told(batch: Feeds): Promise<Feeds>;
  dispose(): Promise<void>;
}

const said = (session: Session, batch: Feeds): Feeds =>
  Object.fromEntries(Object.entries(batchFeeds(batch)).filter(([name]) => name in session.inputTypes));

/** The teacher, compiled for each shape of a batch. */
const teacherOf = (engine: Engine, { teacher, teaching }: DistillOptions): Teacher => {
  const programFor = (like: Feeds): Program =>
    trace({ batch: typesOf([like]) }, ({ batch }) => {
      return teaching.says(batchOutputs(teacher, asConstants(teacher.weights), batch), batch);
    });
  const outputs = new Map<string, readonly [name: string, type: TensorType][]>();
  const sessions = byShape((like) => {
    const program = programFor(like);
    const values = Object.entries(program.outputs as Readonly<Record<string, Value>>);
    outputs.set(
      shapesOf(like),
      values.map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
    );
    return compile(engine, program, { inPlace: true, idle: "sleep" });
  });
  const into = async (batch: Feeds, buffersOf: () => Feeds): Promise<Feeds> => {
    const session = await sessions.at(batch);
    const buffers = buffersOf();
    await session.run(said(session, batch), buffers);
    return buffers;
  };
  const fresh = (batch: Feeds): Feeds =>
    Object.fromEntries(outputs.get(shapesOf(batch))!.map(([name, type]) => [name, zeros(type)]));
  const held = new Map<string, Feeds>();
  return {
    told: (batch) => into(batch, () => fresh(batch)),
    say: (batch, slot) =>
      into(batch, () => {
        const key = `${slot} ${shapesOf(batch)}`;
        const buffers = held.get(key) ?? fresh(batch);
        held.set(key, buffers);
        return buffers;
      }),
    dispose: () => sessions.dispose(),
  };
};

/** Adds what the teacher says to each micro-batch; the buffers, one a micro-batch, are used at each step. */
const withTeacher =
  (teacher: Teacher, source: BatchSource, accumulate: number): BatchSource =>
  async (index): Promise<Feeds> => {
    const batch = await source(index);
    return { ...batch, ...(await teacher.say(batch, index % accumulate)) };
  };

/** Held-out batches, with what the teacher says of them where the student is measured by that. */
const heldOutOf = async (teacher: Teacher, { teaching, train: { validation } }: DistillOptions) => {
  if (validation === undefined || teaching.objective.heldOut !== undefined) return validation;
  const told: Feeds[] = [];
  for (const batch of validation) told.push({ ...batch, ...(await teacher.told(batch)) });
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
      const teacher = teacherOf(engine, options);
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
