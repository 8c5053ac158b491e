import { describe, expect, test } from "vitest";
import { defaults, type RunConfig, type RunOptions } from "../../recipes/config/options.ts";
import { ConfigError } from "../../util/errors.ts";
import { requireMeaning, withoutEffect } from "./effects.ts";
import type { VerbName } from "./flags.ts";

const over = (config: RunConfig): RunOptions =>
  ({
    ...defaults,
    data: { ...defaults.data, ...config.data },
    model: { ...defaults.model, ...config.model },
    tokenizer: { ...defaults.tokenizer, ...config.tokenizer },
    train: { ...defaults.train, ...config.train },
  }) as RunOptions;
const flagged = (flags: RunConfig, verb: VerbName = "data") => withoutEffect(over(flags), flags, verb);

describe("a flag that others leave without effect is refused", () => {
  const lost: readonly (readonly [field: string, flags: RunConfig, verb: VerbName])[] = [
    ["data.documentMask", { data: { documentMask: true } }, "data"],
    ["data.keep", { data: { near: "off", keep: "longest" } }, "data"],
    ["data.bands", { data: { near: "off", bands: 9 } }, "data"],
    ["data.likeShare", { data: { likeShare: 0.1 } }, "data"],
    ["data.gzip", { data: { gzip: true } }, "data"],
    ["data.gzip", { data: { gzip: true, format: "parquet" } }, "data"],
    ["data.maxEpochs", { data: { maxEpochs: 2 } }, "data"],
    ["data.temperature", { data: { temperature: 2, mix: ["a=1"] } }, "data"],
    ["train.lrMin", { train: { schedule: "constant", lrMin: 1e-5 } }, "train"],
    ["model.n_layer", { model: { from: "dir", n_layer: 6 } }, "train"],
    ["model.n_layer", { model: { from: "dir", n_layer: 6 } }, "quickstart"],
    ["model.activation_function", { model: { family: "llama", activation_function: "relu" } }, "train"],
    ["tokenizer.vocab", { model: { from: "dir" }, tokenizer: { vocab: 999 } }, "train"],
  ];
  test.each(lost)("%s", (field, flags, verb) => {
    let error: unknown;
    try {
      flagged(flags, verb);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).details.field).toBe(field);
    expect((error as ConfigError).details.hint).toMatch(/--/);
    // The same of a config file, which other verbs and other flags share, is told.
    expect(withoutEffect({ ...over(flags) }, {}, verb).length).toBeGreaterThanOrEqual(
      field === "data.likeShare" ? 0 : 1,
    );
  });
});

test.each<readonly [RunConfig, RegExp]>([
  [{ data: { format: "jsonl" }, tokenizer: { vocab: 300 } }, /^--vocab \(tokenizer.vocab\) has no effect/],
  [{ tokenizer: { kind: "char", vocab: 300 } }, /^--vocab/],
])("%j is told", (flags, says) => {
  expect(flagged(flags)).toEqual([expect.stringMatching(says)]);
});

test.each<readonly [string, RunConfig, VerbName]>([
  ["nothing given", {}, "data"],
  ["a mask over whole documents", { data: { documentMask: true, packing: "bestFit" } }, "data"],
  ["a share of what is selected", { data: { likeShare: 0.5, like: ["x"] } }, "data"],
  ["zipped lines", { data: { gzip: true, format: "jsonl" } }, "data"],
  ["mixing by size", { data: { temperature: 2, maxEpochs: 2 } }, "data"],
  ["a flag that is off", { data: { documentMask: false, gzip: false } }, "data"],
  ["a context of a checkpoint", { model: { from: "dir", n_positions: 64 } }, "train"],
  ["layers of a fresh model", { model: { n_layer: 9 } }, "train"],
  ["layers of a config that other verbs share", { model: { from: "dir", n_layer: 9 } }, "data"],
  ["the rate itself as least", { train: { schedule: "constant", lrPeak: 0.05, lrMin: 0.05 } }, "train"],
])("%s is taken without a word", (_, flags, verb) => {
  expect(flagged(flags, verb)).toEqual([]);
});

test("a --set of what means nothing to the verb is refused; what does, and a section, are taken", () => {
  expect(() => requireMeaning(["seed=1", "train.steps=9"], "eval")).toThrow(
    /"train.steps": means nothing to eval/,
  );
  expect(() => requireMeaning(["seed=1", "data.field=x", 'train={"steps":9}'], "eval")).not.toThrow();
});
