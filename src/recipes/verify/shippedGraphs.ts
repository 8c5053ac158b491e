/** The graphs that a shipped folder has, by dtype. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { GraphName, GraphPaths } from "../../serve/graphs/graphs.ts";
import { type ExportDtype, exportDtypes, graphFile } from "../../ship/onnx/dtype.ts";
import { DataError } from "../../util/errors.ts";

/** Every dtype's. */
export type ShippedGraphs = Readonly<Partial<Record<ExportDtype, GraphPaths>>>;

/** What the folder has of each dtype that has all of `names`. Throws DataError where there is none. */
export const shippedGraphs = (dir: string, names: readonly GraphName[]): ShippedGraphs => {
  const found = (Object.keys(exportDtypes) as ExportDtype[]).flatMap((dtype) => {
    const paths = names.map((name) => [name, join(dir, graphFile(name, dtype))] as const);
    return paths.every(([, path]) => existsSync(path)) ? [[dtype, Object.fromEntries(paths)] as const] : [];
  });
  if (found.length > 0) return Object.fromEntries(found);
  const hint = "anneal export makes graphs of a model.safetensors";
  throw new DataError("has no graph of any dtype", { file: join(dir, "onnx"), hint });
};

/** Those of the dtypes that are asked for. Throws DataError where one is not in the folder. */
export const pickDtypes = (
  dir: string,
  all: ShippedGraphs,
  wanted: readonly ExportDtype[],
): ShippedGraphs => {
  const missing = wanted.find((dtype) => all[dtype] === undefined);
  if (missing !== undefined) {
    const hint = `it has ${Object.keys(all).join(", ")}`;
    throw new DataError(`has no graph of ${missing}`, { file: join(dir, "onnx"), hint });
  }
  return Object.fromEntries(Object.entries(all).filter(([dtype]) => wanted.includes(dtype as ExportDtype)));
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
