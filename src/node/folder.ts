/** Reads a model's folder: config.json, model.safetensors, the tokenizer's files. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { decodeIndex, joinShards } from "../formats/safetensorsIndex.ts";
import type { Tensor } from "../ir/tensor.ts";
import { modelOf } from "../models/load.ts";
import type { HistoryStep, Json, Model } from "../models/model.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/index.ts";
import { DataError, FormatError } from "../util/errors.ts";
import { MARKER } from "./files.ts";

export interface ModelFolder {
  readonly dir: string;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** The dtype that the folder offers by default. */
  readonly dtype: string;
}

const INDEX = "model.safetensors.index.json";

const read = async (dir: string, name: string): Promise<Buffer> => {
  const path = join(dir, name);
  try {
    return await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new DataError(`cannot be read (${code})`, {
      file: path,
      cause,
      hint: "a model's folder has config.json, model.safetensors and tokenizer.json; anneal train makes one",
    });
  }
};

const readJson = async (dir: string, name: string): Promise<Json> => {
  const text = (await read(dir, name)).toString("utf8");
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new FormatError(`is not JSON (${(cause as Error).message})`, { file: join(dir, name), cause });
  }
};

/** What made the folder, where anneal did. */
const historyOf = async (dir: string): Promise<readonly HistoryStep[]> => {
  const made = await readJson(dir, MARKER).catch(() => null);
  return (made as { history?: readonly HistoryStep[] } | null)?.history ?? [];
};

/** The tensors of one file or of the shards that an index names, and the file to name in errors. */
const tensorsOf = async (dir: string) => {
  const index = join(dir, INDEX);
  if (!existsSync(index)) {
    const file = join(dir, "model.safetensors");
    return { file, tensors: decodeSafetensors(await read(dir, "model.safetensors"), file).tensors };
  }
  const places = decodeIndex((await read(dir, INDEX)).toString("utf8"), index);
  const shards = new Map<string, ReadonlyMap<string, Tensor>>();
  for (const name of new Set(places.values())) {
    shards.set(name, decodeSafetensors(await read(dir, name), join(dir, name)).tensors);
  }
  return { file: index, tensors: joinShards(places, shards) };
};

/** Loads a folder. Throws DataError for missing files, FormatError and ConfigError for what they hold. */
export const loadFolder = async (dir: string): Promise<ModelFolder> => {
  const config = await readJson(dir, "config.json");
  const tokenizerJson = await readJson(dir, "tokenizer.json");
  const tokenizer = loadTokenizer(tokenizerJson, await readJson(dir, "tokenizer_config.json"));
  const { file, tensors } = await tensorsOf(dir);
  const model = modelOf(config, tensors, file);
  const wanted = (config as { "transformers.js_config"?: { dtype?: string } })["transformers.js_config"]
    ?.dtype;
  return { dir, model: { ...model, history: await historyOf(dir) }, tokenizer, dtype: wanted ?? "fp32" };
};
