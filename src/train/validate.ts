/** Held-out loss: a compiled forward pass over fixed windows. */
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants, asParams, trainedTensors } from "../nn/param.ts";
import { languageModelling } from "../tasks/languageModelling.ts";
import { batchTotals, type Objective } from "../tasks/objective.ts";
import { batchFeeds, typesOf } from "../tasks/scores.ts";
import { ConfigError, DataError } from "../util/errors.ts";
import { flatten } from "../util/tree.ts";

/**
 * Batches of held-out data, all of one shape: `inputIds` [B, T] and what the objective reads, as `labels`
 * [B * T] int32 with padding labelled IGNORE.
 */
export type Windows = readonly Feeds[];

/** Loss on held-out data. */
export interface HeldOut {
  /** Mean loss over all that counts, nats. */
  readonly loss: number;
  /** What counts: tokens, for most objectives. */
  readonly tokens: number;
}

/** What held-out data is measured by. Throws ConfigError where that lacks an input. */
const measuredBy = (objective: Objective, windows: Windows, model: Model): Objective => {
  const measure = objective.heldOut ?? objective;
  const [rows, context] = windows[0]!.inputIds!.shape as [number, number];
  const batch = rows / (measure.texts ?? 1);
  const { vocab_size: vocab } = model.config as { vocab_size: number };
  const missing = Object.keys(measure.inputs({ batch, context, vocab })).find((name) => !windows[0]![name]);
  if (missing === undefined) return measure;
  throw new ConfigError(`has no ${missing}, which "${measure.name}" reads`, { field: "validation" });
};

const average = async (session: Session, windows: Windows, weights: Feeds): Promise<HeldOut> => {
  let total = 0;
  let tokens = 0;
  for (const window of windows) {
    const out = await session.run({ ...weights, ...batchFeeds(window) });
    total += Number(out.total!.data[0]);
    tokens += Number(out.count!.data[0]);
  }
  if (tokens === 0) throw new DataError("nothing of the held-out data counts: every label is IGNORE");
  return { loss: total / tokens, tokens };
};

/**
 * Held-out loss of weights that keep changing: they are inputs, so nothing is compiled again. Throws
 * ConfigError where the windows lack what the objective reads.
 */
export const validator = async (
  engine: Engine,
  model: Model,
  windows: Windows,
  objective: Objective = languageModelling,
) => {
  const measure = measuredBy(objective, windows, model);
  const own = new Map(trainedTensors(model.weights));
  const params = Object.fromEntries(Array.from(own, ([name, { dtype, shape }]) => [name, { dtype, shape }]));
  const program = trace({ params, batch: typesOf(windows) }, (v) => {
    return batchTotals(model, asParams(model.weights, flatten<Value>(v.params)), measure, v.batch);
  });
  const session = await compile(engine, program, { idle: "sleep" });
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

/** Held-out loss of a finished model of any weight kinds: its weights are initializers. Throws as above. */
export const heldOutLoss = async (
  engine: Engine,
  model: Model,
  windows: Windows,
  objective: Objective = languageModelling,
): Promise<HeldOut> => {
  const measure = measuredBy(objective, windows, model);
  const program = trace({ batch: typesOf(windows) }, ({ batch }) => {
    return batchTotals(model, asConstants(model.weights), measure, batch);
  });
  const session = await compile(engine, program);
  try {
    return await average(session, windows, {});
  } finally {
    await session.dispose();
  }
};
