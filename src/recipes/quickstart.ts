/**
 * The whole way in one recipe: raw text -> tokens -> a trained model -> candidates -> the best under a
 * budget, shipped.
 */
import { budgetOf } from "./config/budget.ts";
import { checkStudent } from "./config/check.ts";
import type { RunOptions } from "./config/options.ts";
import type { RecipeHooks } from "./context/hooks.ts";
import { compressAndShip, type Outcome } from "./optimize/compressAndShip.ts";
import { trainFromText } from "./train/pretrain.ts";
import { takeRun } from "./train/takeRun.ts";

/** Runs everything; undefined when it was interrupted (a checkpoint is then in OUT/run). */
export const quickstart = async (given: RunOptions, hooks: RecipeHooks): Promise<Outcome | undefined> => {
  const startedMs = performance.now();
  const { from, n_layer } = given.model;
  if (from === "") checkStudent(given, n_layer);
  const unlock = await takeRun(given.out);
  try {
    const { engine, data, trained, options, source } = await trainFromText(given, hooks, (model) => {
      budgetOf(given.budget, model);
    });
    if (trained.ended === "interrupted") return undefined;
    return await compressAndShip(engine, trained.model, data, options, {
      ...hooks,
      curves: [trained.curve],
      startedMs,
      ...(source === undefined ? {} : { source }),
    });
  } finally {
    await unlock();
  }
};
