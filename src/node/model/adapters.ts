/** Adapters' folders: PEFT's two files, and beside them which base they were made for. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { merge, withAdapter } from "../../adapters/index.ts";
import { CONFIG, WEIGHTS } from "../../adapters/peft/names.ts";
import { decodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { bytesOf, sizeOf, type Tensor, tensor } from "../../ir/tensor.ts";
import { inFile, type LoadOptions } from "../../models/checkpoint/config.ts";
import type { Head, Json, Model } from "../../models/model.ts";
import { requireFinite } from "../../nn/finite.ts";
import { unpacked, type Weight } from "../../nn/param.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { entries } from "../../util/tree.ts";
import { MARKER } from "../files/files.ts";
import { needFile, readJson, readJsonIfThere } from "./modelFile.ts";

/** What an adapter's folder says of the base that it was trained on, where anneal made it. */
export interface AdapterBase {
  /** The head that it is for, and a classifier's labels by id. */
  readonly task: Head;
  readonly labels?: readonly string[];
  /** What its logits mean, as `problem_type`. */
  readonly problem?: string;
  /** Of each weight's float32 numbers, by name: the first 16 digits of their sha256. */
  readonly hashes: Readonly<Record<string, string>>;
}

/** Hashes of a model's weights by name, as float32 numbers whatever form they have. */
export const weightHashes = (model: Model): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Array.from(entries<Weight>(model.weights), ([path, w]) => {
      const hash = createHash("sha256")
        .update(bytesOf(unpacked(w)))
        .digest("hex");
      return [path, hash.slice(0, 16)];
    }),
  );

/** What the folder `dir` says of its adapter's base; undefined where another program made it. */
export const adapterBase = async (dir: string): Promise<AdapterBase | undefined> => {
  const made = (await readJsonIfThere(dir, MARKER)) as { readonly base?: AdapterBase } | undefined;
  return made?.base;
};

/** The head that a model has with adapters: that of the last one, where it says so. */
export const adapterHead = async (
  dirs: readonly string[],
): Promise<Pick<LoadOptions, "task" | "labels" | "problem">> => {
  const [last] = dirs.slice(-1);
  const base = last === undefined ? undefined : await adapterBase(last);
  if (base === undefined) return {};
  const { task, labels, problem } = base;
  return {
    task,
    ...(labels === undefined ? {} : { labels }),
    ...(problem === undefined ? {} : { problem }),
  };
};

/** How many tensors are told by name. */
const TOLD = 5;

/** Throws ConfigError where a weight that the adapter keeps is another than that which it was trained on. */
const requireBase = (model: Model, { hashes }: AdapterBase, own: ReadonlySet<string>, dir: string): void => {
  const now = weightHashes(model);
  const names = Object.keys(hashes).filter((name) => !own.has(name) && now[name] !== hashes[name]);
  const [first] = names;
  if (first === undefined) return;
  const told = names.slice(0, TOLD).join(", ");
  const more = names.length > TOLD ? ` and ${names.length - TOLD} more` : "";
  throw new ConfigError(
    `was made for a base of other weights: ${told}${more} differ (of ${Object.keys(hashes).length})`,
    { file: dir, tensor: first, hint: "name the model that the adapter was trained on" },
  );
};

/** A tensor as float32. */
const widened = (t: Tensor): Tensor => {
  if (t.dtype === "float32") return t;
  const out = new Float32Array(sizeOf(t.shape));
  if (t.dtype === "float16") widenFloat16(t.data as Uint16Array, out);
  else if (t.dtype === "bfloat16") widenBfloat16(t.data as Uint16Array, out);
  else out.set(Array.from(t.data, Number));
  return tensor("float32", t.shape, out);
};

const tensorsIn = async (dir: string): Promise<Map<string, Tensor>> => {
  const path = await needFile(dir, WEIGHTS);
  const bytes = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file: path, cause });
  });
  const { tensors } = decodeSafetensors(new Uint8Array(bytes), path);
  const wide = Array.from(tensors, ([name, t]) => [name, widened(t)] as const);
  requireFinite(Object.fromEntries(wide), path);
  return new Map(wide);
};

/** Weights that an adapter brings along whole. */
const wholeIn = (model: Model, tensors: ReadonlyMap<string, Tensor>): ReadonlySet<string> => {
  const names = Array.from(entries<Weight>(model.weights), ([path]) => path);
  return new Set(names.filter((path) => [...tensors.keys()].some((key) => key.endsWith(`.${path}`))));
};

const applied = async (model: Model, dir: string): Promise<Model> => {
  const json: Json = await readJson(dir, CONFIG);
  const tensors = await tensorsIn(dir);
  const base = await adapterBase(dir);
  if (base !== undefined) requireBase(model, base, wholeIn(model, tensors), dir);
  return inFile(dir, () => withAdapter(model, json, tensors));
};

/**
 * `model` with the adapters of folders merged into its weights, each on those before it. Throws ConfigError
 * for an adapter of another base, naming the tensors that differ, and DataError for files that are missing.
 */
export const withAdapters = async (model: Model, dirs: readonly string[]): Promise<Model> => {
  let current = model;
  for (const dir of dirs) current = merge(await applied(current, dir));
  return current;
};
