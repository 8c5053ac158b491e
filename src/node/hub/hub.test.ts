/** Against a small server that answers as the Hub does: real requests through the Hub's own library. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { encodeIndex, planShards, shardName } from "../../formats/safetensors/safetensorsIndex.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { sentenceFiles } from "../../models/checkpoint/sentenceModules.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { charTokenizer } from "../../tokenizer/index.ts";
import {
  type AnnealError,
  BusyError,
  ConfigError,
  DataError,
  FormatError,
  RunError,
} from "../../util/errors.ts";
import { entries, flatten, type Tree } from "../../util/tree.ts";
import { lockRun } from "../files/lock.ts";
import { readPooling } from "../model/pooling.ts";
import { parseHubRef } from "./cache.ts";
import { type HubProgress, modelDir, openModel } from "./hub.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const tokenizer = charTokenizer(["abc"]);
const config = gpt2Config({
  vocab_size: tokenizer.vocabSize,
  n_positions: 8,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
});
const weights = new Map(entries<Tensor>(initialize(gpt2.params(config), 3)));
const safetensors = (tensors: ReadonlyMap<string, Tensor>) => Buffer.concat(encodeSafetensors(tensors));

const smallFiles = (): Map<string, Buffer> => {
  const files = tokenizer.files();
  const json = (x: unknown) => Buffer.from(JSON.stringify(x));
  return new Map([
    ["config.json", json(config)],
    ["generation_config.json", json({ eos_token_id: [1, 0], do_sample: true, temperature: 0.7 })],
    ["tokenizer.json", json(files.tokenizer)],
    ["tokenizer_config.json", json(files.config)],
    ["README.md", Buffer.from("# a model")],
  ]);
};

/** What the server has and how it misbehaves. */
interface Hub {
  files: Map<string, Buffer>;
  sha: string;
  /** Status for every request. */
  status: number;
  /** Bytes of a file's body after which the connection breaks, once each. */
  breaks: number[];
  /** Changes the bytes of this file on their way. */
  damage?: string;
  /** What is said of every file instead. */
  listed?: Record<string, unknown>;
  /** Answers a request for the rest of a file with the whole. */
  ignoresRanges?: boolean;
  requests: { url: string; range?: string; authorization?: string }[];
}

let hub: Hub;
let server: Server;
let hubUrl = "";
let cacheDir = "";

const isLarge = (name: string): boolean => name.endsWith(".safetensors") || name.endsWith(".bin");
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const gitSha = (bytes: Buffer) =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");

/** What is in a folder, "" at the top: its files, and its folders. */
const tree = (folder: string) => {
  const prefix = folder === "" ? "" : `${folder}/`;
  const inside = [...hub.files].filter(([path]) => path.startsWith(prefix));
  const folders = inside.flatMap(([path]) => /^[^/]+(?=\/)/.exec(path.slice(prefix.length)) ?? []);
  const files = inside.filter(([path]) => !path.slice(prefix.length).includes("/"));
  return [
    ...Array.from(new Set(folders), (path) => ({ type: "directory", path, size: 0, oid: COMMIT })),
    ...listed(files),
  ];
};

const listed = (files: readonly (readonly [string, Buffer])[]) =>
  files.map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.length,
    oid: gitSha(bytes),
    ...(isLarge(path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {}),
    ...hub.listed,
  }));

