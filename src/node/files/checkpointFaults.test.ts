import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Fault, type Faulted, faultsBelow, noFaults } from "../../../fuzz/faults/shim.ts";
import { RunError } from "../../util/errors.ts";
import { deadPid, dir, FILE, load, names, save } from "./checkpoints.fixture.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));

const built = join(root, "dist/node/files/checkpoints.js");

/** A script around `code`, which has save, lockRun, writeFolder, say and `dir`. */
const script = (code: string): string => `
  import { checkpointStore, lockRun, writeFolder } from ${JSON.stringify(built)};
  import { writeSync } from "node:fs";
  const dir = ${JSON.stringify(dir)};
  const say = (x) => writeSync(1, x + "\\n");
  const save = (step, size = 1000) =>
    checkpointStore(dir).save(step, { "${FILE}": [new Uint8Array(size).fill(step % 251)] }, { step });
  ${code}`;

const nodeArgs = (code: string): string[] => ["--input-type=module", "-e", script(code)];

/** What runs node under faults of the files in `dir`, until the test ends. */
const faultsHere = () => {
  const run = faultsBelow(dir);
  onTestFinished(run.dispose);
  return (code: string, fault?: Fault): Promise<Faulted> => run(nodeArgs(code), fault);
};

const noRoot = (process.platform !== "linux" || process.getuid?.() !== 0) && "needs root on Linux";

