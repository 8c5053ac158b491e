/** Reads a model's folder or GGUF file: config.json, weights, how it generates, the tokenizer's files. */
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { architectureOf, inFile, type LoadOptions } from "../../models/checkpoint/config.ts";
import { type Generation, generationOf } from "../../models/checkpoint/generationConfig.ts";
import { modelFrom } from "../../models/checkpoint/load.ts";
import { planOf } from "../../models/checkpoint/plan.ts";
import type { HistoryStep, Model } from "../../models/model.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import { MARKER } from "../files/files.ts";
import { settle } from "../files/leftovers.ts";
import { freeMemory } from "../runtime/resources.ts";
import { adapterHead, withAdapters } from "./adapters.ts";
import { isGguf } from "./ggufFile.ts";
import { readJson, readJsonIfThere } from "./modelFile.ts";
import { type FolderPooling, isPooled, pooledBy, readPooling } from "./pooling.ts";
import { readTokenizer } from "./tokenizerFiles.ts";
import { checkMemory, findWeights, halvesIn, readWeights } from "./weights.ts";

/** What a folder is loaded for, and in how much memory. */
export interface LoadFolderOptions extends LoadOptions {
  /** Bytes that the weights may take; what is free unless told. */
  readonly memoryBytes?: number;
  /** Folders of adapters that are merged into the weights, each on those before it. */
  readonly adapters?: readonly string[];
}

/** A folder's model, without its tokenizer. */
export interface LoadedModel {
  readonly dir: string;
  readonly model: Model;
  /** How its authors mean it to generate. */
  readonly generation: Generation;
  /** The dtype that the folder offers by default. */
  readonly dtype: string;
  /** The weights that its files have in 16 bits, by name; all are float32 in the model. */
  readonly halves: ReadonlyMap<string, "float16" | "bfloat16">;
  /** What the folder says of sentence vectors. */
  readonly pooling: FolderPooling;
}

/** A model with its tokenizer. */
export interface ModelFolder extends LoadedModel {
  readonly tokenizer: Tokenizer;
}

/** What made the folder, where anneal did. */
const historyOf = async (dir: string): Promise<readonly HistoryStep[]> => {
  const made = await readJson(dir, MARKER).catch(() => null);
  return (made as { history?: readonly HistoryStep[] } | null)?.history ?? [];
};

const checkFolder = async (dir: string): Promise<void> => {
  // A process that was killed in the midst of replacing it left it beside its place.
  if (!existsSync(dir)) await settle(resolve(dir));
  if (await isGguf(dir)) return;
  const found = await stat(dir).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, {
      file: dir,
      cause,
      hint: "name a model's folder",
    });
  });
  if (!found.isDirectory()) throw new DataError("is no folder", { file: dir, hint: "name a model's folder" });
};

/**
 * Loads a folder's model. Everything that can be refused is, before its weights are read: throws DataError
 * for missing files, ConfigError and FormatError for what they hold, MissingError for a model that is too
 * large.
 */
export const loadModel = async (dir: string, options: LoadFolderOptions = {}): Promise<LoadedModel> => {
  await checkFolder(dir);
  const configFile = join(dir, "config.json");
  const config = await readJson(dir, "config.json");
  const arch = architectureOf(config, configFile);
  const generationJson = await readJsonIfThere(dir, "generation_config.json");
  const generationFile = generationJson === undefined ? configFile : join(dir, "generation_config.json");
  const generation = inFile(generationFile, () => generationOf(generationJson, config));
  const files = await findWeights(dir);
  const pooling = await readPooling(dir);
  const own = isPooled(arch, config as object, pooling) ? ({ task: "features" } as const) : {};
  const { adapters = [] } = options;
  // An adapter brings the head that it was trained with along.
  const headed = await adapterHead(adapters);
  const plan = planOf(config, files.places, files.file, { configFile, ...own, ...options, ...headed });
  checkMemory(plan, files.file, options.memoryBytes ?? freeMemory());
  const model = await withAdapters(modelFrom(plan, await readWeights(plan, files)), adapters);
  const history = [...(await historyOf(dir)), ...model.history];
  const wanted = (config as { "transformers.js_config"?: { dtype?: string } })["transformers.js_config"]
    ?.dtype;
  return {
    dir,
    model: pooledBy({ ...model, history }, pooling),
    generation,
    dtype: wanted ?? "fp32",
    halves: adapters.length > 0 ? new Map() : halvesIn(plan, files),
    pooling,
  };
};

/** Loads a folder: its tokenizer, then its model. Throws as `loadModel` does. */
export const loadFolder = async (dir: string, options: LoadFolderOptions = {}): Promise<ModelFolder> => {
  await checkFolder(dir);
  const tokenizer = await readTokenizer(dir);
  return { ...(await loadModel(dir, options)), tokenizer };
};
