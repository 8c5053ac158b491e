/** Modules of a model by the ends of their names, as PEFT names those that are saved whole. */
import { headOf } from "../models/head.ts";
import type { Model } from "../models/model.ts";
import { tensorsOf } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { bareOf, isEnd } from "./peft/names.ts";

/** Whether a tensor is one of a module's, which is named by its end. */
export const isWithin = (name: string, module: string): boolean =>
  isEnd(name.replace(/\.[^.]*$/, ""), module);

/** Names of the tensors of `modules`. Throws ConfigError for a module that is not there. */
export const tensorsWithin = (model: Model, modules: readonly string[], field: string): readonly string[] => {
  const bare = bareOf(model);
  const names = Array.from(tensorsOf(model.weights), ([name]) => name);
  return modules.flatMap((module) => {
    const own = names.filter((name) => isWithin(name.slice(bare.length), module));
    if (own.length > 0) return own;
    throw new ConfigError(`${module} is no module of the model`, { field });
  });
};

/**
 * The modules of a classifier's head, with what stands in front of its labels: trained whole beside adapters,
 * since they began by chance.
 */
export const labelModules = (model: Model): readonly string[] => {
  const bare = bareOf(model);
  const linears = model.arch
    .linears(model.config)
    .filter(({ role }) => role === "labels" || role === "transform");
  const isClassifier = headOf(model.arch, model.config).endsWith("classification");
  return isClassifier ? linears.map(({ path }) => path.slice(bare.length).replace(/\.weight$/, "")) : [];
};
