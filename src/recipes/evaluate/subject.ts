/** The model under evaluation as files of graphs: its folder's, else made of its weights for the while. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import { headOf } from "../../models/head.ts";
import type { Pooling } from "../../models/model.ts";
import { usualPooling } from "../../models/pooling.ts";
import { requireFinite } from "../../nn/finite.ts";
import { writeFileDurable } from "../../node/files/files.ts";
import { inScratch } from "../../node/files/scratch.ts";
import { loadModel } from "../../node/model/folder.ts";
import { isPooled, readPooling } from "../../node/model/pooling.ts";
import { type GraphPaths, graphNames } from "../../serve/graphs/graphs.ts";
import { graphFile } from "../../ship/onnx/dtype.ts";
import { formFiles } from "../../ship/onnx/export.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Task } from "../../tasks/task.ts";
import { calibrationOf } from "../model/calibration.ts";
import { type Opened, type OpenOptions, openFolder } from "../model/open.ts";
import { packedAs } from "../model/packed.ts";
import { sizeBytesOf } from "../verify/shippedFiles.ts";

/** A folder's model without weights, and what it is for. */
export interface Named extends Opened {
  readonly task: Task;
  /** How its texts become vectors, where that is its task. */
  readonly pooling: Pooling;
}

/** A model with the files of its graphs. */
export interface Subject extends Named {
  /** Path of each graph by its name. */
  readonly graphs: GraphPaths;
  readonly sizeBytes: number;
  /** Whether they are the folder's own. */
  readonly shipped: boolean;
}

/**
 * Reads what a folder says of its model. Throws ConfigError for a model whose task is not known, and for
 * sentence vectors that are made in a way that is not supported.
 */
export const named = async (ref: string, options: OpenOptions): Promise<Named> => {
  const opened = await openFolder(ref, options);
  const pooling = await readPooling(opened.dir);
  const { said, fault } = pooling;
  const config = isPooled(opened.arch, opened.config, pooling)
    ? { ...opened.config, architectures: [opened.arch.classes.features!] }
    : opened.config;
  const task = taskOf({ arch: opened.arch, config });
  if (task.name === "embedding" && fault !== undefined) throw fault;
  return { ...opened, config, task, pooling: said ?? usualPooling };
};

const shippedPaths = ({ dir, arch, dtype, adapters = [] }: Opened): GraphPaths | undefined => {
  if (adapters.length > 0) return undefined;
  const paths = graphNames[arch.kind].map((name) => [name, join(dir, graphFile(name, dtype))] as const);
  return paths.every(([, path]) => existsSync(path)) ? Object.fromEntries(paths) : undefined;
};

/** Writes the dtype's graphs into `into`, made of the folder's weights. */
const makeGraphs = async (engine: Engine, model: Named, into: string): Promise<GraphPaths> => {
  const { dir, arch, config, dtype, tokenizer, adapters = [] } = model;
  const loaded = await loadModel(dir, { task: headOf(arch, config), adapters });
  requireFinite(loaded.model.weights, dir);
  const form = await packedAs(engine, loaded.model, dtype, calibrationOf(tokenizer));
  for (const [path, chunks] of formFiles(form, dtype)) {
    await writeFileDurable(join(into, basename(path)), chunks);
  }
  const names = graphNames[arch.kind];
  return Object.fromEntries(names.map((name) => [name, join(into, basename(graphFile(name, dtype)))]));
};

/** Which graphs are worked on. */
export interface GraphOptions {
  /** Graphs are made of the weights even where the folder has some. */
  readonly made?: boolean;
}

/** Works on the graphs of a model in its dtype; made ones are gone afterwards. Throws as `loadModel`. */
export const withGraphs = async <T>(
  engine: Engine,
  model: Named,
  work: (subject: Subject) => Promise<T>,
  { made = false }: GraphOptions = {},
): Promise<T> => {
  const own = made ? undefined : shippedPaths(model);
  const on = (graphs: GraphPaths): Promise<T> =>
    work({ ...model, graphs, sizeBytes: sizeBytesOf(graphs), shipped: own !== undefined });
  if (own !== undefined) return on(own);
  return inScratch("eval", async (dir) => on(await makeGraphs(engine, model, dir)));
};
