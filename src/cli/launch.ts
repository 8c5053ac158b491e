/** anneal launch */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { type Command, InvalidArgumentError } from "commander";
import { mpiJob } from "../recipes/launch/mpijob.ts";
import {
  checkPlan,
  type LaunchPlan,
  launcherWords,
  mpis,
  quoted,
  rankCommand,
} from "../recipes/launch/plan.ts";
import { slurmScript } from "../recipes/launch/slurm.ts";
import { ConfigError, MissingError } from "../util/errors.ts";
import type { Group } from "./flags/flag.ts";
import { list, numberFrom, withFlags } from "./flags/options.ts";
import { requireNoQueue } from "./process/queue.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal launch --ranks 4 -- train --data book.txt --out novel
  $ npx anneal launch --ranks 8 --hosts a,b --dry-run -- train --config run.yaml
  $ npx anneal launch --ranks 64 --nodes 8 --cpus 4 --slurm job.sh -- train --config run.yaml
  $ npx anneal launch --ranks 8 --nodes 2 --mpijob job.yaml --image IMAGE -- train --data book.txt`;

interface LaunchFlags {
  readonly ranks?: number;
  readonly hosts?: readonly string[];
  readonly nodes?: number;
  readonly cpus: number;
  readonly mpi: LaunchPlan["mpi"];
  readonly slurm?: string;
  readonly mpijob?: string;
  readonly image?: string;
  readonly claim?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));

/** On this machine each rank is this very command; on others it is the one of the folder they share. */
const lineOf = (plan: LaunchPlan): readonly string[] => {
  const here = { root: process.getuid?.() === 0, cores: availableParallelism() };
  const anneal = plan.hosts.length > 0 ? ["npx", "anneal"] : [process.execPath, bin];
  return [...launcherWords(plan, here), ...anneal, ...rankCommand(plan)];
};

const filesOf = async (plan: LaunchPlan, flags: LaunchFlags): Promise<ReadonlyMap<string, string>> => {
  const files = new Map<string, string>();
  if (flags.slurm !== undefined) files.set(flags.slurm, slurmScript(plan));
  if (flags.mpijob === undefined) return files;
  if (flags.image === undefined) {
    throw new ConfigError("is not given", { field: "image", hint: "name a container's image with --image" });
  }
  const { stringify } = await import("yaml");
  return files.set(flags.mpijob, stringify(mpiJob(plan, { image: flags.image, claim: flags.claim })));
};

/** Runs a line with this process's terminal; resolves to its exit code. */
const run = ([program, ...words]: readonly string[]): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(program!, words, { stdio: "inherit" });
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    const signals = ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) process.on(signal, pass);
    child.on("error", (cause) =>
      reject(
        new MissingError(`${program} cannot be started`, {
          cause,
          hint: "install Open MPI (apt-get install openmpi-bin) or MPICH (--mpi mpich)",
        }),
      ),
    );
    child.on("close", (code, signal) => {
      for (const each of signals) process.off(each, pass);
      resolve(code ?? (signal === "SIGINT" ? 130 : 143));
    });
  });

const whole = numberFrom(1, { whole: true });

const kindOf = (word: string): string => {
  if (mpis.some((kind) => kind === word)) return word;
  throw new InvalidArgumentError(`Allowed choices are ${mpis.join(", ")}.`);
};

const own: Group = {
  title: "Ranks",
  flags: [
    { flag: "--ranks <n>", help: "processes in all", parse: whole },
    { flag: "--hosts <names>", help: "machines, as a,b (default: this one)", parse: list },
    { flag: "--nodes <n>", help: "machines that the scheduler chooses", parse: whole },
    { flag: "--cpus <n>", help: "cores of each rank", parse: whole, fallback: 1 },
    { flag: "--mpi <kind>", help: `whose launcher: ${mpis.join(", ")}`, parse: kindOf, fallback: "openmpi" },
    { flag: "--dry-run", help: "print the launcher's line, and start nothing" },
    { flag: "--slurm <file>", help: "write a batch script for Slurm, and start nothing" },
    { flag: "--mpijob <file>", help: "write a job of Kubeflow's MPI operator, and start nothing" },
    { flag: "--image <name>", help: "the job's container", needs: "--mpijob" },
    {
      flag: "--claim <name>",
      help: "claim of a volume that the job's pods share, at /data",
      needs: "--mpijob",
    },
  ].map((flag) => ({ ...flag, common: true as const })),
};

/** Adds the verb `launch`. */
export const register = (command: Command): void => {
  command.argument(
    "<command...>",
    "what each rank runs, behind --: train, finetune, sweep, optimize or data",
  );
  withFlags(command, "launch", [own]).action(async (words: readonly string[], given: LaunchFlags) => {
    const { ranks, hosts = [] } = given;
    if (ranks === undefined) {
      throw new ConfigError("is not given", { field: "ranks", hint: "say how many processes with --ranks" });
    }
    requireNoQueue(words);
    const plan: LaunchPlan = { ...given, ranks, hosts, command: words };
    checkPlan(plan);
    const files = await filesOf(plan, given);
    const line = lineOf(plan);
    const text = line.map(quoted).join(" ");
    for (const [file, contents] of files) await writeFile(file, contents);
    const written = [...files.keys()];
    if (given.dryRun || files.size > 0) {
      if (given.json) printJson({ line, written });
      else print(`${given.dryRun ? [text, ...written].join("\n") : written.join("\n")}\n`);
      return;
    }
    process.stderr.write(`${text}\n`);
    process.exitCode = await run(line);
  });
};
