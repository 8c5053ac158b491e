import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BusyError, RunError } from "../../util/errors.ts";
import { isAlive, isDying } from "./leftovers.ts";
import { lockRun } from "./lock.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-lock-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const put = (name: string, owner: unknown): Promise<void> =>
  writeFile(join(dir, name), JSON.stringify(owner));
const dead = (): number => spawnSync(process.execPath, ["-e", ""]).pid;

test("two locks: the second is refused, naming the owner, until the first is given back", async () => {
  const release = await lockRun(join(dir, "run"));
  const error = await lockRun(join(dir, "run")).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(BusyError);
  expect((error as BusyError).message).toContain(`process ${process.pid} on ${hostname()}`);
  expect((error as BusyError).details.hint).toContain(join(dir, "run", "lock"));
  await release();
  await (await lockRun(join(dir, "run")))();
  expect(await readdir(join(dir, "run"))).toEqual([]);
});

test("of many that ask at once, exactly one gets it, also where a stale lock lies", async () => {
  for (let round = 0; round < 30; round++) {
    if (round % 2 === 1) await put("lock", { pid: dead(), host: hostname() });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockRun(dir)));
    const won = results.filter((r) => r.status === "fulfilled");
    expect(won.length).toBe(1);
    for (const r of results) if (r.status === "rejected") expect(r.reason).toBeInstanceOf(BusyError);
    await won[0]!.value();
    expect(await readdir(dir)).toEqual([]);
  }
});

test.each([
  ["of a dead process", () => ({ pid: dead(), host: hostname() })],
  ["of a process whose id is used again", () => ({ pid: process.pid, host: hostname(), began: "1" })],
  ["that says nothing", () => ""],
  ["of no process", () => ({ pid: 0, host: hostname() })],
])("a lock %s is taken over", async (_, owner) => {
  await put("lock", owner());
  await (await lockRun(dir))();
  expect(await readdir(dir)).toEqual([]);
});

test.skipIf(process.platform !== "linux")("a lock of a process that nobody reaps is taken over", async () => {
  const parent = spawn("sh", ["-c", "sleep 0.3 & echo $!; exec sleep 60"]);
  try {
    const [told] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(told);
    while (isAlive(pid)) await new Promise((done) => setTimeout(done, 10));
    process.kill(pid, 0);
    await put("lock", { pid, host: hostname() });
    await (await lockRun(dir))();
    expect(await readdir(dir)).toEqual([]);
  } finally {
    parent.kill("SIGKILL");
  }
});

test("one that runs is not dying", () => {
  expect(isAlive(process.pid)).toBe(true);
  expect(isDying(process.pid)).toBe(false);
  expect(isDying(process.ppid)).toBe(false);
});

test("a takeover that died is taken over too", async () => {
  await put("lock", { pid: dead(), host: hostname() });
  await put("lock.takeover", { pid: dead(), host: hostname() });
  await (await lockRun(dir))();
  expect(await readdir(dir)).toEqual([]);
});

test("a stale lock that a live process is taking over is left alone", async () => {
  await put("lock", { pid: dead(), host: hostname() });
  await put("lock.takeover", { pid: process.ppid, host: hostname() });
  await expect(lockRun(dir)).rejects.toThrow(BusyError);
  expect((await readdir(dir)).sort()).toEqual(["lock", "lock.takeover"]);
});

test.each([
  ["another machine", () => ({ pid: dead(), host: `not-${hostname()}` })],
  ["a live process", () => ({ pid: process.ppid, host: hostname() })],
])("a lock of %s is respected", async (_, owner) => {
  await put("lock", owner());
  await expect(lockRun(dir)).rejects.toThrow(BusyError);
  expect(await readdir(dir)).toEqual(["lock"]);
});

test("giving back leaves a lock that is another's by now", async () => {
  const release = await lockRun(dir);
  await put("lock", { pid: process.pid, host: hostname(), id: "another" });
  await release();
  expect(JSON.parse(await readFile(join(dir, "lock"), "utf8")).id).toBe("another");
});

test("a folder that cannot be made is a RunError with a hint", async () => {
  await writeFile(join(dir, "file"), "");
  const error = await lockRun(join(dir, "file", "run")).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(RunError);
  expect((error as RunError).details.hint).toBeTypeOf("string");
});
