/** The server that pages are served by answers this machine's own pages, and only with what it is to serve. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type StaticServer, serveStatic } from "../../src/node/browser/static.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-static-"));
let server: StaticServer;

beforeAll(async () => {
  mkdirSync(join(dir, "public/sub"), { recursive: true });
  writeFileSync(join(dir, "public/a.js"), "1;");
  writeFileSync(join(dir, "public/sub/b c.json"), "{}");
  writeFileSync(join(dir, "public/.hidden"), "no");
  writeFileSync(join(dir, "secret"), "no");
  symlinkSync(join(dir, "secret"), join(dir, "public/link"));
  const files = {
    "/index.html": "<p>",
    "/one": { path: join(dir, "secret") },
    "/none": { path: join(dir, "x") },
  };
  server = await serveStatic({ folders: { public: join(dir, "public") }, files });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A path exactly as it is given: fetch would straighten it. */
const get = (path: string, options: { method?: string; host?: string } = {}): Promise<Answer> =>
  new Promise((done, fail) => {
    const { hostname, port, host } = new URL(server.origin);
    const { method = "GET" } = options;
    const headers = { host: options.host ?? host };
    request({ hostname, port, path, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () => done({ status: response.statusCode!, body, headers: response.headers }));
    })
      .on("error", fail)
      .end();
  });

test("serves files with their types, isolated across origins", async () => {
  const { status, body, headers } = await get("/public/a.js?x=1");
  expect({ status, body }).toEqual({ status: 200, body: "1;" });
  expect(headers).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  });
  expect(await get("/public/sub/b%20c.json")).toMatchObject({ status: 200, body: "{}" });
  expect(await get("/index.html")).toMatchObject({ status: 200, body: "<p>" });
  expect(await get("/one")).toMatchObject({ status: 200, body: "no" });
  expect(await get("/public/a.js", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
});

test.each([
  "/public/../secret",
  "/public/%2e%2e/secret",
  "/public/%2e%2e%2fsecret",
  "/public/..%5csecret",
  "/public/sub/../../secret",
  "/../secret",
  "//secret",
  "/public//a.js",
  "/public/.hidden",
  "/public/link",
  "/public/sub",
  "/public/",
  "/public",
  "/public/%00a.js",
  "/public/%zz",
  "/public/missing.js",
  "/constructor/a",
  "/none",
  "/",
])("%s is not found", async (path) => {
  expect(await get(path)).toMatchObject({ status: 404, body: "" });
});

test("other methods and other hosts are refused", async () => {
  expect(await get("/public/a.js", { method: "POST" })).toMatchObject({ status: 405 });
  expect(await get("/public/a.js", { host: "evil.example" })).toMatchObject({ status: 403 });
});
