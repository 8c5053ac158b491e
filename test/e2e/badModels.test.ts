/** Models that cannot do what is asked: refused with the field and what to choose, before anything is read. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { annealHere as anneal, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-bad-models-"));
const missing = join(dir, "no data");
const of = (name: string): string => join(dir, name);

/** A copy of a folder with another config, and without the tensors that `drop` names. */
const variant = (from: string, name: string, config: object, drop = /$^/): string => {
  cpSync(of(from), of(name), { recursive: true });
  const file = join(of(name), "config.json");
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...config }));
  const weights = join(of(name), "model.safetensors");
  const { tensors, metadata } = decodeSafetensors(readFileSync(weights), weights);
  const kept = new Map([...tensors].filter(([path]) => !drop.test(path)));
  writeFileSync(weights, Buffer.concat(encodeSafetensors(kept, Object.fromEntries(metadata))));
  return of(name);
};

const refused = async (args: readonly string[]): Promise<string> => {
  const { code, stderr, stdout } = await anneal([...args, "--data", missing]);
  expect([code, stdout], stderr).toEqual([2, ""]);
  return stderr;
};

beforeAll(async () => {
  await writeModel(of("bert"), tinyModel("bert", "masked-lm"), ["fp32"]);
  await writeModel(of("embedder"), tinyModel("bert", "features"), ["fp32"]);
  await writeModel(of("gpt2"), tinyModel("gpt2"), ["fp32"]);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test.each(["optimize", "eval"])("%s of a classifier says that running text has no labels", async (verb) => {
  const model = of(`tags-${verb}`);
  await writeModel(model, tinyModel("bert", "token-classification"), ["fp32"]);
  const text = of(`${verb}.txt`);
  writeFileSync(text, "running text without any label\n");
  const { code, stderr } = await anneal([verb, model, "--data", text]);
  expect(code, stderr).toBe(3);
  expect(stderr).toMatch(/is text, and records with fields are wanted.*CSV/s);
});

describe("a model that lacks its head", () => {
  test("train: which class has one", async () => {
    const bare = variant("bert", "bare-train", {}, /^cls\./);
    const said = await refused(["train", "--from", bare, "--out", of("trained"), "--steps", "2"]);
    expect(said).toMatch(/"architectures": is BertModel, which has no head to train/);
    expect(said).toMatch(/config.json names BertForMaskedLM, whose head the weights lack/);
    expect(said).toMatch(/hint: .*choose a checkpoint of BertForMaskedLM/);
  });

  test("eval: what the weights lack, and the class that they are of", async () => {
    const bare = variant("bert", "bare-eval", {}, /^cls\./);
    const data = of("text");
    writeCorpus(data);
    const { code, stderr } = await anneal(["eval", bare, "--dtype", "fp16", "--data", data]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/model\.safetensors.*cls\.predictions\.bias is missing/s);
    expect(stderr).toMatch(/hint: the weights lack the head: name BertModel in "architectures"/);
  });

  test("optimize: it is taken as what it is, and said", async () => {
    const bare = variant("bert", "bare-optimize", {}, /^cls\./);
    const { stderr } = await anneal(["optimize", bare, "--data", missing]);
    expect(stderr).toMatch(
      /warning: config.json names BertForMaskedLM, whose head the weights lack.*BertModel/,
    );
  });
});

describe("a pooling that is not supported", () => {
  test.each(["optimize", "eval"])("%s names it and its file", async (verb) => {
    const model = variant("embedder", `pooled-${verb}`, {});
    const module = (idx: number, path: string, type: string) => ({
      ...{ idx, name: String(idx), path },
      type: `sentence_transformers.models.${type}`,
    });
    const modules = [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")];
    writeFileSync(join(model, "modules.json"), JSON.stringify(modules));
    mkdirSync(join(model, "1_Pooling"), { recursive: true });
    const pooling = { word_embedding_dimension: 32, pooling_mode_weightedmean_tokens: true };
    writeFileSync(join(model, "1_Pooling/config.json"), JSON.stringify(pooling));
    const said = await refused([verb, model]);
    expect(said).toMatch(/1_Pooling.config\.json/);
    expect(said).toMatch(/weightedmean.*not supported/s);
  });
});
