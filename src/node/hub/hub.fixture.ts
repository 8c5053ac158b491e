/** A Hub on this machine with one small model, new for each test of a file that imports this. */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { charTokenizer } from "../../tokenizer/index.ts";
import type { AnnealError } from "../../util/errors.ts";
import { entries } from "../../util/tree.ts";
import { modelDir } from "./hub.ts";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const tokenizer = charTokenizer(["abc"]);

export const config = gpt2Config({
  vocab_size: tokenizer.vocabSize,
  n_positions: 8,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
});

export const weights = new Map(entries<Tensor>(initialize(gpt2.params(config), 3)));

export const safetensors = (tensors: ReadonlyMap<string, Tensor>) =>
  Buffer.concat(encodeSafetensors(tensors));

export const smallFiles = (): Map<string, Buffer> => {
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

export let hub: Hub;

let server: Server;

export let hubUrl = "";

export let cacheDir = "";

const isLarge = (name: string): boolean => name.endsWith(".safetensors") || name.endsWith(".bin");

export const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

export const gitSha = (bytes: Buffer) =>
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

export const fetchTiny = (ref = "org/tiny", more = {}) => modelDir(ref, { cacheDir, hubUrl, ...more });

export const failure = async (work: Promise<unknown>): Promise<AnnealError> =>
  work.then(
    () => {
      throw new Error("nothing was refused");
    },
    (error) => error as AnnealError,
  );

export const repo = () => join(cacheDir, "models--org--tiny");
