// Starts the programs of `bench scaling`, alone or as ranks of MPI, and reads what they tell.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How ranks are started under each kind of MPI. */
export const launchers = {
  openmpi: {
    words: ["mpirun.openmpi", "-q", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
    lib: "libmpi.so.40",
  },
  mpich: { words: ["mpiexec.mpich"], lib: "libmpich.so.12" },
};

/** What was told in a folder, by ranks. */
const toldIn = (dir) =>
  readdirSync(dir)
    .sort()
    .map((name) => JSON.parse(readFileSync(join(dir, name), "utf8")));

/**
 * What `file`, such as "train.mjs", tells of `own` on each of `count` ranks; on one process without a launcher. Words
 * `before` stand in front of each one's command.
 */
export const run = (file, own, launcher, count, before = []) => {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const into = mkdtempSync(join(tmpdir(), "anneal-told-"));
  const node = [...before, process.execPath, "--expose-gc", program, JSON.stringify({ ...own, into })];
  const [first, ...words] = launcher ? [...launcher.words, "-n", String(count), ...node] : node;
  try {
    execFileSync(first, words, { stdio: ["ignore", "ignore", "inherit"] });
    return toldIn(into);
  } finally {
    rmSync(into, { recursive: true, force: true });
  }
};

export const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
