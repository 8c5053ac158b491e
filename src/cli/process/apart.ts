/** A process that tries what others ended in: the same command again, told by the environment. */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import type { Apart } from "../../recipes/context/hooks.ts";
import { workerWords } from "./workers.ts";

/** The variable that says what is to be tried. */
const APART = "ANNEAL_APART";

/** Exit codes from which on a process did not end by itself, but for those of an interruption. */
const [SIGNALLED, INTERRUPTED] = [128, [130, 143]];

/** What ended a process; undefined where it came to its own end. */
const died = (code: number | null, signal: NodeJS.Signals | null): string | undefined => {
  if (signal !== null) return signal;
  return code! >= SIGNALLED && !INTERRUPTED.includes(code!) ? `exit code ${code}` : undefined;
};

/** Has a process of its own try something, and waits for its end; aborted, ends it and asks no more. */
export const askApart: Apart = ({ threads, ...asked }, signal) =>
  new Promise((resolve, reject) => {
    const words = workerWords(process.argv.slice(2), threads);
    const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...words], {
      // By the channel it sees that this process is gone.
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      detached: true,
      env: { ...process.env, [APART]: JSON.stringify(asked) },
    });
    // Where memory runs out, Linux ends it and not this process.
    const first = writeFile(`/proc/${child.pid}/oom_score_adj`, "1000").catch(() => {});
    const end = (): void => {
      child.kill("SIGKILL");
    };
    signal?.addEventListener("abort", end);
    child.on("error", reject);
    child.on("exit", async (code, by) => {
      signal?.removeEventListener("abort", end);
      await first;
      resolve(signal?.aborted ? undefined : died(code, by));
    });
  });

/** What this process is to try; undefined for others. It ends with the one that asked. */
export const askedApart = (): Omit<Parameters<Apart>[0], "threads"> | undefined => {
  const said = process.env[APART];
  if (said === undefined || process.send === undefined) return undefined;
  // Who asked may be gone before this one listens.
  if (!process.connected) process.exit(1);
  process.on("disconnect", () => process.exit(1));
  process.channel?.unref();
  return JSON.parse(said);
};
