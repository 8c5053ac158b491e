/** A Redis of a test's own: on a free port of this machine, nothing kept, gone afterwards. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { optionalPath } from "../../src/node/files/optional.ts";

/** Why nothing by Redis can be tested here; "" where it can. */
export const missing = (): string => {
  try {
    for (const name of ["bullmq", "ioredis"]) optionalPath(name);
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return "";
  } catch (error) {
    return `redis-server, bullmq and ioredis: ${error instanceof Error ? error.message : error}`;
  }
};

/** A port that nobody listens at. */
export const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer();
    server.on("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Ends it as a failing machine does. */
  kill(): Promise<void>;
}

/** Starts a server, which asks for a password where one is given. */
export const startRedis = async (password?: string, at?: number): Promise<RedisServer> => {
  const port = at ?? (await freePort());
  const dir = mkdtempSync(join(tmpdir(), "anneal-redis-"));
  const secret = password === undefined ? [] : ["--requirepass", password];
  const words = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly"];
  const child = spawn("redis-server", [...words, "no", ...secret], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  void ended.then(() => rmSync(dir, { recursive: true, force: true }));
  while (!said.includes("Ready to accept connections")) {
    if (child.exitCode !== null) throw new Error(`redis-server has ended: ${said}`);
    await sleep(20);
  }
  return {
    port,
    url: `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${port}`,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
};
