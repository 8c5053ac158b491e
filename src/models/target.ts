/**
 * A checkpoint's tensors by name, seen as the weights of an architecture under a config: which name means
 * which weight, and which class the names suffice for.
 */
import type { Tensor } from "../ir/tensor.ts";
import type { ParamSpec } from "../nn/param.ts";
import { ConfigError, FormatError } from "../util/errors.ts";
import { flatten, type Tree } from "../util/tree.ts";
import type { ConfigJson } from "./checkpoint/config.ts";
import { namesNoClass } from "./head.ts";
import type { Architecture, Head, ModelConfig } from "./model.ts";
import { joinTied, type Tied } from "./ties.ts";

/** What a file says of a tensor before it is read. */
export type TensorHeader = Pick<Tensor, "dtype" | "shape">;

/** Type and shape of a checkpoint's tensors by name. */
export type Headers = ReadonlyMap<string, TensorHeader>;

/** What each weight is, by path. */
export type Specs = ReadonlyMap<string, ParamSpec>;

/** The weights of each head that an architecture has, by the same config but for its labels. */
export const headsOf = (arch: Architecture, json: ConfigJson): Specs[] => {
  const { id2label: _, label2id: __, num_labels: ___, problem_type: ____, ...rest } = json;
  return Object.values(arch.classes).map((name) =>
    flatten<ParamSpec>(arch.params(arch.parse({ ...rest, architectures: [name] })) as Tree<ParamSpec>),
  );
};

/** What a checkpoint is to become. */
export interface Target {
  readonly arch: Architecture;
  readonly json: ConfigJson;
  readonly config: ModelConfig;
  readonly wanted: Specs;
  readonly tied: Tied;
}

/** The target of this architecture and config. */
export const targetOf = (arch: Architecture, json: ConfigJson, config: ModelConfig): Target => ({
  arch,
  json,
  config,
  wanted: flatten<ParamSpec>(arch.params(config) as Tree<ParamSpec>),
  tied: new Map(Object.entries(arch.tied?.(config) ?? {})),
});

/** What a checkpoint's name is called here; null: of no use for this config; undefined: not known. */
export const nameIn = (
  { arch, config, wanted }: Pick<Target, "arch" | "config"> & { wanted: { has(name: string): boolean } },
  name: string,
): string | null | undefined => {
  const names = arch.base === undefined ? [name] : [name, `${arch.base}.${name}`];
  let none: null | undefined;
  for (const one of names) {
    const renamed = arch.rename === undefined ? one : arch.rename(one, config);
    if (renamed !== null && wanted.has(renamed)) return renamed;
    if (renamed === null) none = null;
  }
  return none;
};

/** Which tensors are weights, and which are not. */
export interface Match {
  readonly sources: Map<string, string>;
  readonly unused: string[];
  readonly unknown: string[];
}

/** Finds the weight of each tensor. Throws FormatError where two tensors are the same weight. */
export const match = (target: Target, headers: Iterable<string>, file: string): Match => {
  const found: Match = { sources: new Map(), unused: [], unknown: [] };
  const wanted = new Set([...target.wanted.keys(), ...[...target.tied].flat()]);
  for (const source of headers) {
    const name = nameIn({ ...target, wanted }, source);
    if (name === null) found.unused.push(source);
    else if (name === undefined) found.unknown.push(source);
    else if (found.sources.has(name)) {
      const other = found.sources.get(name);
      throw new FormatError(`is given twice, as "${other}" and as "${source}"`, { file, tensor: name });
    } else found.sources.set(name, source);
  }
  return found;
};

/** The checkpoint's own reading of itself; undefined for a class that is not known. */
export const ownTarget = (arch: Architecture, json: ConfigJson): Target | undefined => {
  try {
    return targetOf(arch, json, arch.parse(json));
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
};

/** Whether a weight is of the body, whatever head stands on it. */
export const isBody = ({ base }: Architecture, name: string): boolean =>
  base === undefined || name.startsWith(`${base}.`);

/** The weights of `json`'s own class, and which of them the tensors hold. */
const heldBy = (arch: Architecture, json: ConfigJson, headers: Headers, file: string) => {
  const target = ownTarget(arch, json);
  if (target === undefined) return undefined;
  const { sources } = match(target, headers.keys(), file);
  joinTied(sources, target.tied, target.wanted);
  const names = [...target.wanted.keys()].filter((name) => arch.optional?.includes(name) !== true);
  return { names, has: (name: string): boolean => sources.has(name) };
};

/**
 * The config with the class that the tensors suffice for, where it names none (the first such), or names an
 * encoder's head of which they hold nothing (embedding models that were cut out of a language model) and no
 * task is asked for: that is a model of features.
 */
export const classed = (
  arch: Architecture,
  json: ConfigJson,
  headers: Headers,
  { file, task }: { readonly file: string; readonly task?: Head | undefined },
): ConfigJson => {
  const as = (name: string): ConfigJson => ({ ...json, architectures: [name] });
  const fits = (name: string): boolean => {
    const held = heldBy(arch, as(name), headers, file);
    return held?.names.every(held.has) === true;
  };
  if (namesNoClass(json)) {
    const found = Object.values(arch.classes).find(fits);
    return found === undefined ? json : as(found);
  }
  const held = arch.kind === "encoder" && task === undefined ? heldBy(arch, json, headers, file) : undefined;
  const head = held?.names.filter((name) => !isBody(arch, name)) ?? [];
  const features = arch.classes.features;
  const isBare = head.length > 0 && !head.some(held!.has) && features !== undefined && fits(features);
  return isBare ? as(features) : json;
};
