import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { encodeIndex, planShards, shardName } from "../../formats/safetensors/safetensorsIndex.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sentenceFiles } from "../../models/checkpoint/sentenceModules.ts";
import { BusyError, ConfigError, DataError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { lockRun } from "../files/lock.ts";
import { readPooling } from "../model/pooling.ts";
import { parseHubRef } from "./cache.ts";
import {
  COMMIT,
  cacheDir,
  failure,
  fetchTiny,
  gitSha,
  hub,
  hubUrl,
  repo,
  safetensors,
  sha256,
  smallFiles,
  weights,
} from "./hub.fixture.ts";
import { adapterDirs, openModel } from "./hub.ts";
import type { HubProgress } from "./progress.ts";

test("a model is fetched into the cache's layout, loaded, and served from there", async () => {
  const folder = await openModel("org/tiny", { cacheDir, hubUrl });
  expect(flatten<Tensor>(folder.model.weights as Tree<Tensor>)).toEqual(weights);
  expect(folder.generation).toMatchObject({ stopIds: [1, 0], temperature: 0.7, topK: 50 });
  const snapshot = join(repo(), "snapshots", COMMIT);
  expect(folder.dir).toBe(snapshot);
  expect(await readFile(join(repo(), "refs", "main"), "utf8")).toBe(COMMIT);
  const bytes = hub.files.get("model.safetensors")!;
  expect(await readlink(join(snapshot, "model.safetensors"))).toBe(join("..", "..", "blobs", sha256(bytes)));
  expect(await readlink(join(snapshot, "config.json"))).toContain(gitSha(hub.files.get("config.json")!));
  expect((await readdir(snapshot)).sort()).toEqual([...hub.files.keys()].sort());

  hub.requests = [];
  expect(await fetchTiny("org/tiny", { offline: true })).toBe(snapshot);
  expect(await fetchTiny(`org/tiny@${COMMIT}`)).toBe(snapshot);
  expect(hub.requests).toEqual([]);
  await fetchTiny();
  expect(hub.requests.filter(({ url }) => url.includes("/resolve/"))).toEqual([]);
});

test("of GGUF files one is fetched: the only one, or that which is named", async () => {
  const [four, eight] = ["tiny-Q4_0.gguf", "tiny-Q8_0.gguf"];
  hub.files = new Map([[four, Buffer.from("GGUF four")]]);
  const only = await fetchTiny();
  expect(only.endsWith(four)).toBe(true);
  expect(await readFile(only, "utf8")).toBe("GGUF four");
  hub.files.set(eight, Buffer.from("GGUF eight")).set("README.md", Buffer.alloc(1));
  expect((await failure(fetchTiny())).message).toMatch(/holds 2 GGUF files: tiny-Q4_0.gguf, tiny-Q8_0.gguf/);
  hub.requests.length = 0;
  for (const name of ["q8_0", eight])
    expect((await fetchTiny(`org/tiny:${name}`)).endsWith(eight)).toBe(true);
  expect(hub.requests.filter(({ url }) => /resolve.*(md|Q4_0)/.test(url))).toEqual([]);
  expect((await failure(fetchTiny("org/tiny:Q6_K"))).message).toMatch(/holds no one Q6_K of/);
  hub.requests.length = 0;
  expect((await fetchTiny(`org/tiny:Q8_0@${COMMIT}`)).endsWith(eight)).toBe(true);
  expect((await fetchTiny("org/tiny:Q4_0", { offline: true })).endsWith(four)).toBe(true);
  expect((await failure(fetchTiny("org/tiny:Q6_K", { offline: true }))).message).toMatch(/lacks Q6_K/);
  expect((await failure(fetchTiny("org/tiny:../x"))).message).toMatch(/no model of the Hub/);
  expect(hub.requests).toEqual([]);
  // With safetensors beside them, those are the weights unless a file is named.
  hub.files = smallFiles().set("model.safetensors", safetensors(weights)).set(four, hub.files.get(four)!);
  expect((await fetchTiny()).endsWith(COMMIT)).toBe(true);
});

test("what says how sentences are pooled comes along, licence and card too, but no card larger than text", async () => {
  const pooling = { mode: "cls", normalize: true } as const;
  const sentences = {
    ...Object.fromEntries([...sentenceFiles(pooling, 8)].map(([name, json]) => [name, JSON.stringify(json)])),
    "config_sentence_transformers.json": "{}",
    "sentence_bert_config.json": '{"max_seq_length": 8}',
    LICENSE: "do as you like",
  };
  for (const [name, text] of Object.entries(sentences)) hub.files.set(name, Buffer.from(text));
  // Of folders only what the modules consist of, and of no other folder anything.
  for (const name of ["1_Pooling/notes.txt", "onnx/model.onnx"]) hub.files.set(name, Buffer.from(name));
  hub.files.set("README.md", Buffer.alloc(2 ** 20 + 1));
  const snapshot = await fetchTiny();
  for (const [name, text] of Object.entries(sentences)) {
    expect(await readFile(join(snapshot, name), "utf8"), name).toBe(text);
  }
  expect(await readPooling(snapshot)).toEqual({ said: pooling });
  expect(await readdir(join(snapshot, "1_Pooling"))).toEqual(["config.json"]);
  const top = await readdir(snapshot);
  for (const name of ["README.md", "onnx", "2_Normalize"]) expect(top).not.toContain(name);
  expect(hub.requests.filter(({ url }) => /2_Normalize|onnx/.test(url))).toEqual([]);
});

test("the token goes along, and only one that is a token", async () => {
  await fetchTiny("org/tiny", { token: "hf_secret" });
  expect(hub.requests.every((r) => r.authorization === "Bearer hf_secret")).toBe(true);
  const error = await failure(fetchTiny("org/tiny", { token: "secret" }));
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).not.toContain("secret");
});

