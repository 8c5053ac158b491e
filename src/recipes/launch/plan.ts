/** How a command is started as several ranks: what mpirun, srun and Kubeflow are told. */
import { join } from "node:path";
import { ConfigError } from "../../util/errors.ts";
import { defaults } from "../config/options.ts";
import { STUDY } from "../sweep/log.ts";

/** Implementations of MPI whose launchers are known. */
export const mpis = ["openmpi", "mpich"] as const;

/** How many ranks run what, where. */
export interface LaunchPlan {
  readonly ranks: number;
  /** Machines that ranks are shared out among, evenly; empty: this one. */
  readonly hosts: readonly string[];
  /** Machines, where a scheduler chooses them; as many as there are hosts unless told. */
  readonly nodes?: number | undefined;
  /** Cores of each rank. */
  readonly cpus: number;
  readonly mpi: (typeof mpis)[number];
  /** The words behind `anneal`, such as ["train", "--data", "book.txt"]. */
  readonly command: readonly string[];
}

/** Verbs that share their batches, trials or files among ranks. */
const shares: readonly string[] = ["train", "finetune", "sweep", "optimize", "data"];

const whole = (field: string, value: number): void => {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ConfigError(`is ${value}`, { field, hint: "give a whole number from 1 on" });
};

/** Throws ConfigError for a plan that cannot be started. */
export const checkPlan = ({ ranks, hosts, nodes, cpus, command }: LaunchPlan): void => {
  whole("ranks", ranks);
  whole("cpus", cpus);
  if (nodes !== undefined) whole("nodes", nodes);
  const machines = nodes ?? hosts.length;
  if (machines > ranks) {
    throw new ConfigError(`${machines} machines are more than ${ranks} ranks`, {
      field: nodes === undefined ? "hosts" : "nodes",
      hint: "give each machine a rank at least",
    });
  }
  const odd = hosts.find((host) => !/^[\w.-]+$/.test(host));
  if (odd !== undefined) throw new ConfigError(`"${odd}" names no machine`, { field: "hosts" });
  if (!shares.includes(command[0] ?? "")) {
    throw new ConfigError(`${command[0] ?? "nothing"} does not share its work among ranks`, {
      field: "command",
      hint: "end with: -- train ..., finetune MODEL ..., sweep ..., optimize MODEL ... or data ...",
    });
  }
};

/** The value of a flag in a command's words. */
const wordAfter = (words: readonly string[], flag: string): string | undefined => {
  const at = words.findIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return words[at]!.includes("=") ? words[at]!.slice(flag.length + 1) : words[at + 1];
};

/** The folder of the command's result. */
export const outOf = ({ command }: LaunchPlan): string => wordAfter(command, "--out") ?? defaults.out;

/** Of searches, which leave no checkpoint of their own. */
const leavings: Readonly<Record<string, string>> = { sweep: STUDY, optimize: join("run", "search", STUDY) };

/** The file that is there where the command is to go on with what it left. */
export const leftBy = (plan: LaunchPlan): string =>
  join(outOf(plan), leavings[plan.command[0] ?? ""] ?? "run/checkpoints/latest");

/** Machines that a scheduler is asked for. */
export const nodesOf = ({ nodes, hosts }: LaunchPlan): number => nodes ?? Math.max(1, hosts.length);

/** Ranks on each machine; of a remainder the last has fewer. */
export const perNode = (plan: LaunchPlan): number => Math.ceil(plan.ranks / nodesOf(plan));

/** The command's words with a rank's threads, unless they say them. */
export const rankCommand = ({ command, cpus }: LaunchPlan): readonly string[] =>
  cpus === 1 || wordAfter(command, "--threads") !== undefined
    ? command
    : [...command, "--threads", String(cpus)];

/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** What only the machine knows that mpirun is started on. */
export interface Here {
  readonly root: boolean;
  readonly cores: number;
}

/**
 * Seconds until Open MPI asks whether a machine is still there, between two such questions, and how many it
 * may leave unanswered: 25 in all. By its own 300, 20 and 9 it would wait for a machine that is cut off.
 */
const ALIVE = { time: 10, intvl: 5, probes: 3 } as const;

const alive = Object.entries(ALIVE).flatMap(([name, value]) => [
  "--mca",
  `oob_tcp_keepalive_${name}`,
  String(value),
]);

const openmpi = (plan: LaunchPlan, { root, cores }: Here): string[] => {
  const { ranks, hosts } = plan;
  const each = perNode(plan);
  const slots = hosts.map((host, i) => `${host}:${Math.min(each, ranks - i * each)}`);
  return [
    ...["mpirun", "-n", String(ranks)],
    ...(hosts.length > 0 ? ["--host", slots.join(",")] : ranks > cores ? ["--oversubscribe"] : []),
    // A rank's threads would share the one core that it is bound to.
    ...["--bind-to", "none"],
    ...(hosts.length > 0 ? alive : []),
    ...(root ? ["--allow-run-as-root"] : []),
  ];
};

const mpich = (plan: LaunchPlan): string[] => {
  const { ranks, hosts } = plan;
  const where = hosts.length > 0 ? ["-hosts", hosts.join(","), "-ppn", String(perNode(plan))] : [];
  return ["mpiexec", "-n", String(ranks), ...where];
};

/** The words of the launcher, before the command that each rank runs. */
export const launcherWords = (plan: LaunchPlan, here: Here): readonly string[] =>
  plan.mpi === "openmpi" ? openmpi(plan, here) : mpich(plan);