const sendFile = (name: string, request: IncomingMessage, response: ServerResponse): void => {
  const bytes = hub.files.get(name);
  if (bytes === undefined) {
    response.writeHead(404, { "X-Error-Code": "EntryNotFound" }).end();
    return;
  }
  const sent = Buffer.from(bytes);
  if (hub.damage === name) sent[sent.length - 1] = sent.at(-1)! ^ 1;
  const asked = request.headers.range ?? "";
  const heard = hub.ignoresRanges && asked !== "bytes=0-0" ? "" : asked;
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(heard) ?? [];
  const start = Number(from ?? 0);
  const end = to === undefined ? sent.length : Math.min(Number(to) + 1, sent.length);
  const headers: Record<string, string | number> = {
    ETag: `"${sha256(bytes)}"`,
    "Content-Length": end - start,
  };
  if (from !== undefined) headers["Content-Range"] = `bytes ${start}-${end - 1}/${sent.length}`;
  response.writeHead(from === undefined ? 200 : 206, headers);
  const probe = from === "0" && to === "0";
  const limit = probe || !isLarge(name) ? undefined : hub.breaks.shift();
  if (limit === undefined) response.end(sent.subarray(start, end));
  else response.write(sent.subarray(start, start + limit), () => setTimeout(() => response.destroy(), 50));
};

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const url = request.url!;
  const { range, authorization } = request.headers;
  hub.requests.push({ url, ...(range && { range }), ...(authorization && { authorization }) });
  const json = (body: unknown) =>
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  if (hub.status !== 200) response.writeHead(hub.status).end();
  else if (/^\/api\/models\/org\/tiny\/revision\/(main|v1|refs%2Fpr%2F1|[0-9a-f]{40})\?/.test(url)) {
    json({ _id: "1", id: "org/tiny", sha: hub.sha });
  } else if (url.startsWith(`/api/models/org/tiny/tree/${hub.sha}`)) {
    const folder = /^\/?([^?]*)/.exec(url.split(hub.sha)[1]!)![1]!;
    const found = tree(folder);
    if (found.length > 0) json(found);
    else response.writeHead(404).end();
  } else if (url.startsWith(`/org/tiny/resolve/${hub.sha}/`)) {
    sendFile(url.split(`${hub.sha}/`)[1]!, request, response);
  } else response.writeHead(404).end();
};

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "anneal-hub-"));
  const files = smallFiles().set("model.safetensors", safetensors(weights));
  hub = { files, sha: COMMIT, status: 200, breaks: [], requests: [] };
  server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  await rm(cacheDir, { recursive: true, force: true });
});

const fetchTiny = (ref = "org/tiny", more = {}) => modelDir(ref, { cacheDir, hubUrl, ...more });
const failure = async (work: Promise<unknown>): Promise<AnnealError> =>
  work.then(
    () => {
      throw new Error("nothing was refused");
    },
    (error) => error as AnnealError,
  );
const repo = () => join(cacheDir, "models--org--tiny");

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

describe("connections that break", () => {
  const bytes = () => hub.files.get("model.safetensors")!;
  const bodies = () =>
    hub.requests.filter((r) => r.url.endsWith("model.safetensors") && r.range !== "bytes=0-0");

  test("the download goes on where it was, within one call", async () => {
    hub.breaks = [1000, 500];
    const dir = await fetchTiny();
    expect((await readFile(join(dir, "model.safetensors"))).equals(bytes())).toBe(true);
    expect(bodies().map((r) => r.range)).toEqual([
      undefined,
      `bytes=1000-${bytes().length - 1}`,
      `bytes=1500-${bytes().length - 1}`,
    ]);
  });

  test("the download goes on in the next call; until then offline says what is missing", async () => {
    hub.breaks = [1000, 500, 700];
    const error = await failure(fetchTiny());
    expect(error).toBeInstanceOf(RunError);
    expect(error.message).toMatch(/model\.safetensors cannot be fetched from http/);
    expect(error.details.hint).toMatch(/--offline/);
    const blob = join(repo(), "blobs", sha256(bytes()));
    expect((await stat(`${blob}.incomplete`)).size).toBe(2200);
    expect((await failure(fetchTiny(`org/tiny@${COMMIT}`, { offline: true }))).message).toContain(
      "lacks model.safetensors",
    );
    hub.requests = [];
    await fetchTiny();
    expect(bodies().map((r) => r.range)).toEqual([`bytes=2200-${bytes().length - 1}`]);
    expect((await readFile(blob)).equals(bytes())).toBe(true);
  });

  test("what an earlier download left damaged is fetched anew", async () => {
    await mkdir(join(repo(), "blobs"), { recursive: true });
    await writeFile(join(repo(), "blobs", `${sha256(bytes())}.incomplete`), Buffer.alloc(100));
    const dir = await fetchTiny();
    expect((await readFile(join(dir, "model.safetensors"))).equals(bytes())).toBe(true);
  });

  test("bytes that were changed on the way are refused and not kept", async () => {
    for (const name of ["model.safetensors", "tokenizer.json"]) {
      hub.damage = name;
      const error = await failure(fetchTiny());
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toMatch(new RegExp(`org/tiny/${name}: does not have the hash`));
      expect((await readdir(join(repo(), "blobs"))).filter((n) => n.endsWith(".incomplete"))).toEqual([]);
      await rm(repo(), { recursive: true });
    }
  });
});

