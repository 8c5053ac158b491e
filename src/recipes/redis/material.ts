/** What a search's trials are made of: machines without a shared folder have to have the same. */
import { stat } from "node:fs/promises";
import { relative } from "node:path";
import { walk } from "../../node/files/walk.ts";
import { modelDir } from "../../node/hub/hub.ts";
import { sha256Of } from "../../node/prepare/parts.ts";
import type { InputFile } from "../../node/read/inputs.ts";
import { listInputs } from "../../node/read/read.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import { version } from "../context/version.ts";
import { inputsOf } from "../data/inputs.ts";

type Hashes = Readonly<Record<string, string>>;

/** Hashes of files by their names below what names them; what is on the network is told by its address. */
const hashesOf = async (files: readonly InputFile[]): Promise<Hashes> => {
  const hashes: Record<string, string> = {};
  for (const { path, name, sizeBytes } of files) {
    const isHere = sizeBytes > 0 || (await stat(path).catch(() => undefined)) !== undefined;
    hashes[name] = isHere ? await sha256Of(path) : path;
  }
  return hashes;
};

/** Hashes of a model's files. */
const modelHashes = async (ref: string, { hub }: RecipeHooks): Promise<Hashes> => {
  const dir = await modelDir(ref, hub);
  if ((await stat(dir)).isFile()) return { model: await sha256Of(dir) };
  const hashes: Record<string, string> = {};
  for (const { path } of (await walk(dir)).files) hashes[relative(dir, path)] = await sha256Of(path);
  return hashes;
};

/** Whose files are read. */
export interface MaterialOptions {
  readonly base: RunOptions;
  /** The model that is worked on, where there is one. */
  readonly ref: string | undefined;
  readonly hooks: RecipeHooks;
}

/**
 * The version of anneal, and hashes of all files that trials read. Throws DataError for files that cannot be
 * read, and what `modelDir` throws.
 */
export const materialOf = async ({ base, ref, hooks }: MaterialOptions) => {
  const { data, model, out } = base;
  const lists = { validation: data.validation, like: data.like, decontaminate: data.decontaminate };
  const files: Record<string, Hashes> = { data: await hashesOf(await inputsOf(base, { ui: silent, out })) };
  for (const [name, paths] of Object.entries(lists)) {
    if (paths.length > 0) files[name] = await hashesOf(await listInputs(paths));
  }
  for (const [name, of] of Object.entries({ from: model.from, ref })) {
    if (of) files[name] = await modelHashes(of, hooks);
  }
  return { version, files };
};
