/**
 * What a folder is verified against: its dense weights, or, where it has graphs alone (an export without
 * weights, or someone else's), the graphs of its most exact dtype.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Engine, Session } from "../../engine/engine.ts";
import type { Reference } from "../../evaluate/parity/reference.ts";
import { architectureOf, inFile } from "../../models/checkpoint/config.ts";
import type { Model, ModelConfig } from "../../models/model.ts";
import { loadModel } from "../../node/model/folder.ts";
import { ggufIn, isGguf } from "../../node/model/ggufFile.ts";
import { findFile, readJson } from "../../node/model/modelFile.ts";
import { INDEX, SINGLE } from "../../node/model/weights.ts";
import {
  type Described,
  type PromptOptions,
  referenceOf,
  referenceOfGraphs,
} from "../../ship/verify/reference.ts";
import type { ParityFile } from "../../ship/verify/verify.ts";
import type { ShippedFiles } from "./shippedFiles.ts";

/** What is verified: its dense model, where it has weights. */
export interface Subject extends Described {
  readonly dense?: Model;
  /** The dtype that the folder offers by default. */
  readonly dtype: string;
}

const hasWeights = async (dir: string): Promise<boolean> => {
  if (await isGguf(dir)) return true;
  for (const name of [SINGLE, INDEX]) if ((await findFile(dir, name)) !== undefined) return true;
  return existsSync(dir) && (await ggufIn(dir)) !== undefined;
};

/** Reads a folder, with its weights where it has them. Throws as `loadModel` does. */
export const subjectIn = async (dir: string): Promise<Subject> => {
  if (await hasWeights(dir)) {
    const { model, dtype } = await loadModel(dir);
    return { ...model, dense: model, dtype };
  }
  const file = join(dir, "config.json");
  const json = await readJson(dir, "config.json");
  const arch = architectureOf(json, file);
  const config = inFile(file, () => arch.parse(json)) as ModelConfig;
  const said = (json as { "transformers.js_config"?: { dtype?: unknown } })["transformers.js_config"]?.dtype;
  return { arch, config, dtype: typeof said === "string" ? said : "fp32" };
};

/** What the dense model computes, else what the graphs of the most exact dtype in `present` do. */
export const referenceIn = async (
  engine: Engine,
  { dense, ...model }: Subject,
  present: ShippedFiles,
  options: PromptOptions,
): Promise<{ reference: Reference; against: Pick<ParityFile, "reference"> }> => {
  if (dense !== undefined) return { reference: await referenceOf(engine, dense, options), against: {} };
  const [dtype, graphs] = Object.entries(present)[0]!;
  const sessions: Record<string, Session> = {};
  try {
    for (const [name, path] of Object.entries(graphs)) sessions[name] = await engine.load(path);
    const reference = await referenceOfGraphs(sessions, model, options);
    return { reference, against: { reference: dtype } };
  } finally {
    for (const session of Object.values(sessions)) await session.dispose();
  }
};