test.each([
  [401, /token/],
  [403, /terms/],
  [404, /check the name/],
  [429, /slow down/],
  [500, /later/],
])("status %i says what to do", async (status, hint) => {
  hub.status = status;
  const error = await failure(fetchTiny());
  expect(error).toBeInstanceOf(DataError);
  expect(error.message).toContain(`org/tiny@main: the Hub answers ${status}`);
  expect(error.details.hint).toMatch(hint);
});

test("no network is said, with the address and the way out", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await new Promise((done) => closed.once("listening", done));
  const { port } = closed.address() as AddressInfo;
  await new Promise((done) => closed.close(done));
  const error = await failure(fetchTiny("org/tiny", { hubUrl: `http://127.0.0.1:${port}` }));
  expect(error).toBeInstanceOf(RunError);
  expect(error.message).toMatch(/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/);
  expect(error.details.hint).toMatch(/--offline/);
});

test("offline asks nobody and says what the cache does not have", async () => {
  const error = await failure(fetchTiny("org/tiny", { offline: true }));
  expect(error).toBeInstanceOf(DataError);
  expect(error.message).toMatch(/no revision main of org\/tiny/);
  expect(hub.requests).toEqual([]);
});

test("pickles are refused before anything large is fetched", async () => {
  hub.files = smallFiles().set("pytorch_model.bin", Buffer.from("pickled"));
  const error = await failure(fetchTiny());
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toContain("pytorch_model.bin");
  expect(error.details.hint).toMatch(/save_pretrained.*safetensors\/convert/);
  expect(hub.requests.some(({ url }) => url.includes("pytorch_model.bin"))).toBe(false);
});

test("an architecture that is not known is refused before its weights are fetched", async () => {
  hub.files.set("config.json", Buffer.from(JSON.stringify({ ...config, model_type: "gpt3" })));
  const error = await failure(fetchTiny());
  expect(error).toMatchObject({ details: { file: "org/tiny/config.json", field: "model_type" } });
  expect(hub.requests.some(({ url }) => url.includes("model.safetensors"))).toBe(false);
});

test("what the Hub itself says is not believed", async () => {
  hub.sha = "../../../../../escape";
  expect((await failure(fetchTiny())).message).toMatch(/field "sha": is no commit/);
  hub.sha = COMMIT;
  hub.listed = { size: 10 };
  expect((await failure(fetchTiny())).message).toMatch(
    /org\/tiny\/config\.json: the Hub lists 10 bytes and offers/,
  );
  for (const listed of [{ size: -1 }, { size: 2 ** 60 }, { oid: "../../escape" }, { oid: undefined }]) {
    hub.listed = listed;
    expect((await failure(fetchTiny())).message).toMatch(/is listed without a size and a hash/);
  }
  hub.listed = { path: "../../config.json" };
  expect((await failure(fetchTiny())).message).toMatch(/has no config\.json/);
  expect((await readdir(cacheDir)).sort()).toEqual([".locks", "models--org--tiny"]);
});

test("a server that ignores ranges is no reason to keep what does not fit", async () => {
  const bytes = hub.files.get("model.safetensors")!;
  await mkdir(join(repo(), "blobs"), { recursive: true });
  const blob = join(repo(), "blobs", sha256(bytes));
  await writeFile(`${blob}.incomplete`, bytes.subarray(0, 100));
  hub.ignoresRanges = true;
  expect((await failure(fetchTiny())).message).toMatch(
    /model\.safetensors: the Hub sends more than it lists/,
  );
  await fetchTiny();
  expect((await readFile(blob)).equals(bytes)).toBe(true);
});

test("a signal stops the download, and what came so far is gone on with", async () => {
  const abort = new AbortController();
  hub.breaks = [1000, 1000, 1000];
  const onProgress = ({ file }: HubProgress) => file === "model.safetensors" && abort.abort();
  const error = await failure(fetchTiny("org/tiny", { signal: abort.signal, onProgress }));
  expect(error).toBeInstanceOf(RunError);
  const blob = join(repo(), "blobs", sha256(hub.files.get("model.safetensors")!));
  expect((await stat(`${blob}.incomplete`)).size).toBe(1000);
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
