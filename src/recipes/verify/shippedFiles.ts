/** The files that a shipped folder has, by dtype: graphs, GGUF files. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Architecture } from "../../models/model.ts";
import { isGguf, readGgufHeader } from "../../node/model/ggufFile.ts";
import type { Format } from "../../node/targets/target.ts";
import { type GraphName, type GraphPaths, graphNames } from "../../serve/graphs/graphs.ts";
import { type GgufMixName, ggufMixes, ggufMixNumbered } from "../../ship/gguf/mixes.ts";
import { type ExportDtype, exportDtypes, graphFile } from "../../ship/onnx/dtype.ts";
import { dtypesFrom } from "../../ship/onnx/export.ts";
import { type FormName, formNames } from "../../ship/verify/tolerance.ts";
import { DataError } from "../../util/errors.ts";

/** By dtype, from the most exact; a GGUF file is the one named "model". */
export type ShippedFiles = Readonly<Partial<Record<FormName, GraphPaths>>>;

/** What the folder has of each dtype that has all graphs of `names`. */
export const shippedGraphs = (dir: string, names: readonly GraphName[]): ShippedFiles => {
  const found = (Object.keys(exportDtypes) as ExportDtype[]).flatMap((dtype) => {
    const paths = names.map((name) => [name, join(dir, graphFile(name, dtype))] as const);
    return paths.every(([, path]) => existsSync(path)) ? [[dtype, Object.fromEntries(paths)] as const] : [];
  });
  return Object.fromEntries(found);
};

/** The kind of a GGUF file. Throws DataError for one that is not written here, FormatError for none. */
const kindOf = async (file: string): Promise<GgufMixName> => {
  const { metadata } = await readGgufHeader(file);
  const number = Number(metadata.get("general.file_type")?.value ?? 0);
  const kind = ggufMixNumbered(number);
  if (kind !== undefined) return kind;
  throw new DataError(`is of a kind that is not known here (general.file_type ${number})`, {
    file,
    hint: `known: ${Object.keys(ggufMixes).join(", ")}`,
  });
};

/** The GGUF files of a folder, or a file alone, by their kinds. Throws as `kindOf`. */
export const shippedGgufs = async (dir: string): Promise<ShippedFiles> => {
  const alone = await isGguf(dir);
  const names = alone ? [] : (await readdir(dir)).filter((name) => /\.gguf$/i.test(name)).sort();
  const found = new Map<string, GraphPaths>();
  for (const file of alone ? [dir] : names.map((name) => join(dir, name))) {
    const kind = await kindOf(file);
    const other = found.get(kind)?.model;
    if (other !== undefined) {
      const hint = "name one of them: anneal verify FILE.gguf";
      throw new DataError(`has two files of ${kind}: ${basename(other)}, ${basename(file)}`, {
        file: dir,
        hint,
      });
    }
    found.set(kind, { model: file });
  }
  return Object.fromEntries(formNames.flatMap((kind) => (found.has(kind) ? [[kind, found.get(kind)!]] : [])));
};

/** A folder's files by what they are. */
export type ShippedByFormat = Readonly<Record<Format, ShippedFiles>>;

/** All that a folder has. Throws DataError where that is nothing. */
export const shippedIn = async (dir: string, kind: Architecture["kind"]): Promise<ShippedByFormat> => {
  const found = { onnx: shippedGraphs(dir, graphNames[kind]), gguf: await shippedGgufs(dir) };
  if (Object.values(found).some((files) => Object.keys(files).length > 0)) return found;
  const hint = "anneal export makes graphs of a model.safetensors, with --gguf a file for llama.cpp";
  throw new DataError("has no graph of any dtype", { file: join(dir, "onnx"), hint });
};

/** The dtypes that words mean. Throws ConfigError for one that there is not. */
export const formsFrom = (words: readonly string[], field: string): FormName[] =>
  words.map((word) => {
    const name = word.toLowerCase();
    return Object.hasOwn(ggufMixes, name) ? (name as GgufMixName) : dtypesFrom([word], field)[0]!;
  });

/** Those of the dtypes that are asked for. Throws DataError where one is not in the folder. */
export const pickForms = (
  dir: string,
  all: ShippedByFormat,
  wanted: readonly FormName[],
): ShippedByFormat => {
  const there = Object.values(all).flatMap((files) => Object.keys(files));
  const missing = wanted.find((dtype) => !there.includes(dtype));
  if (missing !== undefined) {
    const hint = `it has ${there.join(", ")}`;
    if (Object.hasOwn(ggufMixes, missing))
      throw new DataError(`has no GGUF file of ${missing}`, { file: dir, hint });
    throw new DataError(`has no graph of ${missing}`, { file: join(dir, "onnx"), hint });
  }
  const picked = (files: ShippedFiles): ShippedFiles =>
    Object.fromEntries(Object.entries(files).filter(([dtype]) => wanted.includes(dtype as FormName)));
  return { onnx: picked(all.onnx), gguf: picked(all.gguf) };
};

/** A dtype's files, weights beside the graphs included. */
const filesOf = (graphs: GraphPaths): string[] =>
  Object.values(graphs).flatMap((path) => [path, ...(existsSync(`${path}_data`) ? [`${path}_data`] : [])]);

/** Bytes of a dtype's files. */
export const sizeBytesOf = (graphs: GraphPaths): number =>
  filesOf(graphs).reduce((sum, path) => sum + statSync(path).size, 0);

/** SHA-256 of a dtype's files, one after the other, in hexadecimal. */
export const sha256Of = async (graphs: GraphPaths): Promise<string> => {
  const hash = createHash("sha256");
  for (const path of filesOf(graphs)) {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
};
