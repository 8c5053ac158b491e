/**
 * A server of files for a browser on this machine: on the loopback address only, for its own Host only
 * (against DNS rebinding), below its folders only, and isolated across origins so that pages get threads.
 */
import { createReadStream, existsSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream";

/** What is served. */
export interface StaticOptions {
  /** Folders by the first part of the path: "model" is served at /model/. */
  readonly folders: Readonly<Record<string, string>>;
  /** Single files by whole path ("/index.html"): their contents, or where on disk they are. */
  readonly files?: Readonly<Record<string, string | Uint8Array | { readonly path: string }>>;
}

/** A server that runs. */
export interface StaticServer {
  /** "http://127.0.0.1:PORT", without a slash at the end. */
  readonly origin: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const headers = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** The parts of a path that names a file below a folder; undefined for any other. */
const partsOf = (path: string): string[] | undefined => {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return undefined;
  }
  const parts = decoded.split("/").slice(1);
  const plain = (part: string): boolean =>
    part !== "" &&
    !part.startsWith(".") &&
    !part.includes("\\") &&
    !part.includes("\0") &&
    !/^[a-z]:/i.test(part);
  return decoded.startsWith("/") && parts.every(plain) ? parts : undefined;
};

/** The file that a path names: a single one, or one below a folder, also where links lead. */
const fileOf = async (path: string, { folders, files = {} }: StaticOptions): Promise<string | undefined> => {
  const single = Object.hasOwn(files, path) ? files[path] : undefined;
  if (typeof single === "object" && "path" in single)
    return existsSync(single.path) ? single.path : undefined;
  const [mount = "", ...rest] = partsOf(path) ?? [];
  if (!Object.hasOwn(folders, mount) || rest.length === 0) return undefined;
  try {
    const root = await realpath(folders[mount]!);
    const file = await realpath(join(root, ...rest));
    return file.startsWith(root + sep) && (await stat(file)).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
};

/** The contents of a single file that is not on disk. */
const contentsOf = (path: string, { files = {} }: StaticOptions): Uint8Array | undefined => {
  const single = Object.hasOwn(files, path) ? files[path]! : undefined;
  if (typeof single === "string") return Buffer.from(single);
  return single instanceof Uint8Array ? single : undefined;
};

const answer = async (
  options: StaticOptions,
  host: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const refuse = (status: number): void => {
    response.writeHead(status, headers).end();
  };
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
  if (request.headers.host !== host) return refuse(403);
  const [path = ""] = (request.url ?? "").split(/[?#]/);
  const type = { "content-type": types[extname(path)] ?? "application/octet-stream" };
  const say = (size: number) => response.writeHead(200, { ...headers, ...type, "content-length": size });
  const bytes = contentsOf(path, options);
  if (bytes !== undefined) {
    say(bytes.length).end(request.method === "HEAD" ? undefined : bytes);
    return;
  }
  const file = await fileOf(path, options);
  if (file === undefined) return refuse(404);
  say((await stat(file)).size);
  if (request.method === "HEAD") response.end();
  else pipeline(createReadStream(file), response, () => {});
};

/** Serves on a free port until it is closed. */
export const serveStatic = async (options: StaticOptions): Promise<StaticServer> => {
  let host = "";
  const server = createServer((request, response) => {
    answer(options, host, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(0, "127.0.0.1", done);
  });
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    origin: `http://${host}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
};
