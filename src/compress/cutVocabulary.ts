/** A model whose vocabulary is cut: rows of embeddings and heads, and the ids that its config names. */

import type { TensorType } from "../ir/tensor.ts";
import type { Json, Model, ModelConfig } from "../models/model.ts";
import { isPacked, type Weight } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { flatten, mapTree, type Tree } from "../util/tree.ts";
import { derived } from "./pass.ts";
import { gathered } from "./pruning/gathered.ts";

/** Fields of configs that hold ids: one, a list, or lists of lists. */
const HOLDS_IDS = /(?:_token_ids?|^suppress_tokens|^begin_suppress_tokens|^bad_words_ids)$/;

/** Ids below this are among the first, where vocabularies have their special tokens. */
const FIRST = 16;

const NAMES_IDS = /_token_ids?$/;

/**
 * The ids of tokens that a config or generation_config.json names, which have to stay; and where padding is
 * one of the first, those before it: positions of RoBERTa and its kin begin behind its id.
 */
export const idsNamedIn = (config: unknown): number[] => {
  const fields = Object.entries((config ?? {}) as Record<string, Json>);
  const named = fields
    .filter(([name]) => NAMES_IDS.test(name))
    .flatMap(([, value]) => (Array.isArray(value) ? (value.flat(3) as Json[]) : [value]))
    .filter((id): id is number => typeof id === "number" && id >= 0);
  const { pad_token_id: pad } = (config ?? {}) as { readonly pad_token_id?: Json };
  const first = typeof pad === "number" && pad >= 0 && pad < FIRST ? pad : 0;
  return [...named, ...Array.from({ length: first }, (_, id) => id)];
};

const renumbered = (value: Json, newId: (id: number) => number | undefined): Json | undefined => {
  if (typeof value === "number") return value < 0 ? value : newId(value);
  if (!Array.isArray(value)) return value;
  const all = value.map((each: Json) => renumbered(each, newId));
  // A list of lists names sequences: one with a token that is gone never comes.
  const lists = value.some(Array.isArray);
  if (lists) return all.filter((each) => Array.isArray(each)) as Json[];
  return all.every((each) => each !== undefined) ? (all as Json[]) : undefined;
};

/** A config with its ids renumbered; of what names a token that is gone, nothing stays. */
export const withNewIds = <T extends object>(config: T, ids: Uint32Array): T => {
  const places = new Map(Array.from(ids, (id, place) => [id, place]));
  const newId = (id: number) => places.get(id);
  const single = (list: Json): Json =>
    Array.isArray(list) && !list.some(Array.isArray)
      ? list.filter((id: Json) => newId(Number(id)) !== undefined)
      : list;
  const entries = Object.entries(config).flatMap(([name, value]) => {
    if (!HOLDS_IDS.test(name) || value === null || value === undefined) return [[name, value] as const];
    const next = renumbered(single(value as Json), newId);
    return next === undefined ? [] : [[name, next] as const];
  });
  return Object.fromEntries(entries) as T;
};

/**
 * The model with the tokens `ids` alone (former ids by new ones): every weight whose shape depends on the
 * vocabulary keeps those rows, tied ones stay one. Hidden states of texts of these tokens are the same; a
 * language model's probabilities are shared among fewer. Throws ConfigError for weights that are packed.
 */
export const cutVocabulary = (model: Model, ids: Uint32Array): Model => {
  const { arch, weights } = model;
  const size = ids.length;
  const old = model.config as ModelConfig & { readonly decoder_vocab_size?: number };
  const sizes = {
    vocab_size: size,
    ...(old.decoder_vocab_size === undefined ? {} : { decoder_vocab_size: size }),
  };
  const config = arch.parse({ ...withNewIds(old, ids), ...sizes });
  const [before, after] = [old, config].map((c) => flatten<TensorType>(arch.params(c) as Tree<TensorType>));
  const cut = mapTree<Weight, Weight>(weights, (weight, path) => {
    const [from, to] = [before!.get(path)?.shape, after!.get(path)?.shape];
    const axis = from?.findIndex((n, i) => n !== to?.[i]) ?? -1;
    if (axis < 0) return weight;
    if (isPacked(weight)) {
      throw new ConfigError("is packed: the vocabulary of a quantized model is not cut", { field: path });
    }
    return gathered(weight, axis, ids);
  });
  const pass = { name: "cutVocabulary", options: { from: old.vocab_size, to: size } };
  return derived(model, pass, { config, weights: cut });
};
