/** What a run is: its checkpoints are gone on with only by a run that equals it in all of this. */
import { createHash } from "node:crypto";
import type { TokenSource } from "../../data/batch/batches.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Json, Model } from "../../models/model.ts";
import { tensorsOf, trainedTensors } from "../../nn/param.ts";
import { jsonHash } from "../../node/prepare/parts.ts";
import type { Example } from "../../tasks/records.ts";
import type { Material, TextPair, TokenText } from "../../tasks/task.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";

/** Tokens that are hashed at a time. */
const PIECE = 2 ** 20;

const bytesOf = (ids: ArrayLike<number>): Uint8Array => {
  const { buffer, byteOffset, byteLength } = ids instanceof Uint32Array ? ids : Uint32Array.from(ids);
  return new Uint8Array(buffer, byteOffset, byteLength);
};

/** Tokens in their order. */
const contents = (tokens: TokenSource): string => {
  const hash = createHash("sha256");
  for (let start = 0; start < tokens.length; start += PIECE) {
    const end = Math.min(start + PIECE, tokens.length);
    hash.update(bytesOf(tokens.subarray(start, end)));
  }
  return `${tokens.length} tokens of sha256 ${hash.digest("hex").slice(0, 16)}`;
};

/** Where documents start in each window, and its padding. */
const layout = ({ tokens, window, documentMask }: NonNullable<TokenText["packed"]>): Json => {
  const hash = createHash("sha256");
  for (let start = 0; start < tokens.length; start += window) {
    const { starts, used } = tokens.pieces(start, start + window);
    hash.update(bytesOf([...starts, used]));
  }
  return { window, documentMask, starts: hash.digest("hex").slice(0, 16) };
};

/** Pairs in their order. */
const pairContents = (pairs: readonly TextPair[]): string => {
  const hash = createHash("sha256");
  for (const { source, target } of pairs) {
    for (const side of [source, target]) {
      hash.update(`${side.length} `);
      hash.update(bytesOf(side));
    }
  }
  return `${pairs.length} pairs of sha256 ${hash.digest("hex").slice(0, 16)}`;
};

const numberBytes = (values: ArrayLike<number>): Uint8Array => {
  const { buffer, byteOffset, byteLength } = Float64Array.from(values);
  return new Uint8Array(buffer, byteOffset, byteLength);
};

/** Examples in their order: all numbers of each. */
const exampleContents = (examples: readonly Example[]): string => {
  const hash = createHash("sha256");
  for (const { parts } of examples) {
    for (const [name, values] of Object.entries(parts)) {
      hash.update(`${name} ${values.length} `);
      hash.update(numberBytes(values));
    }
  }
  return `${examples.length} examples of sha256 ${hash.digest("hex").slice(0, 16)}`;
};

/** Hashes of the data as it is trained on. */
export const dataHashes = (material: Material): { readonly [part: string]: Json } => {
  if (material.kind === "examples") {
    return {
      train: exampleContents(material.train),
      validation: exampleContents(material.validation),
      windows: null,
    };
  }
  if (material.kind === "pairs") {
    return {
      train: pairContents(material.train),
      validation: pairContents(material.validation),
      windows: null,
    };
  }
  const { train, validation, packed } = material;
  return {
    train: contents(train),
    validation: contents(validation),
    windows: packed === undefined ? null : layout(packed),
  };
};

/** Weights that no checkpoint of the run holds. */
const frozenHash = (model: Model, frozen: (path: string) => boolean): string | null => {
  const trained = new Set(Array.from(trainedTensors(model.weights), ([path]) => path));
  const stays = ([path]: readonly [string, Tensor]) => frozen(path) || !trained.has(path);
  const kept = [...tensorsOf(model.weights)].filter(stays);
  if (kept.length === 0) return null;
  const hash = createHash("sha256");
  for (const [path, { dtype, shape, data }] of kept) {
    hash.update(`${path} ${dtype} ${shape.join()} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
};

/** A hash of all weights of a model. */
export const weightsHash = (model: Model): string | null => frozenHash(model, () => true);

/**
 * The options that decide what a run makes, and hashes of the data as it is trained on, the tokenizer and the
 * model's config: where the data came from, and how many threads share the work, is left out.
 */
export const identity = (
  options: RunOptions,
  { material, tokenizer }: Pick<UserData, "material" | "tokenizer">,
  model: Model,
  frozen: (path: string) => boolean,
): Json => {
  const {
    data,
    out,
    threads,
    budget,
    search,
    distill,
    train: t,
    task,
    tokenizer: _,
    model: __,
    adapter,
    ...rest
  } = options;
  // Checkpoints of a pipeline are those of one process.
  const { replicas, pipeline, ...training } = t;
  const files = { files: jsonHash(tokenizer.files().tokenizer) };
  // A tokenizer that is learnt here follows from the text; that of a checkpoint is a cause.
  const learnt = options.model.from === "";
  // What is compared first is named first: causes stand before what follows from them.
  return {
    task: { ...task, labels: [...task.labels], labelFields: [...task.labelFields], dims: [...task.dims] },
    tokenizer: { ...options.tokenizer, ...(learnt ? {} : files) },
    model: { ...options.model, config: model.config, frozen: frozenHash(model, frozen) },
    adapter: { ...adapter },
    ...rest,
    train: training,
    data: { ...dataHashes(material), ...(learnt ? { tokenizer: files } : {}) },
  } as Json;
};
