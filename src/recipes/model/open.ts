/** Opening a model to run it: from the graphs that its folder has, else compiled from its weights. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import { architectureOf, inFile, retarget } from "../../models/checkpoint/config.ts";
import { type Generation, generationOf } from "../../models/checkpoint/generationConfig.ts";
import { headOf } from "../../models/head.ts";
import type { Architecture, Json, ModelConfig } from "../../models/model.ts";
import { requireFinite } from "../../nn/finite.ts";
import { adapterDirs, type HubOptions, modelDir } from "../../node/hub/hub.ts";
import { adapterHead } from "../../node/model/adapters.ts";
import { loadModel } from "../../node/model/folder.ts";
import { readJson, readJsonIfThere } from "../../node/model/modelFile.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { loadGraph } from "../../node/runtime/graph.ts";
import { type GraphName, graphNames, graphsOf } from "../../serve/graphs/graphs.ts";
import { type ExportDtype, exportDtypes, graphFile } from "../../ship/onnx/dtype.ts";
import { dtypesFrom } from "../../ship/onnx/export.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import { calibrationIn } from "./calibration.ts";
import { packedAs } from "./packed.ts";

/** A model's folder without its weights. */
export interface Opened {
  readonly dir: string;
  readonly arch: Architecture;
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly generation: Generation;
  readonly dtype: ExportDtype;
  /** Folders of adapters that stand on it: its own graphs do not have them. */
  readonly adapters?: readonly string[];
}

/** Which dtype, and how the Hub is reached. */
export interface OpenOptions {
  /** The folder's own default unless told. */
  readonly dtype?: string;
  readonly hub?: HubOptions;
  /** Folders of adapters that stand on the model, each on those before it. */
  readonly adapters?: readonly string[];
}

/** Reads what a folder or a model of the Hub says of itself. Throws as `modelDir` and `loadModel` do. */
export const openFolder = async (
  ref: string,
  { dtype, hub, adapters: refs = [] }: OpenOptions = {},
): Promise<Opened> => {
  const dir = await modelDir(ref, hub);
  const file = join(dir, "config.json");
  const json = await readJson(dir, "config.json");
  const arch = architectureOf(json, file);
  const adapters = await adapterDirs(refs, hub);
  const head = await adapterHead(adapters);
  const config = inFile(file, () =>
    arch.parse(retarget(arch, json as Record<string, Json>, head, file)),
  ) as ModelConfig;
  const own = (json as { "transformers.js_config"?: { dtype?: string } })["transformers.js_config"]?.dtype;
  return {
    dir,
    arch,
    config,
    tokenizer: await readTokenizer(dir),
    generation: generationOf(await readJsonIfThere(dir, "generation_config.json"), json),
    dtype: dtypesFrom([dtype ?? (typeof own === "string" ? own : "fp32")], "--dtype")[0]!,
    adapters,
  };
};

/** A session over a graph. Only decoders have all outputs fetched into tensors, and so run in place. */
const fromFile = (engine: Engine, path: string, inPlace: boolean): Promise<Session> =>
  inPlace ? loadGraph(engine, path) : engine.load(path);

/**
 * The model's graphs as sessions; `note` hears of packing, which can take minutes. Throws ConfigError for a
 * dtype that only an export makes.
 */
export const sessionsOf = async (
  engine: Engine,
  { dir, arch, config, dtype, adapters = [] }: Opened,
  note: (text: string) => void = () => {},
): Promise<Readonly<Record<GraphName, Session>>> => {
  const inPlace = arch.kind === "decoder";
  const names = graphNames[arch.kind];
  const paths = names.map((name) => join(dir, graphFile(name, dtype)));
  const sessions: Partial<Record<GraphName, Session>> = {};
  if (adapters.length === 0 && paths.every((path) => existsSync(path))) {
    for (const [i, name] of names.entries()) sessions[name] = await fromFile(engine, paths[i]!, inPlace);
    return sessions as Record<GraphName, Session>;
  }
  const { half, packed } = exportDtypes[dtype];
  if (half) {
    throw new ConfigError(`there is no ${graphFile(names[0]!, dtype)} in ${dir}`, {
      field: "dtype",
      hint: `make it with: npx anneal export ${dir} --dtype ${dtype} --out DIR`,
    });
  }
  if (packed !== undefined) {
    note(`packing ${dtype} from the weights, the first time at length; anneal export writes it for good`);
  }
  const { model } = await loadModel(dir, { task: headOf(arch, config), adapters });
  requireFinite(model.weights, dir);
  const form = await packedAs(engine, model, dtype, await calibrationIn(dir));
  for (const [name, program] of Object.entries(graphsOf(form))) {
    sessions[name as GraphName] = await compile(engine, program, { inPlace });
  }
  return sessions as Record<GraphName, Session>;
};
