/**
 * Distillation (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): trains a student on what its teacher says
 * of each batch. The teacher runs forward only, with its weights as initializers, beside the student's step.
 */
import { shapesOf } from "../../engine/byShape.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import type { HistoryStep, Json, Model } from "../../models/model.ts";
import type { BatchSource } from "../../tasks/task.ts";
import type { Teaching } from "../../tasks/teaching/distillation.ts";
import { type TrainHooks, type TrainOptions, type TrainResult, train } from "../../train/loop.ts";
import { type MakeStepper, type Stepper, stepper } from "../../train/stepper.ts";
import { defined } from "../../util/defined.ts";
import { derived, type Pass } from "../pass.ts";
import { type AlignedOptions, alignedTeacher } from "./alignedTeacher.ts";
import { type KeptOptions, keptLogits } from "./keptTeacher.ts";
import { type OnPolicyOptions, onPolicy } from "./onPolicy.ts";
import { type Teacher, teacherOf } from "./teacher.ts";

/** The teacher, the batches, and how the student is trained on them. */
export interface DistillOptions {
  readonly teacher: Model;
  readonly teaching: Teaching;
  /** Micro-batches, as for training. */
  readonly source: BatchSource;
  readonly train: Omit<TrainOptions, "objective" | "record"> & TrainHooks;
  /** Where the teacher's likeliest tokens are kept, of a teaching by logits alone. */
  readonly kept?: KeptOptions;
  /** Tokenizers of a student and a teacher that have different ones; see `alignedTeaching`. */
  readonly aligned?: AlignedOptions;
  /** How much of what it learns from the student writes itself, of language models. */
  readonly onPolicy?: OnPolicyOptions;
  /** How the teaching was made, for the history. */
  readonly said?: { readonly [name: string]: Json };
}

/** A teacher of logits whose likeliest tokens are kept; it is compiled when a batch is met that is not. */
const keptTeacher = (engine: Engine, options: DistillOptions, kept: KeptOptions): Teacher => {
  let asked: Teacher | undefined;
  const ask = async (batch: Feeds): Promise<Float32Array> => {
    asked ??= teacherOf(engine, options);
    return (await asked.say(batch, 0)).teacherLogits!.data as Float32Array;
  };
  const say = keptLogits(ask, kept, options.teacher.config.vocab_size);
  const held = new Map<string, Float32Array>();
  return {
    told: (batch) => say(batch),
    say: async (batch, slot) => {
      const key = `${slot} ${shapesOf(batch)}`;
      const found = await say(batch, held.get(key));
      held.set(key, found.teacherLogits!.data as Float32Array);
      return found;
    },
    dispose: async () => asked?.dispose(),
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

/** The batches, as far as the student does not write them, and the stepper whose weights it writes with. */
const written = (engine: Engine, student: Model, { source, onPolicy: how, train: given }: DistillOptions) => {
  if (how === undefined) return { source, dispose: async () => {} };
  const make = given.stepper ?? stepper;
  let learning: Stepper | undefined;
  const caught: MakeStepper = async (...args) => {
    learning = await make(...args);
    return learning;
  };
  return {
    ...onPolicy(engine, student, { ...how, source, weights: () => learning!.weights() }),
    stepper: caught,
  };
};

const openTeacher = (engine: Engine, student: Model, options: DistillOptions): Teacher => {
  const { kept, aligned, teacher } = options;
  if (kept !== undefined) return keptTeacher(engine, options, kept);
  const asked = teacherOf(engine, options);
  return aligned === undefined ? asked : alignedTeacher(asked, { teacher, student }, aligned);
};

/** Trains `student`, and says how that ended. Throws as `train` does. */
export const teach = async (
  engine: Engine,
  student: Model,
  options: DistillOptions & { readonly record?: HistoryStep },
): Promise<TrainResult> => {
  const { teaching, train: given, record } = options;
  const { source, dispose, ...stepping } = written(engine, student, options);
  const teacher = openTeacher(engine, student, options);
  try {
    const validation = await heldOutOf(teacher, options);
    return await train(engine, student, withTeacher(teacher, source, given.accumulate ?? 1), {
      ...given,
      ...stepping,
      objective: teaching.objective,
      ...defined({ validation, record }),
    });
  } finally {
    await dispose();
    await teacher.dispose();
  }
};

/** The pass that trains the model it is given as the student. */
export const distill = (options: DistillOptions): Pass => {
  const { said: how = {} } = options;
  const { steps, signal } = options.train;
  const pass = { name: "distill", options: { ...how, steps } };
  return {
    ...pass,
    run: async (student, { engine }) => {
      const result = await teach(engine, student, options);
      if (result.ended === "interrupted") signal?.throwIfAborted();
      return derived(student, pass, { weights: result.model.weights });
    },
  };
};
