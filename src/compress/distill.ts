/**
 * Distillation (Hinton et al. 2015, https://arxiv.org/abs/1503.02531): trains a student on the teacher's distribution over
 * the next token. The teacher runs forward only, with its weights as initializers, beside the student's step.
 */
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, zeros } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants } from "../nn/param.ts";
import { reshape } from "../ops/structure.ts";
import { distillation, type DistillOptions as ObjectiveOptions } from "../tasks/distillation.ts";
import type { BatchSource } from "../tasks/task.ts";
import { type TrainHooks, type TrainOptions, train } from "../train/loop.ts";
import { derived, type Pass } from "./pass.ts";

export interface DistillOptions extends ObjectiveOptions {
  readonly teacher: Model;
  /** Micro-batches, as for training. */
  readonly source: BatchSource;
  readonly train: Omit<TrainOptions, "objective" | "record"> & TrainHooks;
}

/** [B, T] ids -> [B * T, V] logits of a model whose weights do not change. */
const teacherSession = (engine: Engine, teacher: Model, batch: number, context: number): Promise<Session> => {
  const program = trace({ inputIds: { dtype: "int32", shape: [batch, context] } as const }, (v) => {
    const { inputIds } = v as unknown as { inputIds: Value };
    const { logits } = teacher.arch.forward(asConstants(teacher.weights), { inputIds }, teacher.config);
    return { logits: reshape(logits, [batch * context, logits.shape[2]!]) };
  }) as unknown as Program;
  return compile(engine, program, { inPlace: true, idle: "sleep" });
};

/** Adds the teacher's logits to each micro-batch; the buffers, one a micro-batch, are used at each step. */
const withTeacher = (session: Session, source: BatchSource, buffers: readonly Tensor[]): BatchSource => {
  return async (index): Promise<Feeds> => {
    const batch = await source(index);
    const logits = buffers[index % buffers.length]!;
    await session.run({ inputIds: batch.inputIds! }, { logits });
    return { ...batch, teacherLogits: logits };
  };
};

/** The pass that trains the model it is given as the student. */
export const distill = (options: DistillOptions): Pass => {
  const { teacher, source, alpha = 0.9, temperature = 1 } = options;
  const { steps, batch, context, accumulate = 1 } = options.train;
  const pass = { name: "distill", options: { alpha, temperature, steps } };
  return {
    ...pass,
    run: async (student, { engine }) => {
      const session = await teacherSession(engine, teacher, batch, context);
      const { vocab_size: vocab } = teacher.config as { vocab_size: number };
      const logits = { dtype: "float32", shape: [batch * context, vocab] } as const;
      const buffers = Array.from({ length: accumulate }, () => zeros(logits));
      try {
        const objective = distillation({ alpha, temperature });
        const taught = withTeacher(session, source, buffers);
        const result = await train(engine, student, taught, { ...options.train, objective });
        if (result.ended === "interrupted") options.train.signal?.throwIfAborted();
        return derived(student, pass, { weights: result.model.weights });
      } finally {
        await session.dispose();
      }
    },
  };
};
