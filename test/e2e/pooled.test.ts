/** Embedding models: the vector of a text is in their graphs, as the folder says it is made. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { AutoModel, AutoTokenizer, env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quantize } from "../../src/compress/index.ts";
import { sentenceFiles } from "../../src/models/checkpoint/sentenceModules.ts";
import type { Json, Model, Pooling } from "../../src/models/model.ts";
import { usualPooling } from "../../src/models/pooling.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { anyModelDtypes, type ExportDtype } from "../../src/ship/onnx/dtype.ts";
import { type Family, tinyModel, writeModel } from "../browser/folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-pooled-"));
beforeAll(() => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const texts = ["The old cat sat on a red mat.", "dogs ran", "the river"];

const bare = (family: Family): Model => {
  const { pooling: _, ...model } = tinyModel(family, family === "bert" ? "features" : "causal-lm");
  return model;
};

/** A checkpoint's folder with these JSON files beside the model. */
const checkpoint = async (name: string, model: Model, files: Iterable<readonly [string, Json]> = []) => {
  const path = await writeModel(join(dir, name), model, ["fp32"]);
  rmSync(join(path, "onnx"), { recursive: true });
  for (const [file, json] of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), JSON.stringify(json));
  }
  return path;
};

const exported = async (source: string, dtypes: readonly ExportDtype[]) => {
  const out = `${source}-out`;
  const told: string[] = [];
  const tell = (line: string) => told.push(line);
  await exportFolder(source, { out, dtypes, ui: { ...silent, line: tell, warn: tell } });
  return { out, told: told.join("\n") };
};

interface Tensor<D> {
  readonly dims: readonly number[];
  readonly data: D;
}

interface Outputs {
  readonly last_hidden_state: Tensor<Float32Array>;
  readonly sentence_embedding?: Tensor<Float32Array>;
  readonly mask: Tensor<BigInt64Array>;
}

/** All outputs of the exported graph for the texts as one batch, by transformers.js. */
const outputsOf = async (path: string, dtype: ExportDtype): Promise<Outputs> => {
  const tokenizer = await AutoTokenizer.from_pretrained(path);
  const model = await AutoModel.from_pretrained(path, { dtype: dtype as "fp32" });
  const inputs = tokenizer([...texts], { padding: true });
  const outputs = await model(inputs);
  await model.dispose();
  return { ...outputs, mask: inputs.attention_mask } as unknown as Outputs;
};

const cosines = (a: Float32Array, b: Float32Array, width: number): number[] =>
  Array.from({ length: a.length / width }, (_, row) => {
    const [x, y] = [a, b].map((all) => Array.from(all.subarray(row * width, (row + 1) * width)));
    const dot = (u: number[], v: number[]) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
    return dot(x!, y!) / Math.sqrt(dot(x!, x!) * dot(y!, y!));
  });

const poolings: readonly Pooling[] = [
  { mode: "cls", normalize: false },
  { mode: "mean", normalize: true },
];

test.each(poolings)("%j of modules.json is what every dtype's graph gives", async (pooling) => {
  const files = sentenceFiles(pooling, 32);
  const source = await checkpoint(pooling.mode, bare("bert"), files);
  const dtypes = [...anyModelDtypes];
  const { out, told } = await exported(source, dtypes);
  expect(told).not.toContain("modules.json");
  expect((await loadModel(out)).model.pooling).toEqual(pooling);
  for (const name of files.keys())
    expect(readFileSync(join(out, name))).toEqual(readFileSync(join(source, name)));
  for (const dtype of dtypes) {
    const { sentence_embedding: own } = await outputsOf(out, dtype);
    const extract = await pipeline("feature-extraction", out, { dtype: dtype as "fp32" });
    const { mode, normalize } = pooling;
    const theirs = await extract([...texts], { pooling: mode as "mean", normalize });
    await extract.dispose();
    expect(own!.dims).toEqual([3, 32]);
    expect(theirs.dims).toEqual([3, 32]);
    for (const cosine of cosines(own!.data, theirs.data as Float32Array, 32)) {
      expect(cosine, dtype).toBeGreaterThan(dtype === "fp32" ? 0.999999 : 0.9999);
    }
    const length = Math.hypot(...own!.data.subarray(0, 32));
    if (normalize) expect(length).toBeCloseTo(1, 3);
    else expect(length).toBeGreaterThan(2);
  }
});

test("an encoder without modules.json pools as is usual, says so, and has the files from then on", async () => {
  const source = await checkpoint("plain", bare("bert"));
  expect(existsSync(join(source, "modules.json"))).toBe(false);
  const { out, told } = await exported(source, ["fp32"]);
  expect(told).toContain("no modules.json says how sentence vectors are made");
  expect((await loadModel(out)).pooling).toEqual({ said: usualPooling });
  for (const [name, json] of sentenceFiles(usualPooling, 32)) {
    expect(JSON.parse(readFileSync(join(out, name), "utf8"))).toEqual(json);
  }
});

describe("what modules.json asks for and is not computed", () => {
  const files = [...sentenceFiles(usualPooling, 32)];
  const modules = files.find(([name]) => name === "modules.json") as [string, Json[]];
  const pooling = files.find(([name]) => name.startsWith("1_Pooling")) as [string, Json];
  const dense = { path: "3_Dense", type: "sentence_transformers.models.Dense" };
  test.each<[string, [string, Json][], RegExp]>([
    ["a module", [[modules[0], [...modules[1], dense]], pooling], /modules\.json, field "3\.type".*Dense/],
    ["a mode", [modules, [pooling[0], { pooling_mode: "weightedmean" }]], /1_Pooling.*weightedmean/],
    ["a missing file", [modules], /1_Pooling.*is not there/],
  ])("%s: it is said, and the graph has hidden states alone", async (name, files, message) => {
    const source = await checkpoint(name.replaceAll(" ", "-"), bare("bert"), files);
    const { out, told } = await exported(source, ["fp32"]);
    expect(told).toMatch(message);
    expect(told).toContain("the graphs have no sentence_embedding");
    const outputs = await outputsOf(out, "fp32");
    expect(Object.keys(outputs)).toEqual(["last_hidden_state", "mask"]);
  });
});

test("a decoder that pools is a model of features, whatever class it names", async () => {
  const files = sentenceFiles({ mode: "lasttoken", normalize: false }, 32);
  const source = await checkpoint("decoder", bare("gpt2"), files);
  const { out } = await exported(source, ["fp32"]);
  expect(JSON.parse(readFileSync(join(out, "config.json"), "utf8")).architectures).toEqual(["GPT2Model"]);
  const { last_hidden_state: hidden, sentence_embedding: own, mask } = await outputsOf(out, "fp32");
  const [rows, length] = mask.dims as [number, number];
  expect(Math.min(...Array.from(mask.data, Number))).toBe(0); // Some text is padded.
  for (let row = 0; row < rows; row++) {
    const last = mask.data.subarray(row * length, (row + 1) * length).lastIndexOf(1n);
    const at = 32 * (row * length + last);
    own!.data.subarray(32 * row, 32 * row + 32).forEach((x, i) => {
      expect(x).toBeCloseTo(hidden.data[at + i]!, 5);
    });
  }
});

test("passes keep how a model pools", async () => {
  const model = tinyModel("bert", "features");
  const packed = await quantize({ bits: 8 }).run(model, {} as never);
  expect(packed.pooling).toEqual(usualPooling);
});
