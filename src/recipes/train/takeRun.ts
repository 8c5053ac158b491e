/** A run's folders, taken before its work: OUT/run for checkpoints and metrics, OUT/model for the result. */
import { readdir, readFile, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { claimFolder } from "../../node/files/claim.ts";
import { remove, replaces } from "../../node/files/files.ts";
import { settle } from "../../node/files/leftovers.ts";
import { lockRun } from "../../node/files/lock.ts";
import { MARKER, markerOf } from "../../node/files/marker.ts";

const STEP = /^(latest|step-\d+)(\.(tmp|old)-\d+)?$/;

/** What a run writes, by name, each with the test that it is a run's. */
const written: Readonly<Record<string, (path: string) => Promise<boolean>>> = {
  checkpoints: async (path) => {
    const names = await readdir(path);
    return names.every((name) => STEP.test(name)) && (names.length === 0 || names.includes("latest"));
  },
  "metrics.jsonl": async (path) => {
    const [first = ""] = (await readFile(path, "utf8")).split("\n", 1);
    return first === "" || /^\{"run":"/.test(first);
  },
  data: async (path) => (await markerOf(path))?.kind === "data",
};

/** Whether all in the folder `run`, which bears no marker, is what runs write. */
const isRun =
  (run: string) =>
  async (names: readonly string[]): Promise<boolean> => {
    const others = names.filter((name) => name !== "lock" && !name.startsWith("lock."));
    const known = await Promise.all(
      others.map((name) => written[name]?.(join(run, name)).catch(() => false) ?? false),
    );
    return known.every((each) => each);
  };

/** Removes a run's folder in which nothing but its marker is: the run ended before it began. */
const leaveNothing = async (run: string): Promise<void> => {
  const names = await readdir(run).catch(() => [""]);
  if (names.length !== 1 || names[0] !== MARKER) return;
  await remove(join(run, MARKER));
  await rmdir(run).catch(() => {}); // Somebody has begun to write there.
};

/**
 * Takes OUT/run for this process, and ends what killed runs left beside OUT/model; returns what gives it
 * back. Throws ConfigError where a folder of either name is the user's own, BusyError where another process
 * has the run, RunError where nothing can be written.
 */
export const takeRun = async (out: string): Promise<() => Promise<void>> => {
  const run = join(out, "run");
  const model = resolve(out, "model");
  await settle(model);
  await replaces(model);
  await claimFolder(run, { kind: "run", adopts: isRun(run) });
  const unlock = await lockRun(run);
  return async () => {
    await unlock();
    await leaveNothing(run);
  };
};
