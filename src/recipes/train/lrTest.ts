/** The learning-rate range test of a run: what `--find-lr` prints. */
import type { Engine } from "../../engine/engine.ts";
import type { Lesson } from "../../tasks/task.ts";
import { type LrRange, lrRange } from "../../train/lrRange.ts";
import { type WidthOptions, widthKey, widthOf } from "../../train/width.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { loopOptions } from "./loopOptions.ts";
import type { Method } from "./method.ts";

/** Batches of one width, so that one step is compiled and losses are of like texts. */
export interface OneWidth {
  readonly width: WidthOptions;
  /** The batches of that width, in turns. */
  readonly source: Lesson["source"];
  /** How many batches have it. */
  readonly count: number;
}

/** Batches that are looked at to find the most frequent width. */
const LOOKED_AT = 200;

/** The batches of the width that is most frequent. */
export const mostFrequentWidth = async ({ source, epoch, context, widths }: Lesson): Promise<OneWidth> => {
  if (widths === undefined || widths.length === 1) {
    return { width: { context }, source, count: epoch ?? Number.POSITIVE_INFINITY };
  }
  const byWidth = new Map<string, { readonly width: WidthOptions; readonly indices: number[] }>();
  for (let i = 0; i < Math.min(epoch ?? LOOKED_AT, LOOKED_AT); i++) {
    const width = widthOf(await source(i));
    const known = byWidth.get(widthKey(width)) ?? { width, indices: [] };
    byWidth.set(widthKey(width), known);
    known.indices.push(i);
  }
  const { width, indices } = [...byWidth.values()].reduce((most, each) =>
    each.indices.length > most.indices.length ? each : most,
  );
  return { width, count: indices.length, source: (i) => source(indices[i % indices.length]!) };
};

/** Updates whose batches come again and again. */
const CYCLE = 10;

/** What the test is made on. */
export interface LrTest {
  readonly lesson: Lesson;
  readonly method: Method;
  readonly options: RunOptions;
  readonly stepper?: Parameters<typeof lrRange>[3]["stepper"];
}

/** Takes the test; no checkpoint, no metrics and no model are written. */
export const testLr = async (
  engine: Engine,
  { lesson, method, options, stepper }: LrTest,
  { ui, signal }: RecipeHooks,
): Promise<LrRange> => {
  const { source, width, count } = await mostFrequentWidth(lesson);
  const cycle = Math.max(1, Math.min(CYCLE, Math.floor(count / options.train.accumulate)));
  const loop = { ...loopOptions(options.train, width.context, options.seed), ...width };
  const steps = 100;
  const task = ui.task("rising rates", steps);
  const found = await lrRange(engine, method.model, (i) => source(i % (cycle * options.train.accumulate)), {
    ...loop,
    ...{ steps, cycle, objective: lesson.objective, frozen: method.frozen },
    optimizer: method.optimizer(loop.optimizer),
    ...(stepper === undefined ? {} : { stepper }),
    ...(signal === undefined ? {} : { signal }),
    onPoint: ({ step, lr, smoothed }) =>
      task.update(step, { lr: lr.toExponential(1), loss: smoothed.toFixed(3) }),
  });
  task.done(`${found.points.length} updates${found.diverged ? ", until the loss rose beyond bounds" : ""}`);
  return found;
};
