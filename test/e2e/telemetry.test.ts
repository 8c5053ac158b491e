/** Nothing is written or asked for outside of what the user names: the runtime's telemetry stays off. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { anneal, filesBelow, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-telemetry-"));
const home = join(dir, "home");
const work = join(dir, "work");
const seen = join(dir, "seen");

/** Notes, as a process ends, the sockets of the internet that it has open (on Linux), and that it was there. */
const watch = `
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
const read = (of, otherwise) => { try { return of(); } catch { return otherwise; } };
process.on("exit", () => {
  const rows = ["tcp", "tcp6", "udp", "udp6"].flatMap((name) =>
    read(() => readFileSync("/proc/self/net/" + name, "utf8").trim().split("\\n").slice(1), []));
  const own = read(() => readdirSync("/proc/self/fd"), [])
    .map((fd) => /^socket:\\[(\\d+)\\]$/.exec(read(() => readlinkSync("/proc/self/fd/" + fd), ""))?.[1]);
  const open = rows.filter((row) => own.includes(row.trim().split(/\\s+/)[9]));
  writeFileSync(${JSON.stringify(seen)} + "/" + process.pid, open.join("\\n"));
});`;

/** The environment of a user who has never run anything. */
const env = {
  HOME: home,
  USERPROFILE: home,
  XDG_CACHE_HOME: undefined as string | undefined,
  ORT_DISABLE_TELEMETRY: undefined as string | undefined,
  NODE_OPTIONS: `--import ${pathToFileURL(join(dir, "watch.mjs")).href}`,
};

beforeAll(async () => {
  for (const folder of [home, work, seen]) mkdirSync(folder);
  writeFileSync(join(dir, "watch.mjs"), watch);
  writeCorpus(join(dir, "data"), 120);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What doctor and quantize find out of this machine once, and keep. */
const own = /^\.cache\/anneal\/kernels-\w+\.json$/;

/** Nothing of another's below the home and in the working folder, no socket in any process. */
const expectSilence = (): void => {
  expect(filesBelow(home).filter((file) => !own.test(file))).toEqual([]);
  expect(readdirSync(work)).toEqual([]);
  const notes = readdirSync(seen);
  expect(notes.length).toBeGreaterThan(0);
  for (const note of notes) expect(readFileSync(join(seen, note), "utf8")).toBe("");
};

it("train, generate and verify leave no file and no socket behind", async () => {
  const shape = "--layers 1 --heads 2 --width 16 --context 16 --vocab 270".split(" ");
  const steps = "--steps 2 --batch 2 --replicas 2".split(" ");
  const model = join(dir, "out/model");
  for (const args of [
    ["train", "--data", join(dir, "data"), "--out", join(dir, "out"), ...shape, ...steps],
    ["export", model, "--out", join(dir, "exported"), "--dtype", "fp32"],
    ["generate", model, "--prompt", "The", "-n", "2"],
    ["verify", join(dir, "exported"), "--target", "node-cpu", "--count", "1"],
  ]) {
    const { code, stderr } = await anneal(args, { cwd: work, env });
    expect(code, stderr).toBe(0);
  }
  const cached = { ...env, XDG_CACHE_HOME: join(home, "cache") };
  expect((await anneal(["doctor"], { cwd: work, env: cached })).code).toBe(0);
  expectSilence();
}, 120_000);

/** A program that uses the library in its main thread, or in a worker alone. */
const program = (where: "main" | "worker"): string => {
  const engine = pathToFileURL(resolve("dist/node/runtime/machine.js")).href;
  const use = `import { checkMachine } from ${JSON.stringify(engine)};
    const checks = await checkMachine(".");
    if (checks.find(({ name }) => name === "engine").status !== "ok") throw new Error("no engine");`;
  if (where === "main") return use;
  return `import { Worker } from "node:worker_threads";
    const code = ${JSON.stringify(use)};
    new Worker(new URL("data:text/javascript," + encodeURIComponent(code)), { env: { ORT_DISABLE_TELEMETRY: "1" } })
      .on("error", (error) => { throw error; });`;
};

it.each(["main", "worker"] as const)("so does the library, used in a %s thread alone", async (where) => {
  const file = join(dir, `${where}.mjs`);
  writeFileSync(file, program(where));
  await promisify(execFile)(process.execPath, [file], { cwd: work, env: { ...process.env, ...env } });
  expectSilence();
});