test("progress ends at the whole, and never says more", async () => {
  const seen: HubProgress[] = [];
  await fetchTiny("org/tiny", { onProgress: (p: HubProgress) => seen.push(p) });
  const last = seen.at(-1)!;
  expect(last).toMatchObject({ file: "model.safetensors", receivedBytes: last.totalBytes });
  const sizes = Array.from(hub.files.values(), ({ length }) => length);
  expect(last.totalBytes).toBe(sizes.reduce((a, b) => a + b));
  for (const p of seen) expect(p.receivedBytes).toBeLessThanOrEqual(p.totalBytes);
  expect(seen.filter((p) => p.receivedBytes === p.totalBytes)).toEqual([last]);
  expect(last.bytesPerSec).toBeGreaterThan(0);
  seen.length = 0;
  await fetchTiny("org/tiny", { onProgress: (p: HubProgress) => seen.push(p) });
  expect(seen).toEqual([]);
});

test("a revision is a branch, a tag, a pull request or a commit", async () => {
  await fetchTiny("org/tiny@v1");
  await fetchTiny("org/tiny", { revision: "refs/pr/1" });
  expect(await readFile(join(repo(), "refs", "v1"), "utf8")).toBe(COMMIT);
  expect(await readFile(join(repo(), "refs", "refs", "pr", "1"), "utf8")).toBe(COMMIT);
  expect((await failure(fetchTiny("org/tiny@none"))).message).toMatch(/org\/tiny@none.*404/);
});

test("shards of the index are fetched, one that the repository lacks is named", async () => {
  const shards = planShards(weights, 1024);
  hub.files = smallFiles().set("model.safetensors.index.json", Buffer.from(encodeIndex(shards, weights)));
  for (const [i, names] of shards.entries()) {
    const part = new Map(names.map((name) => [name, weights.get(name)!]));
    hub.files.set(shardName(i, shards.length), safetensors(part));
  }
  hub.files.set("pytorch_model.bin", Buffer.from("pickled"));
  const folder = await openModel("org/tiny", { cacheDir, hubUrl });
  expect(flatten<Tensor>(folder.model.weights as Tree<Tensor>)).toEqual(weights);
  expect(await readdir(folder.dir)).not.toContain("pytorch_model.bin");

  const gone = shardName(1, shards.length);
  await rm(join(folder.dir, gone));
  const error = await failure(fetchTiny("org/tiny", { offline: true }));
  expect(error).toBeInstanceOf(DataError);
  expect(error.message).toContain(`lacks ${gone} of org/tiny`);

  hub.files.delete(gone);
  expect((await failure(fetchTiny())).message).toMatch(new RegExp(`${gone}: is named by the index`));
});

test("a second process is told who fetches", async () => {
  const unlock = await lockRun(join(cacheDir, ".locks", "models--org--tiny"));
  expect(await failure(fetchTiny())).toBeInstanceOf(BusyError);
  await unlock();
  await fetchTiny();
});

test.each([
  "tiny",
  "org/tiny/more",
  "org/../tiny",
  "../tiny-that-is-not-there",
  "/org/tiny-that-is-not-there",
  "org/..",
  "./org",
  "org/.hidden",
  "-org/tiny",
  "org/tiny.",
  "org--x/tiny",
  "org/ti\u0000ny",
  "org/tiny\n",
  "org\\tiny",
  "org/tiny.git",
  "https://huggingface.co/org/tiny",
  "org/tiny@",
  "org/tiny@../main",
  "org/tiny@/etc",
  "org/tiny@a//b",
  "org/tiny@a/../../b",
  "org/tiny@a.lock",
  "org/tiny@ma\u0000in",
  `org/${"a".repeat(200)}`,
])("a name that the Hub would not take is refused: %j", async (ref) => {
  const error = await failure(fetchTiny(ref));
  expect(error instanceof ConfigError || error instanceof DataError, error.message).toBe(true);
  expect(hub.requests).toEqual([]);
  expect(await readdir(cacheDir)).toEqual([]);
});

test("names and revisions come apart", () => {
  expect(parseHubRef("org/tiny-model_2.5")).toEqual({ id: "org/tiny-model_2.5", revision: "main" });
  expect(parseHubRef("o/m@v1.0", "x")).toEqual({ id: "o/m", revision: "v1.0" });
  expect(parseHubRef("o/m@feature/a-b", "x").revision).toBe("feature/a-b");
});

test("an adapter's files are fetched by name, a model's are not taken for one", async () => {
  hub.files = new Map([
    ["adapter_config.json", Buffer.from('{"peft_type": "LORA"}')],
    ["adapter_model.safetensors", safetensors(weights)],
    ["config.json", Buffer.from("{}")],
    ["pytorch_model.bin", Buffer.from("no")],
  ]);
  const [dir] = await adapterDirs(["org/tiny"], { cacheDir, hubUrl });
  expect((await readdir(dir!)).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
  // Nobody is asked for what the cache has.
  const asked = hub.requests.length;
  expect(await adapterDirs([dir!, "org/tiny"], { cacheDir, offline: true })).toEqual([dir, dir]);
  expect(hub.requests.length).toBe(asked);
  hub.files.delete("adapter_model.safetensors");
  expect(await failure(adapterDirs([`org/tiny@${"1".repeat(40)}`], { cacheDir, hubUrl }))).toMatchObject({
    message: expect.stringContaining("has no adapter_model.safetensors"),
    details: { hint: expect.stringContaining("is it a model?") },
  });
  await expect(adapterDirs(["./nowhere"])).rejects.toThrow("is no folder");
});
