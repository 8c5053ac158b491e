/** How well a model does on held-out data, token by token. */
import { byShape } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import { watched } from "../engine/watched.ts";
import { trace } from "../ir/program.ts";
import type { Tensor, TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants } from "../nn/param.ts";
import { DataError } from "../util/errors.ts";
import { batchOutputs, tokenLosses } from "./objective.ts";
import type { Criterion, HeldOut, Says, Task } from "./task.ts";

/** The inputs that batches have, by name. */
export const typesOf = ([first]: HeldOut["windows"]): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(first!).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

/**
 * What a finished model says of each batch, by a program for each shape that they have: `says` makes its
 * outputs. Its weights are initializers.
 */
export const saidOf = async (
  engine: Engine,
  model: Model,
  windows: HeldOut["windows"],
  says: Says,
): Promise<Record<string, Tensor>[]> => {
  const open = (window: Feeds) =>
    compile(
      engine,
      trace({ batch: typesOf([window]) }, ({ batch }) => {
        return says(batchOutputs(model, asConstants(model.weights), batch), batch);
      }),
      { idle: "sleep" },
    );
  const sessions = byShape(open);
  const said: Record<string, Tensor>[] = [];
  try {
    for (const window of windows) {
      const session = await sessions.at(window);
      const feeds = Object.entries(batchFeeds(window)).filter(([name]) => name in session.inputTypes);
      said.push(await session.run(Object.fromEntries(feeds)));
    }
  } finally {
    await sessions.dispose();
  }
  return said;
};

/** A batch as the feeds of a program that has it as `batch`. */
export const batchFeeds = (window: HeldOut["windows"][number]) =>
  Object.fromEntries(Object.entries(window).map(([name, t]) => [`batch.${name}`, t]));

/**
 * Losses of a finished model, nats, token by token in the order of the windows: of those that count. Throws
 * DataError where none does.
 */
export const tokenScores = async (
  engine: Engine,
  model: Model,
  { windows }: Pick<HeldOut, "windows">,
): Promise<Float32Array> => {
  const said = await saidOf(engine, model, windows, (outputs, { labels }) => tokenLosses(outputs, labels!));
  const found: number[] = [];
  for (const { losses, counts } of said) {
    losses!.data.forEach((loss, i) => {
      if (Number(counts!.data[i]) > 0) found.push(Number(loss));
    });
  }
  if (found.length > 0) return Float32Array.from(found);
  throw new DataError("nothing of the held-out data counts: every label is IGNORE");
};

/** A task's scorer, whose `onBatch` is told how far it is. */
export const watchedScorer = async (
  task: Pick<Task, "scorer">,
  engine: Engine,
  heldOut: HeldOut,
  reference: Model,
): Promise<(model: Model, onBatch?: (done: number, of: number) => void) => Promise<Float32Array>> => {
  const of = heldOut.windows.length;
  let [done, tell] = [0, undefined as ((done: number, of: number) => void) | undefined];
  // Some tasks run a batch by more than one program.
  const told = watched(engine, () => tell?.(Math.min(++done, of), of));
  const score = await task.scorer(told, heldOut, reference);
  return (model, onBatch) => {
    [done, tell] = [0, onBatch];
    return score(model);
  };
};

/** The mean of scores. */
export const meanOf = (scores: Float32Array): number => scores.reduce((sum, x) => sum + x, 0) / scores.length;

/** exp of the mean loss, of scores in nats per `example`. */
export const perplexity = (example: string, block = 1): Criterion => ({
  ...{ name: "perplexity", unit: `nats per ${example}`, example, better: "less", block },
  of: (scores) => Math.exp(meanOf(scores)),
});
