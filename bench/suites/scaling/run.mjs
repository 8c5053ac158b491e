// Starts the programs of `bench scaling`, alone or as ranks of MPI, and reads what they print.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How ranks are started under each kind of MPI. */
export const launchers = {
  openmpi: {
    words: ["mpirun.openmpi", "-q", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
    lib: "libmpi.so.40",
  },
  mpich: { words: ["mpiexec.mpich"], lib: "libmpich.so.12" },
};

const parsed = (text) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/**
 * What `file`, such as "train.mjs", prints of `own` on each of `count` ranks; on one process without a launcher. Words
 * `before` stand in front of each one's command.
 */
export const run = (file, own, launcher, count, before = []) => {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const node = [...before, process.execPath, "--expose-gc", program, JSON.stringify(own)];
  const [first, ...words] = launcher ? [...launcher.words, "-n", String(count), ...node] : node;
  return parsed(execFileSync(first, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
};

export const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
