/** How the folder of an embedding model says that sentence vectors are made. */
import { join } from "node:path";
import { MODULES, poolingMode, sentenceModules } from "../../models/checkpoint/sentenceModules.ts";
import { headOf } from "../../models/head.ts";
import type { Architecture, Model, Pooling } from "../../models/model.ts";
import { usualPooling } from "../../models/pooling.ts";
import { AnnealError } from "../../util/errors.ts";
import { readJson, readJsonIfThere } from "./modelFile.ts";

/** What modules.json says; nothing where it is not there. */
export interface FolderPooling {
  readonly said?: Pooling;
  /** Why nothing can be made of it: a module or a mode that is not supported, files that are broken. */
  readonly fault?: AnnealError;
}

/** Reads the folder's modules.json and the config of its Pooling. */
export const readPooling = async (dir: string): Promise<FolderPooling> => {
  try {
    const modules = await readJsonIfThere(dir, MODULES);
    if (modules === undefined) return {};
    const { poolingConfig, normalize } = sentenceModules(modules, join(dir, MODULES));
    const mode = poolingMode(await readJson(dir, poolingConfig), join(dir, poolingConfig));
    return { said: { mode, normalize } };
  } catch (fault) {
    if (fault instanceof AnnealError) return { fault };
    throw fault;
  }
};

/**
 * Whether a folder's model is one of features: a folder that says how to pool is, also where its class is
 * that of a language model, as of many embedding models. A head that was made for labels is what its class
 * says.
 */
export const isPooled = (
  { classes }: Pick<Architecture, "classes">,
  { architectures }: { readonly architectures?: unknown },
  { said }: FolderPooling,
): boolean => {
  if (said === undefined || classes.features === undefined) return false;
  const [name] = Array.isArray(architectures) ? (architectures as readonly unknown[]) : [];
  const forLabels: readonly unknown[] = [classes["sequence-classification"], classes["token-classification"]];
  return name === undefined || !forLabels.includes(name);
};

/** `model` with its pooling: only features are pooled, an encoder's as is usual where nothing is said. */
export const pooledBy = (model: Model, { said, fault }: FolderPooling): Model => {
  const { arch, config } = model;
  if (headOf(arch, config) !== "features" || fault !== undefined) return model;
  const pooling = said ?? (arch.kind === "encoder" ? usualPooling : undefined);
  return pooling === undefined ? model : { ...model, pooling };
};
