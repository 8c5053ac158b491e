/** How a model is tuned: which of its weights train, and what stands on them. */
import type { Model } from "../models/model.ts";
import { tensorsOf, type Weight } from "../nn/param.ts";
import { entries, mapTree } from "../util/tree.ts";
import { type AdaptOptions, adapt, besidesAdapters } from "./adapt.ts";
import { labelModules, tensorsWithin } from "./modules.ts";
import type { AdapterFilesOptions } from "./peft/write.ts";

/** How adapters are trained, and what beside them. */
export interface LoraOptions extends AdaptOptions {
  /** Modules that are trained whole beside: a classifier's head always is. */
  readonly saved?: readonly string[];
  /** Biases that are trained beside: of all modules, of those with an adapter, or none (unless told). */
  readonly bias?: AdapterFilesOptions["bias"];
}

/** A model that is ready to be tuned. */
export interface Tuned {
  readonly model: Model;
  /** Weights that stay as they are, by names. */
  readonly frozen: (name: string) => boolean;
  /** Modules that go along with the adapter. */
  readonly saved: readonly string[];
}

/**
 * `model` with fresh adapters, which train with the modules beside them while all else is frozen. Throws
 * ConfigError naming the option.
 */
export const lora = (model: Model, options: LoraOptions = {}): Tuned => {
  const { saved: asked = [], bias = "none", ...how } = options;
  const saved = [...new Set([...labelModules(model), ...asked])];
  const whole = tensorsWithin(model, saved, "adapter.save");
  const onWhole = new Set(whole);
  const made = adapt(model, how);
  // What is trained whole needs no adapter.
  const own = new Map(entries<Weight>(model.weights));
  const weights = mapTree<Weight, Weight>(made.weights, (w, path) =>
    onWhole.has(path) ? own.get(path)! : w,
  );
  const adapted = { ...made, weights };
  const names = Array.from(tensorsOf(adapted.weights), ([name]) => name);
  const carriers = new Set(names.map((name) => /^(.*)\.weight\.(?:a|rows)$/.exec(name)?.[1]));
  const biases = names.filter((name) => {
    if (bias === "none" || !name.endsWith(".bias")) return false;
    return bias === "all" || carriers.has(name.replace(/\.bias$/, ""));
  });
  return { model: adapted, saved, frozen: besidesAdapters(adapted.weights, [...onWhole, ...biases]) };
};
