import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DataError, FormatError, RunError } from "../../util/errors.ts";
import {
  COMMIT,
  cacheDir,
  config,
  failure,
  fetchTiny,
  hub,
  repo,
  sha256,
  smallFiles,
} from "./hub.fixture.ts";
import type { HubProgress } from "./progress.ts";

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
