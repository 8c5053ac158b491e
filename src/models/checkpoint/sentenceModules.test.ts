import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import type { Json } from "../model.ts";
import { poolingModes } from "../pooling.ts";
import { poolingMode, sentenceFiles, sentenceModules } from "./sentenceModules.ts";

const golden: { readonly configs: readonly { config: Json; mode: string | string[] }[] } = JSON.parse(
  readFileSync(new URL("../../../test/golden/pooling.json", import.meta.url), "utf8"),
);

describe("the config of a Pooling", () => {
  test.each(golden.configs)("$config is read as sentence-transformers reads it", ({ config, mode }) => {
    if (poolingModes.some((name) => name === mode)) {
      expect(poolingMode(config, "f")).toBe(mode);
      return;
    }
    // Of modes that are not computed here, the message names them.
    const named = [mode].flat().join(" beside ");
    expect(() => poolingMode(config, "f")).toThrow(`asks for the pooling ${named}, which is not supported`);
  });

  test.each<[Json, RegExp]>([
    [[], /^1_Pooling\/config\.json: must be an object/],
    [{ pooling_mode: "means" }, /^1_Pooling\/config\.json, field "pooling_mode": asks for the pooling means/],
    [
      { pooling_mode_weightedmean_tokens: true },
      /field "pooling_mode_weightedmean_tokens": asks for the pooling weightedmean/,
    ],
    [{ pooling_mode: "mean", include_prompt: false }, /field "include_prompt": leaves prompts out/],
  ])("%j is refused by name", (config, message) => {
    expect(() => poolingMode(config, "1_Pooling/config.json")).toThrow(ConfigError);
    expect(() => poolingMode(config, "1_Pooling/config.json")).toThrow(message);
  });
});

describe("modules.json", () => {
  const module = (path: string, name: string) => ({ path, type: `sentence_transformers.${name}` });
  const [model, pooling] = [module("", "models.Transformer"), module("1_Pooling", "models.Pooling")];

  test("of older and newer versions says where the pooling is, and whether vectors have length 1", () => {
    const poolingConfig = "1_Pooling/config.json";
    expect(sentenceModules([model, pooling], "f")).toEqual({ poolingConfig, normalize: false });
    const newer = [
      module("", "base.modules.transformer.Transformer"),
      module("1_Pooling", "sentence_transformer.modules.pooling.Pooling"),
      module("2_Normalize", "base.modules.normalize.Normalize"),
    ];
    expect(sentenceModules(newer, "f")).toEqual({ poolingConfig, normalize: true });
  });

  test.each<[Json, RegExp]>([
    [{}, /^modules\.json: must be a list/],
    [[model, "x"], /^modules\.json, field "1": must be an object/],
    [[model], /field "1\.path": names no folder/],
    [[model, module("../up", "models.Pooling")], /field "1\.path": names no folder/],
    [[model, pooling, module("2_Dense", "models.Dense")], /field "2\.type": is .*models\.Dense/],
    [[{ path: "", type: "custom_st.Transformer" }, pooling], /field "0\.type": is "custom_st\.Transformer"/],
    [[model, pooling, module("2_Normalize", "models.Normalize"), pooling], /field "3\.type"/],
    [[model, pooling, module("2_Normalize", "models.Normalize"), {}], /field "3\.type"/],
  ])("%j is refused by name", (modules, message) => {
    expect(() => sentenceModules(modules, "modules.json")).toThrow(ConfigError);
    expect(() => sentenceModules(modules, "modules.json")).toThrow(message);
  });

  test.each([
    { mode: "lasttoken", normalize: true },
    { mode: "mean", normalize: false },
  ] as const)("what is written for %j says so when it is read", (pooling) => {
    const files = sentenceFiles(pooling, 16);
    const { poolingConfig, normalize } = sentenceModules(files.get("modules.json")!, "f");
    expect({ mode: poolingMode(files.get(poolingConfig)!, "f"), normalize }).toEqual(pooling);
    expect(files.get(poolingConfig)).toMatchObject({ word_embedding_dimension: 16 });
  });
});
