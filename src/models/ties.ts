/**
 * Weights that a config makes one of: a head and the embedding, a bias under two names. A checkpoint may hold
 * the one under any of its names, or under several. Where those hold other numbers the config is wrong, and
 * each keeps its own: transformers' rule (its `tie_weights`).
 */
import type { Tensor } from "../ir/tensor.ts";
import type { ParamSpec } from "../nn/param.ts";
import { FormatError } from "../util/errors.ts";
import type { Tree } from "../util/tree.ts";
import type { ModelConfig } from "./model.ts";

/** Other names of tied weights -> the name of the one. */
export type Tied = ReadonlyMap<string, string>;

/** A model whose weights are separate where those of its checkpoint differ. */
export interface Untied {
  readonly config: ModelConfig;
  readonly specs: Tree<ParamSpec>;
  readonly names: ReadonlySet<string>;
}

/**
 * Gives the one weight the tensor of another name where it has none of its own, and a wanted other name that
 * of the one. Takes the other names that are not wanted out of `sources`: the result, those to be compared.
 */
export const joinTied = (
  sources: Map<string, string>,
  tied: Tied,
  wanted: { has(name: string): boolean },
): Map<string, string> => {
  const twins = new Map<string, string>();
  for (const [alias, one] of tied) {
    const [theirs, ours] = [sources.get(alias), sources.get(one)];
    if (theirs === undefined) continue;
    if (ours === undefined) sources.set(one, theirs);
    else if (!wanted.has(alias)) twins.set(alias, theirs);
  }
  for (const [alias, one] of tied) {
    const source = sources.get(one);
    if (wanted.has(alias) && !sources.has(alias) && source !== undefined) sources.set(alias, source);
  }
  for (const name of [...tied].flat()) if (!wanted.has(name)) sources.delete(name);
  return twins;
};

const same = (a: Tensor, b: Tensor): boolean => {
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  return x.length === y.length && x.every((value, i) => value === y[i]);
};

/** What decides whether tied weights are one. */
export interface Separated {
  readonly tied: Tied;
  /** Names of the twins that the checkpoint holds -> their tensors' names there. */
  readonly twins: ReadonlyMap<string, string>;
  readonly untied: Untied | undefined;
  /** The weights' file in errors. */
  readonly file: string;
}

/** Whether a twin differs from what it is tied to. Throws FormatError where it may not. */
export const isSeparate = (plan: Separated, weights: ReadonlyMap<string, Tensor>): boolean => {
  const own = [...plan.twins].filter(([alias]) => {
    const one = plan.tied.get(alias)!;
    return !same(weights.get(alias)!, weights.get(one)!);
  });
  for (const [alias, source] of own) {
    if (plan.untied?.names.has(alias) === true) continue;
    throw new FormatError(`differs from ${plan.tied.get(alias)}, which has to be the same here`, {
      file: plan.file,
      tensor: source,
      hint: "only checkpoints whose tied weights are equal can be used",
    });
  }
  return own.length > 0;
};
