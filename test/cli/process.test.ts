/** The command line as a process: pipes that close, and signals. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { dir } from "./folder.ts";

describe("as a process", () => {
  const jiti = createRequire(import.meta.url).resolve("jiti");
  const source = (path: string): string =>
    JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
  const start = (script: string) =>
    spawn(
      process.execPath,
      ["-e", `const load = (f) => require(${JSON.stringify(jiti)}).createJiti(f).import(f);${script}`],
      {
        cwd: dir,
      },
    );
  const ended = (child: ReturnType<typeof start>): Promise<number | null> =>
    new Promise((resolve) => child.once("close", (code) => resolve(code)));

  test("a reader that leaves early is no error", async () => {
    const child = start(`load(${source("cli/index.ts")}).then(async ({ main }) => {
      for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
      for (let i = 0; i < 150; i++) await main(["train", "--print-config"]);
    })`);
    let err = "";
    child.stderr.on("data", (chunk) => {
      err += chunk;
    });
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await ended(child)).toBe(0);
    expect(err).toBe("");
  });

  const waiting = `load(${source("cli/process/interrupt.ts")}).then(({ interruptible }) => {
    const { signal, exitCode } = interruptible();
    const alive = setInterval(() => {}, 1000);
    signal.addEventListener("abort", () => {
      console.log("saved");
      if (process.env.STUCK) return;
      clearInterval(alive);
      process.exitCode = exitCode();
    });
    console.log("ready");
  })`;

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s lets the run save and leave with %i", async (signal, code) => {
    const child = start(waiting);
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
      if (String(chunk).includes("ready")) child.kill(signal);
    });
    expect(await ended(child)).toBe(code);
    expect(out).toBe("ready\nsaved\n");
  });

  test("a second signal ends it at once", async () => {
    const child = start(`process.env.STUCK = "1";${waiting}`);
    child.stdout.on("data", (chunk) => {
      if (/ready|saved/.test(String(chunk))) child.kill("SIGINT");
    });
    // A shell says 130.
    expect([await ended(child), child.signalCode]).toEqual([null, "SIGINT"]);
  });

  /** Goes on for good, but for one computation, which begins where `begin` says. */
  const computing = (begin: string, ms: number): string => `load(${source("cli/process/interrupt.ts")})
    .then(({ interruptible }) => {
      const { signal } = interruptible();
      setInterval(() => {}, 1000);
      const compute = () => {
        console.log("busy");
        for (const from = Date.now(); Date.now() - from < ${ms}; );
        console.log("done");
      };
      ${begin}
    })`;

  test("a second SIGTERM ends it at once in the midst of what the first began", async () => {
    const child = start(
      computing('signal.addEventListener("abort", compute); console.log("ready");', 60_000),
    );
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
      child.kill("SIGTERM");
    });
    expect([await ended(child), child.signalCode]).toEqual([null, "SIGTERM"]);
    expect(out).toBe("ready\nbusy\n");
  });

  test("of two SIGTERM within one computation, the second ends it after that", async () => {
    const child = start(computing("setTimeout(compute, 500);", 3000));
    child.stdout.on("data", (chunk) => {
      if (!String(chunk).includes("busy")) return;
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGTERM"), 500);
    });
    expect([await ended(child), child.signalCode]).toEqual([null, "SIGTERM"]);
  });

  test("a second Ctrl-C ends it at once in the midst of a long computation, told of the first", async () => {
    const busy = `load(${source("cli/process/interrupt.ts")}).then(({ interruptible }) => {
      interruptible();
      setTimeout(() => {
        console.log("busy");
        for (const from = Date.now(); Date.now() - from < 90_000; );
        console.log("done");
      }, 4000); // The watching thread has to run by then, on a busy machine too.
    })`;
    const child = start(busy);
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => {
      out += chunk;
      child.kill("SIGINT");
    });
    child.stderr.on("data", (chunk) => {
      err += chunk;
      if (err.includes("again to leave")) child.kill("SIGINT");
    });
    expect([await ended(child), child.signalCode]).toEqual([null, "SIGINT"]);
    expect(out).toBe("busy\n");
    expect(err.match(/finishing the step/g)).toHaveLength(1);
  });
});
