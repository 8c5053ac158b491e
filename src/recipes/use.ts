/** Using a model that is there: evaluating it, optimizing it. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { qualityOf } from "../evaluate/quality.ts";
import type { Model } from "../models/model.ts";
import { openModel } from "../node/hub/hub.ts";
import type { ModelFolder } from "../node/model/folder.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { loadGraph } from "../node/runtime/graph.ts";
import { type Probe, probe, probeOf } from "../node/runtime/probe.ts";
import { graphNames } from "../serve/graphs.ts";
import { type ExportDtype, exportDtypes } from "../ship/onnx/dtype.ts";
import { dtypesFrom } from "../ship/onnx/export.ts";
import { heldOutWindows } from "../tasks/causalLm.ts";
import { taskOf } from "../tasks/index.ts";
import { heldOutLoss } from "../train/validate.ts";
import { calibrationOf } from "./calibration.ts";
import { checkStudent } from "./config/check.ts";
import type { RunOptions } from "./config/options.ts";
import type { RecipeHooks } from "./context/hooks.ts";
import { corpus } from "./data/corpus.ts";
import { userData } from "./data/read.ts";
import { openCausal } from "./open.ts";
import { compressAndShip, type Outcome, probeIn } from "./quickstart.ts";
import { sourceIn } from "./source.ts";
import { takeRun } from "./takeRun.ts";
import { knownFault } from "./verify/parityFile.ts";

/** Windows of a folder's model are as long as its positions, up to this many tokens. */
const LONGEST = 512;

/** Quality and speed of a model that is there. */
export interface Evaluation extends Probe {
  readonly dtype: ExportDtype;
  readonly natsPerToken: number;
  readonly bitsPerByte: number;
  readonly tokens: number;
}

/** Speed of the folder's own graph, else of one that is made of the model. */
const speedOf = async (engine: Engine, { dir, tokenizer }: ModelFolder, dtype: ExportDtype, model: Model) => {
  const vocab = tokenizer.vocabSize;
  const file = join(dir, exportDtypes[dtype].file);
  if (!existsSync(file)) return probeIn(engine, vocab)(model);
  return probe({ ...probeOf(model, vocab), graphs: { model: file }, threads: engine.threads });
};

/** Quality on the held-out part of the given text, and speed, of a causal language model in one dtype. */
export const evaluateFolder = async (
  ref: string,
  dtype: string | undefined,
  options: RunOptions,
  { ui, hub }: RecipeHooks,
): Promise<Evaluation> => {
  const folder = await openCausal(ref, hub);
  const chosen = dtypesFrom([dtype ?? folder.dtype], "--dtype")[0]!;
  const fault = await knownFault(folder.dir, chosen, graphNames.decoder);
  if (fault !== undefined) ui.warn(fault);
  const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
  const file = join(folder.dir, exportDtypes[chosen].file);
  // Loaded here only to refuse a damaged file before the work; it is measured in a process of its own.
  if (existsSync(file)) await (await loadGraph(engine, file)).dispose();
  const data = await corpus(options, { ui }, folder.tokenizer);
  const shape = folder.model.arch.cache(folder.model.config);
  const { windows, bytes } = heldOutWindows(data.validation.tokens, folder.tokenizer, {
    batch: options.train.batch,
    context: Math.min(shape.positions, LONGEST),
    limit: 32_768,
  });
  const model = await exportDtypes[chosen].pass.run(folder.model, {
    engine,
    seed: options.seed,
    calibration: calibrationOf(folder.tokenizer),
    log: () => {},
  });
  const loss = await heldOutLoss(engine, model, windows);
  const figures = await speedOf(engine, folder, chosen, model);
  return { dtype: chosen, tokens: loss.tokens, ...qualityOf(loss, bytes), ...figures };
};

/** From a model's folder to the best candidate under the budget, shipped to OUT/model. */
export const optimizeFolder = async (
  ref: string,
  options: RunOptions,
  hooks: RecipeHooks,
): Promise<Outcome> => {
  const folder = await openModel(ref, hooks.hub ?? {});
  const task = taskOf(folder.model);
  checkStudent(options, folder.model.arch.cache(folder.model.config).layers);
  const source = await sourceIn(folder.dir, ref);
  const { positions } = folder.model.arch.cache(folder.model.config);
  const context = Math.min(positions, task.textTokens);
  const fitted = { ...options, model: { ...options.model, n_positions: context } };
  const unlock = await takeRun(options.out);
  try {
    const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
    hooks.ui.stage("Reading and cleaning text");
    const data = await userData(fitted, hooks, { task, tokenizer: folder.tokenizer });
    return await compressAndShip(engine, folder.model, data, fitted, { ...hooks, curves: [], source });
  } finally {
    await unlock();
  }
};
