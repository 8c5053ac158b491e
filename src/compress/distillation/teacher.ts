/** A model that teaches: it runs forward only, with its weights as initializers. */
import { byShape, shapesOf } from "../../engine/byShape.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds, Session } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import { type Program, trace } from "../../ir/program.ts";
import { type Tensor, type TensorType, zeros } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { asParams, tensorsOf } from "../../nn/param.ts";
import { batchOutputs } from "../../tasks/objective.ts";
import { batchFeeds, typesOf } from "../../tasks/scores.ts";
import type { Teaching } from "../../tasks/teaching/distillation.ts";

/** A model that says what it makes of a batch. */
export interface Teacher {
  /** What it says, in tensors of its own for each `slot`, which its next use of the same shape overwrites. */
  say(batch: Feeds, slot: number): Promise<Feeds>;
  /** What it says, in fresh tensors. */
  told(batch: Feeds): Promise<Feeds>;
  dispose(): Promise<void>;
}

const said = (session: Session, batch: Feeds): Feeds =>
  Object.fromEntries(Object.entries(batchFeeds(batch)).filter(([name]) => name in session.inputTypes));

/** The teacher, compiled for each shape of a batch. */
export const teacherOf = (
  engine: Engine,
  { teacher, teaching }: { readonly teacher: Model; readonly teaching: Teaching },
): Teacher => {
  // What stands beside a weight is found where it is an input; as constants weights run faster.
  const inputs = teaching.readsWeights ? new Map(tensorsOf(teacher.weights)) : new Map<string, Tensor>();
  const weights = Object.fromEntries(Array.from(inputs, ([path, t]) => [`w.${path}`, t]));
  const types = Object.fromEntries(
    Array.from(inputs, ([path, { dtype, shape }]) => [path, { dtype, shape }] as const),
  );
  const programFor = (like: Feeds): Program =>
    trace({ batch: typesOf([like]), w: types }, ({ batch, w }) => {
      const params = asParams(teacher.weights, new Map(Object.entries(w)));
      return teaching.says(batchOutputs(teacher, params, batch), batch, params);
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
    await session.run({ ...weights, ...said(session, batch) }, buffers);
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
