/** Optimizing a model that is there. */
import { openModel } from "../../node/hub/hub.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Task } from "../../tasks/task.ts";
import { budgetOf } from "../config/budget.ts";
import { checkStudent } from "../config/check.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import { userData } from "../data/read.ts";
import type { UserData } from "../data/userData.ts";
import { bareBodyNotes } from "../model/bareBody.ts";
import { type Cuttable, cutFolder, idsIn } from "../model/cut.ts";
import { sourceIn } from "../model/source.ts";
import { takeRun } from "../train/takeRun.ts";
import { compressAndShip, type Outcome } from "./compressAndShip.ts";

/** The user's data and the model that reads it: with its whole vocabulary, or what the data needs of it. */
const material = async (
  whole: Cuttable,
  options: RunOptions,
  task: Task,
  hooks: RecipeHooks,
): Promise<Pick<Cuttable, "model" | "source"> & { readonly data: UserData }> => {
  const read = (given: Cuttable, told: RecipeHooks) => userData(options, told, { task, ...given });
  const data = await read(whole, hooks);
  if (!options.model.cutVocab) return { ...whole, data };
  const cut = cutFolder(whole, idsIn(data.material));
  const [from, to] = [whole, cut].map(({ model }) => model.config.vocab_size);
  hooks.ui.line(`vocabulary: ${to} of ${from} tokens, those of the text and what any other is written with`);
  // The same text under the new ids; what was told of it once is not told again.
  return { ...cut, data: await read(cut, { ...hooks, ui: silent }) };
};

/** From a model's folder to the best candidate under the budget, shipped to OUT/model. */
export const optimizeFolder = async (
  ref: string,
  options: RunOptions,
  hooks: RecipeHooks,
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
    const { data, model, source } = await material(whole, fitted, task, hooks);
    return await compressAndShip(engine, model, data, fitted, { ...hooks, curves: [], source });
  } finally {
    await unlock();
  }
};
