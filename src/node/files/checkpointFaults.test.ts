import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
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

/** The nth call of the kind, in a process whose file operations use one thread, fails or kills. */
const withFault = (fault: string, code: string) => {
  const args = [
    "-f",
    "-qq",
    "-o",
    "/dev/null",
    "-e",
    `trace=${fault.split(":")[0]}`,
    "-e",
    `inject=${fault}`,
  ];
  const env = { ...process.env, UV_THREADPOOL_SIZE: "1" };
  return spawnSync("strace", [...args, process.execPath, ...nodeArgs(code)], { env, encoding: "utf8" });
};

const noStrace = spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "true"]).status !== 0 && "needs strace";

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

  test("killed at each file operation of saving a step anew, it keeps that step", async (context) => {
    if (noStrace) return context.skip(noStrace);
    let points = 0;
    for (const call of ["/^rename", "/^(unlink|rmdir)", "/^(fsync|fdatasync)", "/^mkdir"]) {
      for (let n = 1; n < 40; n++) {
        await rm(dir, { recursive: true, force: true });
        await save(1);
        await save(2);
        const { stdout } = withFault(`${call}:signal=SIGKILL:when=${n}`, "await save(2); say('done');");
        if (stdout.includes("done")) break;
        points++;
        expect((await load()).step, `${call} ${n}`).toBe(2);
        await save(3);
        expect(await names(), `${call} ${n}`).toEqual(["latest", "step-2", "step-3"]);
      }
    }
    expect(points).toBeGreaterThan(10);
  });

  test("an error at each file operation of a save is a RunError, and the old one loads", async (context) => {
    if (noStrace) return context.skip(noStrace);
    const code = "try { await save(2); say('done'); } catch (e) { say(e.name + ' ' + e.details?.hint); }";
    for (const [call, limit] of [
      ["/^rename", 20],
      ["/^(fsync|fdatasync)", 20],
      ["/^mkdir", 20],
    ] as const) {
      for (let n = 1; n < limit; n++) {
        await rm(dir, { recursive: true, force: true });
        await save(1);
        await save(2);
        const { stdout } = withFault(`${call}:error=EIO:when=${n}`, code);
        if (stdout.includes("done")) break;
        expect(stdout, `${call} ${n}`).toMatch(/^RunError the disk or its connection fails/);
        expect((await load()).step, `${call} ${n}`).toBe(2);
        expect((await names()).filter((name) => !name.includes(".old-"))).toEqual([
          "latest",
          "step-1",
          "step-2",
        ]);
      }
    }
  });

  test("writeFolder whose second rename fails brings the earlier folder back", (context) => {
    if (noStrace) return context.skip(noStrace);
    const code = (made: string) => `
      const bytes = [new TextEncoder().encode(JSON.stringify({ made: "${made}" }))];
      await writeFolder(dir + "/out", new Map([["anneal.json", bytes]])).catch((e) => say(e.name));`;
    expect(spawnSync(process.execPath, nodeArgs(code("one"))).status).toBe(0);
    const { stdout } = withFault("/^rename:error=EIO:when=2", code("two"));
    expect(stdout).toBe("RunError\n");
    expect(JSON.parse(readFileSync(join(dir, "out/anneal.json"), "utf8"))).toMatchObject({ made: "one" });
    return expect(names()).resolves.toEqual(["out"]);
  });

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
