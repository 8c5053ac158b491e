/** What a run is: its checkpoints are gone on with only by a run that equals it in all of this. */
import { createHash } from "node:crypto";
import type { TokenSource } from "../data/batch/batches.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Json, Model } from "../models/model.ts";
import { tensorsOf } from "../nn/param.ts";
import { jsonHash } from "../node/prepare/parts.ts";
import type { RunOptions } from "./config/options.ts";
import type { Corpus } from "./data/corpus.ts";

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
const layout = ({ tokens, window, documentMask }: NonNullable<Corpus["packed"]>): Json => {
  const hash = createHash("sha256");
  for (let start = 0; start < tokens.length; start += window) {
    const { starts, used } = tokens.pieces(start, start + window);
    hash.update(bytesOf([...starts, used]));
  }
  return { window, documentMask, starts: hash.digest("hex").slice(0, 16) };
};

/** Weights that no checkpoint of the run holds. */
const frozenHash = (model: Model, frozen: (path: string) => boolean): string | null => {
  const kept = [...tensorsOf(model.weights)].filter(([path]) => frozen(path)) as [string, Tensor][];
  if (kept.length === 0) return null;
  const hash = createHash("sha256");
  for (const [path, { dtype, shape, data }] of kept) {
    hash.update(`${path} ${dtype} ${shape.join()} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 16);
};

/**
 * The options that decide what a run makes, and hashes of the data as it is trained on, the tokenizer and the
 * model's config: where the data came from, and how many threads share the work, is left out.
 */
export const identity = (
  options: RunOptions,
  { train, validation, tokenizer, packed }: Corpus,
  model: Model,
  frozen: (path: string) => boolean,
): Json => {
  const { data, out, threads, budget, distill, train: t, ...rest } = options;
  const { replicas, ...training } = t;
  return {
    data: {
      train: contents(train.tokens),
      validation: contents(validation.tokens),
      windows: packed === undefined ? null : layout(packed),
    },
    ...rest,
    train: training,
    tokenizer: { ...options.tokenizer, files: jsonHash(tokenizer.files().tokenizer) },
    model: { ...options.model, config: model.config, frozen: frozenHash(model, frozen) },
  } as unknown as Json;
};
