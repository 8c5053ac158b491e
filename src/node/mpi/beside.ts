/** The libraries of the MPI whose launcher has started this process. */
import { existsSync, readlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { statOf } from "../files/leftovers.ts";

/** What starts the processes of a machine: Hydra's proxy, Open MPI's daemons, or the launchers themselves. */
const STARTERS = /^(hydra_pmi_proxy|orted|prted|prterun|mpirun|mpiexec)/;

const programOf = (pid: number): string => {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return "";
  }
};

/** The folder of libraries beside the launcher that is an ancestor of this process; undefined if not told. */
const folder = (): string | undefined => {
  for (let pid = process.ppid; pid > 1; pid = Number(statOf(pid)[1] ?? 0)) {
    const program = programOf(pid);
    if (STARTERS.test(basename(program))) return join(dirname(program), "..", "lib");
  }
  return undefined;
};

/**
 * Which of the libraries called `names` stand beside the launcher, as paths: an MPI in a folder of its own,
 * such as a virtual environment, is found by its launcher though the system knows nothing of it, or knows
 * another.
 */
export const besideLauncher = (names: readonly string[]): readonly string[] => {
  const where = folder();
  return where === undefined ? [] : names.map((name) => join(where, name)).filter((file) => existsSync(file));
};