describe("in a process of its own", () => {
  test("killed at random moments of a loop of saves, it leaves a sound checkpoint and loses none", async () => {
    await save(1);
    let last = 1;
    for (let round = 0; round < 25; round++) {
      const code = `for (let step = ${last}; ; step++) { await save(step, 50000); say(step); }`;
      const child = spawn(process.execPath, nodeArgs(code), { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout.on("data", (data) => {
        said += data;
      });
      await new Promise((done) => child.stdout.once("data", done));
      await new Promise((done) => setTimeout(done, ((round * 37) % 50) + (round % 7) / 7));
      child.kill("SIGKILL");
      await new Promise((done) => child.once("close", done));
      const { step } = await load();
      expect(step).toBeGreaterThanOrEqual(Number(said.trimEnd().split("\n").at(-1)));
      last = step;
    }
    await save(last + 1);
    await save(last + 2);
    expect(await names()).toEqual(["latest", `step-${last + 1}`, `step-${last + 2}`].sort());
  });

  test.skipIf(noFaults !== undefined)(
    "killed at any call of saving a step anew, it keeps that step",
    async () => {
      const withFault = faultsHere();
      for (let at = 1; ; at++) {
        await rm(dir, { recursive: true, force: true });
        await save(1);
        await save(2);
        const { done } = await withFault("await save(2);", { at, act: "kill" });
        if (done === undefined) return expect(at).toBeGreaterThan(20);
        expect((await load()).step, `${done.op} ${at}`).toBe(2);
        await save(3);
        expect(await names(), `${done.op} ${at}`).toEqual(["latest", "step-2", "step-3"]);
      }
    },
  );

  test.skipIf(noFaults !== undefined)(
    "an error at any call of a save is a RunError, and the old one loads",
    async () => {
      const withFault = faultsHere();
      const code = "try { await save(2); say('well'); } catch (e) { say(e.name + ' ' + e.details?.hint); }";
      for (let at = 1; ; at++) {
        await rm(dir, { recursive: true, force: true });
        await save(1);
        await save(2);
        const { stdout, done } = await withFault(code, { at, act: "error", seed: at });
        if (done === undefined) return expect(at).toBeGreaterThan(20);
        expect(stdout, `${done.what} ${done.op} ${at}`).toMatch(/^(RunError (?!undefined)|well)/);
        expect((await load()).step, `${done.what} ${done.op} ${at}`).toBe(2);
      }
    },
  );

  test.skipIf(noFaults !== undefined)(
    "writeFolder whose second rename fails brings the earlier folder back",
    async () => {
      const withFault = faultsHere();
      const code = (made: string) => `
      const bytes = [new TextEncoder().encode(JSON.stringify({ made: "${made}" }))];
      await writeFolder(dir + "/out", new Map([["anneal.json", bytes]])).catch((e) => say(e.name));`;
      for (let i = 0; i < 2; i++) expect((await withFault(code("one"))).code).toBe(0);
      const { calls } = await withFault(code("one"));
      const at = calls.findLastIndex(({ op }) => op === "rename") + 1;
      const { stdout, done } = await withFault(code("two"), { at, act: "error" });
      expect(done).toMatchObject({ what: "EIO", op: "rename", path: join(dir, "out") });
      expect(stdout).toBe("RunError\n");
      expect(JSON.parse(readFileSync(join(dir, "out/anneal.json"), "utf8"))).toMatchObject({ made: "one" });
      expect(await names()).toEqual(["out"]);
    },
  );

  test("of many processes, one takes over a stale lock", async () => {
    for (let round = 0; round < 6; round++) {
      await mkdir(join(dir, "run"), { recursive: true });
      await writeFile(
        join(dir, "run/lock"),
        JSON.stringify({ pid: deadPid(), host: (await import("node:os")).hostname() }),
      );
      const start = Date.now() + 400;
      const code = `
        await new Promise((done) => setTimeout(done, ${start} - 5 - Date.now()));
        while (Date.now() < ${start});
        const got = await lockRun(dir + "/run").then(() => "got", (e) => e.name);
        say(got);
        await new Promise((done) => process.stdin.once("data", done));`;
      const children = Array.from({ length: 4 }, () =>
        spawn(process.execPath, nodeArgs(code), { stdio: ["pipe", "pipe", "inherit"] }),
      );
      const said = await Promise.all(
        children.map(
          (child) =>
            new Promise<string>((done) => child.stdout.once("data", (data) => done(String(data).trim()))),
        ),
      );
      for (const child of children) child.stdin.end("go");
      await Promise.all(children.map((child) => new Promise((done) => child.once("close", done))));
      expect(said.sort()).toEqual(["BusyError", "BusyError", "BusyError", "got"]);
    }
  });

  test("temporary folders of another user's live process stay", async (context) => {
    if (noRoot) return context.skip(noRoot);
    const nobody = 65534;
    await chown(dir, nobody, nobody);
    await mkdir(join(dir, "step-1.tmp-1"));
    await chown(join(dir, "step-1.tmp-1"), nobody, nobody);
    const code = "try { process.kill(1, 0); } catch (e) { say(e.code); } await save(5); say('done');";
    const { stdout } = spawnSync(process.execPath, nodeArgs(code), {
      uid: nobody,
      gid: nobody,
      cwd: "/",
      encoding: "utf8",
    });
    expect(stdout).toBe("EPERM\ndone\n");
    expect(await names()).toEqual(["latest", "step-1.tmp-1", "step-5"]);
  });
});

describe("a target that cannot be written", () => {
  const mounted = async (act: () => Promise<void>): Promise<void> => {
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", dir]).status).toBe(0);
    try {
      await act();
    } finally {
      spawnSync("umount", [dir]);
    }
  };
  const noMount = noRoot || (spawnSync("unshare", ["-m", "true"]).status !== 0 && "needs the right to mount");
  const failure = async (size?: number): Promise<RunError> => {
    const error = await save(3, size).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RunError);
    return error as RunError;
  };

  test("a full disk", async (context) => {
    if (noMount) return context.skip(noMount);
    await mounted(async () => {
      await save(1, 300_000);
      await save(2, 300_000);
      const before = await names();
      const error = await failure(600_000);
      expect(error.message).toContain("ENOSPC");
      expect(error.details.hint).toMatch(/disk is full/);
      expect(await names()).toEqual(before);
      expect(await load({ strict: true })).toEqual({ step: 2, warnings: [] });
      // Every size around what is left: the manifest and the pointer may be what does not fit.
      for (let size = 380_000; size < 450_000; size += 4096) {
        await save(3, size).catch((e: unknown) => expect(e).toBeInstanceOf(RunError));
        expect([2, 3]).toContain((await load()).step);
        await rm(join(dir, "step-3"), { recursive: true, force: true });
        writeFileSync(join(dir, "latest"), "step-2\n");
        if (!existsSync(join(dir, "step-1")))
          await save(1, 300_000).then(() => writeFileSync(join(dir, "latest"), "step-2\n"));
      }
    });
  });

  test("a read-only disk", async (context) => {
    if (noMount) return context.skip(noMount);
    await mounted(async () => {
      await save(2);
      expect(spawnSync("mount", ["-o", "remount,ro", dir]).status).toBe(0);
      expect((await failure()).details.hint).toMatch(/read-only/);
      expect(await load({ strict: true })).toEqual({ step: 2, warnings: [] });
    });
  });

  test("a folder without permission", async (context) => {
    if (process.getuid?.() === 0) return context.skip("root may write everywhere");
    await save(2);
    chmodSync(dir, 0o500);
    expect((await failure()).details.hint).toMatch(/permission/);
    expect((await load()).step).toBe(2);
    chmodSync(dir, 0o700);
  });

  test("a file in the folder's place", async () => {
    await rm(dir, { recursive: true });
    await writeFile(dir, "");
    expect((await failure()).details.hint).toBeTypeOf("string");
  });
});
