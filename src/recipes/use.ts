/** Using a model's folder: generating from it, evaluating it, optimizing it. */
import { join } from "node:path";
import { qualityOf } from "../evaluate/quality.ts";
import { nodeEngine } from "../node/engine.ts";
import { loadFolder } from "../node/folder.ts";
import { loadGraph } from "../node/graph.ts";
import { type Probe, probe } from "../node/probe.ts";
import { lockRun } from "../node/store.ts";
import { decoderOf } from "../serve/decoding.ts";
import { type GenerateOptions, generate } from "../serve/generate.ts";
import { dtypes, type ShipDtype } from "../ship/dtype.ts";
import { heldOutLoss } from "../train/validate.ts";
import { ConfigError } from "../util/errors.ts";
import { corpus, heldOut } from "./corpus.ts";
import type { RunOptions } from "./options.ts";
import { compressAndShip, type Outcome, type RecipeHooks } from "./quickstart.ts";
import type { Ui } from "./ui.ts";

/** Windows of a folder's model are as long as its positions, up to this many tokens. */
const LONGEST = 512;

const dtypeOf = (wanted: string): ShipDtype => {
  if (Object.hasOwn(dtypes, wanted)) return wanted as ShipDtype;
  throw new ConfigError(`must be one of ${Object.keys(dtypes).join(", ")}, not ${wanted}`, {
    field: "--dtype",
  });
};

export interface GenerateTextOptions extends Omit<GenerateOptions, "stopIds"> {
  readonly dir: string;
  readonly prompt: string;
  /** The folder's default unless told. */
  readonly dtype?: string;
  readonly threads?: number;
}

/** The text that continues a prompt, piece by piece, from the shipped graph. */
export async function* generateText(options: GenerateTextOptions): AsyncGenerator<string> {
  const folder = await loadFolder(options.dir);
  const { file } = dtypes[dtypeOf(options.dtype ?? folder.dtype)];
  const engine = await nodeEngine(options.threads ? { threads: options.threads } : {});
  const shape = folder.model.arch.cache(folder.model.config);
  const decoder = decoderOf(await loadGraph(engine, join(options.dir, file)), shape);
  const { tokenizer } = folder;
  const prompt = options.prompt === "" ? [tokenizer.eos] : tokenizer.encode(options.prompt);
  const stream = tokenizer.streamDecoder();
  try {
    for await (const id of generate(decoder, prompt, { ...options, stopIds: [tokenizer.eos] })) {
      const text = stream.push(id);
      if (text !== "") yield text;
    }
    const rest = stream.end();
    if (rest !== "") yield rest;
  } finally {
    await decoder.dispose();
  }
}

export interface Evaluation extends Probe {
  readonly dtype: ShipDtype;
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
  const file = join(dir, dtypes[chosen].file);
  const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
  // Loaded here only to refuse a damaged file before the work; it is measured in a process of its own.
  await (await loadGraph(engine, file)).dispose();
  const data = await corpus(options, ui, folder.tokenizer);
  const shape = folder.model.arch.cache(folder.model.config);
  const { windows, bytes } = heldOut(data, options.train.batch, Math.min(shape.positions, LONGEST));
  const context = { engine, seed: options.seed, log: () => {} };
  const model = await dtypes[chosen].pass.run(folder.model, context);
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
