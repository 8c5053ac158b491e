/** From a model's folder to a GGUF file for llama.cpp. */
import { stat } from "node:fs/promises";
import { basename, extname, join, resolve } from "node:path";
import { writeFileDurable } from "../../node/files/checkpoints.ts";
import { loadModel } from "../../node/model/folder.ts";
import { findFile, readJsonIfThere, readText } from "../../node/model/modelFile.ts";
import { readTokenizerSource } from "../../node/model/tokenizerFiles.ts";
import { gguf, ggufTypeOf } from "../../ship/gguf/gguf.ts";
import type { GgufTokenizer } from "../../ship/gguf/tokenizer.ts";

/** The type of matrices, and where the file goes. */
export interface GgufFolderOptions {
  /** f32, f16, q8_0 or q4_0. */
  readonly type: string;
  /** A file that ends in .gguf, or a folder for one named by convention; the model's own unless given. */
  readonly out?: string;
  /** Base name; that of the folder, or of the Hub's repository, unless given. */
  readonly name?: string;
  /** "1.0" unless given. */
  readonly version?: string;
  /** Folders of adapters that are merged into the weights, each on those before it. */
  readonly adapters?: readonly string[];
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
    ...((await findFile(dir, template)) === undefined ? {} : { chatTemplate: await readText(dir, template) }),
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

/**
 * Writes the GGUF file of the model in `dir`, whole or not at all. Throws DataError and FormatError for the
 * folder, ConfigError for what llama.cpp does not have.
 */
export const ggufFolder = async (dir: string, options: GgufFolderOptions): Promise<GgufWritten> => {
  const { out = dir, version } = options;
  const type = ggufTypeOf(options.type); // Refuses a wrong type before the weights are read.
  const tokenizer = await tokenizerOf(dir);
  const { model } = await loadModel(dir, { adapters: options.adapters ?? [] });
  const file = gguf(model, {
    type,
    tokenizer,
    name: options.name ?? nameOf(resolve(dir)),
    ...(version === undefined ? {} : { version }),
  });
  const named = extname(out) === ".gguf" && !(await isFolder(out));
  const path = named ? out : join(out, file.fileName);
  await writeFileDurable(path, file.chunks);
  return { path, sizeBytes: file.sizeBytes, notes: file.notes };
};
