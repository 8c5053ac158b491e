import { describe, expect, test } from "vitest";
import type { TokenStream } from "../../data/index.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import type { Model } from "../../models/model.ts";
import { initialize } from "../../nn/param.ts";
import { trainBpe } from "../../tokenizer/index.ts";
import { defaults } from "../config/options.ts";
import type { Corpus } from "../data/corpus.ts";
import { asUserData } from "../data/userData.ts";
import { identity as identityOf } from "./identity.ts";

const stream = (tokens: Iterable<number>): TokenStream => ({
  tokens: Uint32Array.from(tokens),
  bytes: 9,
  documents: 1,
});
const tokenizer = trainBpe(["ab ab cd"], { vocab: 258 });
const corpus: Corpus = {
  tokenizer,
  train: stream([1, 2, 3, 4]),
  validation: stream([5, 6]),
  report: { stages: [] },
  skipped: [],
};
const identity = (options: typeof defaults, given: Corpus, ...rest: [Model, (path: string) => boolean]) =>
  identityOf(options, asUserData(given), ...rest);
const modelOf = (seed: number, positions = 8): Model => {
  const config = gpt2Config({ vocab_size: 258, n_positions: positions, n_embd: 8, n_layer: 1, n_head: 1 });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, seed), history: [] };
};
const none = (): boolean => false;
const own = identity(defaults, corpus, modelOf(1), none);

/** Tokens of two windows whose documents start at `starts`, and end at `used`. */
const packed = (starts: readonly number[], used: number): Corpus["packed"] => ({
  window: 2,
  documentMask: true,
  tokens: {
    length: 4,
    subarray: (start, end) => corpus.train.tokens.subarray(start, end),
    pieces: () => ({ starts, used }),
  },
});

test("names task, tokenizer and model before the data, which follow from them", () => {
  const fields = Object.keys(own as object);
  expect(fields.slice(0, 3)).toEqual(["task", "tokenizer", "model"]);
  expect(fields.at(-1)).toBe("data");
});

test("is the same for the same run, wherever its files and on however many threads", () => {
  const elsewhere = { ...defaults, out: "x", threads: 7, data: { ...defaults.data, paths: ["y"] } };
  const replicas = { ...elsewhere, train: { ...defaults.train, replicas: 4 } };
  const copy = { ...corpus, train: { ...corpus.train, tokens: Uint32Array.of(1, 2, 3, 4) } };
  expect(identity(replicas, copy, modelOf(2), none)).toEqual(own);
});

describe("differs with", () => {
  test.each<[string, Partial<Corpus>]>([
    ["tokens of equal number", { train: stream([1, 2, 4, 3]) }],
    ["one token more", { train: stream([1, 2, 3, 4, 0]) }],
    ["another held-out text", { validation: stream([6, 5]) }],
    ["another tokenizer of the same size", { tokenizer: trainBpe(["xy xy cd"], { vocab: 258 }) }],
    ["windows in place of a stream", { packed: packed([0], 2)! }],
  ])("%s", (_, more) => {
    expect(identity(defaults, { ...corpus, ...more }, modelOf(1), none)).not.toEqual(own);
  });

  test("where documents start and padding begins", () => {
    const laid = (
      [
        [[0], 2],
        [[1], 2],
        [[0], 1],
      ] as const
    ).map(([starts, used]) =>
      JSON.stringify(identity(defaults, { ...corpus, packed: packed(starts, used)! }, modelOf(1), none)),
    );
    expect(new Set(laid).size).toBe(3);
  });

  test("another shape, and with frozen weights that are not the checkpoint's", () => {
    expect(identity(defaults, corpus, modelOf(1, 16), none)).not.toEqual(own);
    const frozen = (path: string): boolean => path.includes("wte");
    const [a, b] = [1, 2].map((seed) => identity(defaults, corpus, modelOf(seed), frozen));
    expect(a).not.toEqual(b);
    expect(a).toEqual(identity(defaults, corpus, modelOf(1), frozen));
  });
});
