/** From a model's folder to a GGUF file for llama.cpp. */
import { stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { CALIBRATION_TOKENS } from "../../compress/quantize.ts";
import type { Model } from "../../models/model.ts";
import { writeFileDurable } from "../../node/files/checkpoints.ts";
import { loadModel } from "../../node/model/folder.ts";
import { findFile, readText as readFileText, readJsonIfThere } from "../../node/model/modelFile.ts";
import { readTokenizer, readTokenizerSource } from "../../node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type Gguf, gguf } from "../../ship/gguf/gguf.ts";
import { type GgufMixName, ggufMixOf, weighsInputs } from "../../ship/gguf/mixes.ts";
import type { GgufImportance } from "../../ship/gguf/model.ts";
import type { GgufTokenizer } from "../../ship/gguf/tokenizer.ts";
import { AnnealError } from "../../util/errors.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import { type CalibrationText, readText } from "../data/windows.ts";
import { measuring, momentsOn } from "../model/measured.ts";

/** The kind of file, and where it goes. */
export interface GgufFolderOptions {
  /** A name of llama.cpp's in any case: Q4_K_M, q8_0, f16. */
  readonly type: string;
  /** A file that ends in .gguf, or a folder for one named by convention; the model's own unless given. */
  readonly out?: string;
  /** Base name; that of the folder, or of the Hub's repository, unless given. */
  readonly name?: string;
  /** "1.0" unless given. */
  readonly version?: string;
  /** Folders of adapters that are merged into the weights, each on those before it. */
  readonly adapters?: readonly string[];
  /** Text by which types of few bits weigh what layers read; without any all inputs count alike. */
  readonly text?: CalibrationText;
  readonly hooks?: RecipeHooks;
}

/** The file that was written. */
export interface GgufWritten {
  readonly path: string;
  readonly sizeBytes: number;
  /** What llama.cpp does otherwise than the model's own files, in a sentence each. */
  readonly notes: readonly string[];
}

/** The tokenizer's files, whichever age they have: GGUF takes kinds that are not loaded here. */
const tokenizerOf = async (dir: string): Promise<GgufTokenizer> => {
  const template = "chat_template.jinja";
  const generation = await readJsonIfThere(dir, "generation_config.json");
  return {
    ...(await readTokenizerSource(dir)),
    ...(generation === undefined ? {} : { generation }),
    ...((await findFile(dir, template)) === undefined
      ? {}
      : { chatTemplate: await readFileText(dir, template) }),
  };
};

/** The folder's name; the repository's in the Hub's cache, where folders are named by revisions. */
const nameOf = (path: string): string =>
  /[/\\]models--(?:.*--)?([^/\\]+)[/\\]snapshots[/\\][^/\\]+$/.exec(path)?.[1] ??
  basename(path).replace(/\.gguf$/i, "");

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Mean squares of what the model's matrices read of a text. Throws as `readText` and `momentsOn`. */
const measuredOn = async (
  model: Model,
  dir: string,
  { run, tokens = CALIBRATION_TOKENS }: CalibrationText,
  hooks: RecipeHooks,
): Promise<GgufImportance> => {
  const tokenizer = await readTokenizer(dir);
  const { texts } = await readText({ model, tokenizer }, run, { tokens, hooks });
  const engine = await nodeEngine(run.threads > 0 ? { threads: run.threads } : {});
  const found = await momentsOn(measuring(engine, model, hooks), texts, tokens);
  return new Map(Array.from(found, ([path, { squares }]) => [path, squares]));
};

/** The same; nothing, with a warning, where the user named no text and the default cannot be read. */
const importanceOf = async (
  model: Model,
  dir: string,
  text: CalibrationText,
  hooks: RecipeHooks,
): Promise<GgufImportance | undefined> => {
  try {
    return await measuredOn(model, dir, text, hooks);
  } catch (error) {
    if (text.run.data.paths.length > 0 || !(error instanceof AnnealError)) throw error;
    hooks.ui.warn(`all inputs count alike: ${error.message}`);
    return undefined;
  }
};

/** Passes a file's pieces on and tells how far it is, until aborted. */
function* told({ chunks, sizeBytes, fileName }: Gguf, { ui, signal }: RecipeHooks): Generator<Uint8Array> {
  const progress = ui.task(`MB of ${fileName}`, Math.ceil(sizeBytes / 1e6));
  let done = 0;
  for (const chunk of chunks) {
    signal?.throwIfAborted();
    yield chunk;
    done += chunk.length;
    progress.update(Math.floor(done / 1e6));
  }
  progress.done(`wrote ${fileName}, ${(sizeBytes / 1e6).toFixed(1)} MB`);
}

const quiet: RecipeHooks = { ui: silent, command: "" };

/**
 * Writes a GGUF file of each kind of the model in `dir`, each whole or not at all. Throws DataError and
 * FormatError for the folder and the text, ConfigError for what llama.cpp does not have.
 */
export const ggufFiles = async (
  dir: string,
  types: readonly string[],
  options: Omit<GgufFolderOptions, "type">,
): Promise<GgufWritten[]> => {
  const { out = dir, version, text, hooks = quiet } = options;
  const mixes: readonly GgufMixName[] = types.map(ggufMixOf); // Refuses wrong ones before weights are read.
  const tokenizer = await tokenizerOf(dir);
  const { model } = await loadModel(dir, { adapters: options.adapters ?? [] });
  const named = options.name ?? nameOf(resolve(dir));
  const about = { tokenizer, name: named, ...(version === undefined ? {} : { version }) };
  // What llama.cpp does not have is refused before anything is measured.
  for (const type of mixes) gguf(model, { ...about, type });
  const weighs = text !== undefined && mixes.some(weighsInputs);
  const importance = weighs ? await importanceOf(model, dir, text, hooks) : undefined;
  const written: GgufWritten[] = [];
  for (const type of mixes) {
    const file = gguf(model, { ...about, type, ...(importance === undefined ? {} : { importance }) });
    const isFile = extname(out) === ".gguf" && !(await isFolder(out));
    const path = isFile ? out : join(out, file.fileName);
    await writeFileDurable(path, told(file, hooks));
    written.push({ path, sizeBytes: file.sizeBytes, notes: file.notes });
  }
  return written;
};

/** The same of one kind. */
export const ggufFolder = async (
  dir: string,
  { type, ...options }: GgufFolderOptions,
): Promise<GgufWritten> => (await ggufFiles(dir, [type], options))[0]!;
