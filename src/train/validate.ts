/** Held-out loss: a compiled forward pass over fixed windows. */
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import type { Tensor, TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants, type Param, type Weight } from "../nn/param.ts";
import { mul } from "../ops/elementwise.ts";
import { sum } from "../ops/structure.ts";
import { flatten, mapTree, type Tree } from "../util/tree.ts";
import { tokenLosses } from "./objective.ts";

/** Windows of held-out tokens: `inputIds` [B, T] and `labels` [B * T] int32, padding labelled IGNORE. */
export type Windows = readonly Feeds[];

export interface HeldOut {
  /** Mean loss, nats per token. */
  readonly loss: number;
  readonly tokens: number;
}

const spec = (windows: Windows) => {
  const type = (t: Tensor): TensorType => ({ dtype: t.dtype, shape: t.shape });
  const [first] = windows;
  return { inputIds: type(first!.inputIds!), labels: type(first!.labels!) };
};

const totals = (model: Model, params: Tree<Param>, ids: Value, labels: Value) => {
  const outputs = model.arch.forward(params, { inputIds: ids }, model.config);
  const { losses, counts } = tokenLosses(outputs, labels);
  return { total: sum(mul(losses, counts)), count: sum(counts) };
};

const average = async (session: Session, windows: Windows, weights: Feeds): Promise<HeldOut> => {
  let total = 0;
  let tokens = 0;
  for (const { inputIds, labels } of windows) {
    const out = await session.run({ ...weights, inputIds: inputIds!, labels: labels! });
    total += Number(out.total!.data[0]);
    tokens += Number(out.count!.data[0]);
  }
  return { loss: total / tokens, tokens };
};

/** Held-out loss of weights that keep changing: they are inputs, so nothing is compiled again. */
export const validator = async (engine: Engine, model: Model, windows: Windows) => {
  const params = mapTree<Weight, TensorType>(model.weights, (w) => ({ dtype: w.dtype, shape: w.shape }));
  const program = trace({ params, ...spec(windows) }, (given) => {
    const v = given as unknown as { params: Tree<Value>; inputIds: Value; labels: Value };
    return totals(model, v.params, v.inputIds, v.labels);
  }) as unknown as Program;
  const session = await compile(engine, program, { idle: "sleep" });
  const own = flatten<Weight>(model.weights) as Map<string, Tensor>;
  return {
    /** The loss of `weights`, and of the model's own where one is not among them. */
    run: (weights: ReadonlyMap<string, Tensor>): Promise<HeldOut> =>
      average(
        session,
        windows,
        Object.fromEntries([...own, ...weights].map(([path, t]) => [`params.${path}`, t])),
      ),
    dispose: () => session.dispose(),
  };
};

/** Held-out loss of a finished model of any weight kinds: its weights are initializers. */
export const heldOutLoss = async (engine: Engine, model: Model, windows: Windows): Promise<HeldOut> => {
  const program = trace(spec(windows), (v) => {
    const { inputIds, labels } = v as unknown as { inputIds: Value; labels: Value };
    return totals(model, asConstants(model.weights), inputIds, labels);
  }) as unknown as Program;
  const session = await compile(engine, program);
  try {
    return await average(session, windows, {});
  } finally {
    await session.dispose();
  }
};
