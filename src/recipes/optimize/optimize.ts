/** Optimizing a model that is there. */
import { openModel } from "../../node/hub/hub.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { taskOf } from "../../tasks/index.ts";
import { budgetOf } from "../config/budget.ts";
import { checkStudent } from "../config/check.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { userData } from "../data/read.ts";
import { bareBodyNotes } from "../model/bareBody.ts";
import { readingData } from "../model/cut.ts";
import { sourceIn } from "../model/source.ts";
import { takeRun } from "../train/takeRun.ts";
import { compressAndShip, type Outcome } from "./compressAndShip.ts";

/**
 * From a model's folder to the best candidate under the budget, shipped to OUT/model; its time counts from
 * `startedMs` on performance.now()'s clock.
 */
export const optimizeFolder = async (
  ref: string,
  options: RunOptions,
  hooks: RecipeHooks,
  startedMs = performance.now(),
): Promise<Outcome> => {
  const folder = await openModel(ref, { ...hooks.hub, adapters: options.model.adapters });
  const task = taskOf(folder.model);
  budgetOf(options.budget, { ...folder.model, task }); // refused before anything is read
  // What is taught and measured are sentence vectors as the folder says they are made.
  if (task.name === "embedding" && folder.pooling.fault !== undefined) throw folder.pooling.fault;
  for (const note of bareBodyNotes(folder.model)) hooks.ui.warn(note);
  checkStudent(options, folder.model.arch.cache(folder.model.config).layers);
  const whole = { model: folder.model, tokenizer: folder.tokenizer, source: await sourceIn(folder.dir, ref) };
  const { positions } = folder.model.arch.cache(folder.model.config);
  const context = Math.min(positions, task.textTokens);
  const fitted = { ...options, model: { ...options.model, n_positions: context } };
  const unlock = await takeRun(options.out);
  try {
    const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
    hooks.ui.stage("Reading and cleaning text");
    const { cutVocab } = options.model;
    const { data, model, source } = await readingData(whole, { cutVocab, hooks }, (given, told) =>
      userData(fitted, told, { task, ...given }),
    );
    return await compressAndShip(engine, model, data, fitted, { ...hooks, curves: [], source, startedMs });
  } finally {
    await unlock();
  }
};
