/** Using a model's folder: evaluating it, optimizing it. */
import { join } from "node:path";
import { qualityOf } from "../evaluate/quality.ts";
import { nodeEngine } from "../node/engine.ts";
import { loadFolder } from "../node/folder.ts";
import { loadGraph } from "../node/graph.ts";
import { type Probe, probe } from "../node/probe.ts";
import { lockRun } from "../node/store.ts";
import { type ExportDtype, exportDtypes } from "../ship/dtype.ts";
import { dtypesFrom } from "../ship/export.ts";
import { heldOutLoss } from "../train/validate.ts";
import { corpus, heldOut } from "./corpus.ts";
import type { RecipeHooks } from "./hooks.ts";
import type { RunOptions } from "./options.ts";
import { compressAndShip, type Outcome } from "./quickstart.ts";
import type { Ui } from "./ui.ts";

/** Windows of a folder's model are as long as its positions, up to this many tokens. */
const LONGEST = 512;

const dtypeOf = (wanted: string): ExportDtype => dtypesFrom([wanted], "--dtype")[0]!;

export interface Evaluation extends Probe {
  readonly dtype: ExportDtype;
  readonly natsPerToken: number;
  readonly bitsPerByte: number;
  readonly tokens: number;
}

/** Quality on the held-out part of the given text, and speed, of a folder's model in one dtype. */
export const evaluateFolder = async (
  dir: string,
  dtype: string | undefined,
  options: RunOptions,
  ui: Ui,
): Promise<Evaluation> => {
  const folder = await loadFolder(dir);
  const chosen = dtypeOf(dtype ?? folder.dtype);
  const file = join(dir, exportDtypes[chosen].file);
  const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
  // Loaded here only to refuse a damaged file before the work; it is measured in a process of its own.
  await (await loadGraph(engine, file)).dispose();
  const data = await corpus(options, ui, folder.tokenizer);
  const shape = folder.model.arch.cache(folder.model.config);
  const { windows, bytes } = heldOut(data, options.train.batch, Math.min(shape.positions, LONGEST));
  const context = { engine, seed: options.seed, log: () => {} };
  const model = await exportDtypes[chosen].pass.run(folder.model, context);
  const loss = await heldOutLoss(engine, model, windows);
  const speed = { vocab: folder.tokenizer.vocabSize };
  const figures = await probe({ file, shape, speed, threads: engine.threads });
  return { dtype: chosen, tokens: loss.tokens, ...qualityOf(loss, bytes), ...figures };
};

/** From a trained model's folder to the best candidate under the budget, shipped to OUT/model. */
export const optimizeFolder = async (
  dir: string,
  options: RunOptions,
  hooks: RecipeHooks,
): Promise<Outcome> => {
  const folder = await loadFolder(dir);
  const { positions } = folder.model.arch.cache(folder.model.config);
  const context = Math.min(positions, LONGEST);
  const fitted = { ...options, model: { ...options.model, n_positions: context } };
  const unlock = await lockRun(join(options.out, "run"));
  try {
    const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
    hooks.ui.stage("Reading and cleaning text");
    const data = await corpus(fitted, hooks.ui, folder.tokenizer);
    return await compressAndShip(engine, folder.model, data, fitted, { ...hooks, curves: [] });
  } finally {
    await unlock();
  }
};
