import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { encodeIndex, planShards, shardName } from "../formats/safetensorsIndex.ts";
import type { Tensor } from "../ir/tensor.ts";
import { gpt2, gpt2Config } from "../models/gpt2.ts";
import { initialize, type ParamSpec } from "../nn/param.ts";
import { charTokenizer } from "../tokenizer/index.ts";
import { entries, type Tree } from "../util/tree.ts";
import { loadFolder } from "./folder.ts";

const tokenizer = charTokenizer(["abc"]);
const config = gpt2Config({
  vocab_size: tokenizer.vocabSize,
  n_positions: 8,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
});
const weights = new Map(entries<Tensor>(initialize(gpt2.params(config) as unknown as Tree<ParamSpec>, 3)));

let dir = "";
const put = (name: string, data: string | Uint8Array) => writeFile(join(dir, name), data);
const putTensors = (name: string, tensors: ReadonlyMap<string, Tensor>) =>
  put(name, Buffer.concat(encodeSafetensors(tensors)));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-folder-"));
  const files = tokenizer.files();
  await put("config.json", JSON.stringify(config));
  await put("tokenizer.json", JSON.stringify(files.tokenizer));
  await put("tokenizer_config.json", JSON.stringify(files.config));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const loaded = async () => new Map(entries<Tensor>((await loadFolder(dir)).model.weights as Tree<Tensor>));

test("one file and shards give the same model", async () => {
  await putTensors("model.safetensors", weights);
  const whole = await loaded();
  expect(whole).toEqual(weights);
  await rm(join(dir, "model.safetensors"));
  const shards = planShards(weights, 1024);
  expect(shards.length).toBeGreaterThan(2);
  for (const [i, names] of shards.entries()) {
    const part = new Map(names.map((name) => [name, weights.get(name)!]));
    await putTensors(shardName(i, shards.length), part);
  }
  await put("model.safetensors.index.json", encodeIndex(shards, weights));
  expect(await loaded()).toEqual(weights);
  await rm(join(dir, shardName(1, shards.length)));
  await expect(loadFolder(dir)).rejects.toThrow(/model-00002-of-.*cannot be read/);
});

test("tensors that do not fit are listed: missing, unexpected, of another shape", async () => {
  const wrong = new Map(weights);
  wrong.delete("transformer.ln_f.bias");
  wrong.set("extra", weights.get("transformer.ln_f.weight")!);
  wrong.set("transformer.ln_f.weight", weights.get("transformer.wpe.weight")!);
  await putTensors("model.safetensors", wrong);
  const error = await loadFolder(dir).catch((e) => e as Error);
  expect((error as Error).message).toMatch(/ln_f\.bias is missing \(expected \[8\]\)/);
  expect((error as Error).message).toMatch(/ln_f\.weight is \[8, 8\] \(expected \[8\]\)/);
  expect((error as Error).message).toMatch(/extra is not part of the model/);
});

test("an unknown architecture names the known ones", async () => {
  await putTensors("model.safetensors", weights);
  await put("config.json", JSON.stringify({ ...config, model_type: "gpt3" }));
  await expect(loadFolder(dir)).rejects.toMatchObject({
    details: { field: "model_type", hint: expect.stringMatching(/did you mean "gpt2"/) },
  });
});
