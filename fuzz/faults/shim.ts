/**
 * Faults of the file system at chosen calls: a library, preloaded into a program, counts the calls that change
 * files below a folder (of all its threads and processes), ends the program at one of them or lets it fail.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What happens at which call. */
export interface Fault {
  /** 1-based number of the call. */
  readonly at: number;
  /** "kill" ends the process there (a write is half done); "error" fails the call. */
  readonly act: "kill" | "error";
  /** Chooses among the errors that such a call may give. */
  readonly seed?: number;
}

/** A call that changes files: "open", "write", "rename" and so on. */
export interface Call {
  readonly op: string;
  readonly path: string;
}

/** How a program ended, what it called and what befell it. */
export interface Faulted {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly Call[];
  /** "SIGKILL" or the error's code with the call; undefined where no call had that number. */
  readonly done?: Call & { readonly what: string };
}

/** Runs node with arguments under faults of the files below `under`; without one, calls are only counted. */
export type RunFaulted = (args: readonly string[], fault?: Fault) => Promise<Faulted>;

/** Why there are no such faults here; undefined where there are. */
export const noFaults = ((): string | undefined => {
  if (process.platform !== "linux") return "needs Linux";
  return spawnSync("cc", ["--version"]).status === 0 ? undefined : "needs a C compiler";
})();

const linesOf = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];

const callIn = (line: string) => {
  const [, what, op, path] = /^(\S+) (\S+) (.*)$/.exec(line)!;
  return { what: what!, op: op!, path: path! };
};

/** Compiles the library into `dir`. Throws an Error with what the compiler says. */
const compiled = (dir: string): string => {
  const library = join(dir, "shim.so");
  const source = fileURLToPath(new URL("shim.c", import.meta.url));
  const { status, stderr } = spawnSync("cc", ["-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the library of faults does not compile: ${stderr}`);
  return library;
};

/**
 * What runs programs under faults of the files below `under`. Asynchronous calls are made by one thread, so that
 * their order is the same each time; temporary files go to `under`/tmp.
 */
export const faultsBelow = (under: string): RunFaulted & { readonly dispose: () => void } => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-faults-"));
  const library = compiled(dir);
  const run: RunFaulted = async (args, fault) => {
    for (const name of ["count", "calls", "done"]) rmSync(join(dir, name), { force: true });
    const chosen =
      fault === undefined
        ? {}
        : { FAULT_AT: String(fault.at), FAULT_DO: fault.act, FAULT_SEED: String(fault.seed ?? 0) };
    const env = {
      ...process.env,
      ...{ LD_PRELOAD: library, UV_THREADPOOL_SIZE: "1", TMPDIR: join(under, "tmp") },
      ...{ FAULT_UNDER: `${under}/`, FAULT_DIR: dir, ...chosen },
    };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = await new Promise<Pick<Faulted, "code" | "killedBy">>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, killedBy) => resolve({ code, killedBy }));
    });
    const [done] = linesOf(join(dir, "done")).map(callIn);
    const calls = linesOf(join(dir, "calls")).map(callIn);
    return { ...ended, stdout, stderr, calls, ...(done === undefined ? {} : { done }) };
  };
  return Object.assign(run, { dispose: () => rmSync(dir, { recursive: true, force: true }) });
};
