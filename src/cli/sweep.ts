/** anneal sweep */
import type { Command } from "commander";
import type { SweepOptions } from "../recipes/sweep/options.ts";
import { goals } from "../recipes/sweep/options.ts";
import { paramOf } from "../recipes/sweep/space.ts";
import { sweep } from "../recipes/sweep/sweep.ts";
import { samplers } from "../search/samplers/index.ts";
import type { Space } from "../search/space/space.ts";
import { ConfigError } from "../util/errors.ts";
import type { Group } from "./flags/flags.ts";
import { sharedFlags } from "./flags/flags.ts";
import { list, numberFrom, oneOf, withFlags } from "./flags/options.ts";
import { workerFlags } from "./flags/workerFlags.ts";
import { queueUrl } from "./process/queue.ts";
import { runRecipe } from "./process/run.ts";
import { sharingCores, withWorkers } from "./process/workers.ts";
import { printSwept } from "./terminal/swept.ts";
import { seconds } from "./terminal/time.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal sweep --data book.txt --steps 200 --trials 30 --out sweep
  $ npx anneal sweep --data book.txt --trials 30 --workers 4 --out sweep
  $ npx anneal sweep my-bert/model --data reviews.csv --time 30m --out sweep
  $ npx anneal sweep --data book.txt --search lr=1e-4..1e-2 --search layers=2..6 --goal quality,size
  $ npx anneal export sweep/trial-17 --dtype q8`;

interface Given {
  readonly trials?: number;
  readonly time?: number;
  readonly trialTime?: number;
  readonly sampler?: SweepOptions["sampler"];
  readonly search?: readonly string[];
  readonly goal?: readonly string[];
  readonly stop: boolean;
  readonly workers?: number;
  readonly queue?: string;
  readonly proxyWidth?: number;
}

const common = { common: true } as const;
const own: Group = {
  title: "Search",
  flags: [
    {
      flag: "--trials <n>",
      help: "trials in all (default: 20, or what --time allows)",
      parse: numberFrom(1, { whole: true }),
      ...common,
    },
    { flag: "--time <t>", help: "time for all of it, such as 90s, 30m, 2h", parse: seconds, ...common },
    {
      flag: "--search <param>",
      help: "such as lr=1e-4..1e-2, optimizer=adamw,muon; repeatable",
      repeats: true,
      ...common,
    },
    {
      flag: "--sampler <name>",
      help: `${Object.keys(samplers).join(", ")} (default: by --trials)`,
      parse: oneOf(Object.keys(samplers)),
      ...common,
    },
    {
      flag: "--goal <names>",
      help: "quality, or quality,size for the front of both",
      parse: list,
      ...common,
    },
    {
      flag: "--proxy-width <n>",
      help: "trials of this width, whose best rate goes over to --width",
      parse: numberFrom(1, { whole: true }),
      ...common,
    },
    { flag: "--no-stop", help: "let every trial run to its end", ...common },
    { flag: "--trial-time <t>", help: "time after which a trial has failed", parse: seconds },
    { flag: "--resume", help: "go on with the sweep in OUT", ...common },
    ...workerFlags("processes of this machine that run trials at once (default: 1)", {
      verbs: ["sweep"],
      ...common,
    }),
  ],
};

/** The field of a parameter that is named as a flag (lr) or as a field (train.lrPeak). */
const fieldOf = (name: string): string => {
  if (name.includes(".")) return name;
  const field = sharedFlags.find((flag) => flag.name === `--${name}`)?.field;
  if (field !== undefined) return field;
  throw new ConfigError("is no parameter", {
    field: name,
    hint: "name a flag of train or finetune, or a field as train.lrPeak",
  });
};

const spaceOf = (params: readonly string[]): Space =>
  Object.fromEntries(
    params.map((param) => {
      const [name = "", text = ""] = param.split(/=(.*)/s);
      if (text.trim() === "") {
        throw new ConfigError(`--search ${param} has no values`, {
          hint: "write --search lr=1e-4..1e-2, or optimizer=adamw,muon",
        });
      }
      const field = fieldOf(name.trim().replace(/^--/, ""));
      return [field, paramOf(field, text)];
    }),
  );

const goalsOf = (names: readonly string[]): SweepOptions["goals"] => {
  const found = names.flatMap((name) => goals.filter((goal) => goal === name));
  const [wrong] = names.filter((name) => !goals.some((goal) => goal === name));
  if (wrong !== undefined || found[0] !== "quality") {
    throw new ConfigError(`--goal ${names.join(",")} is no list of goals`, {
      hint: "choose quality, or quality,size",
    });
  }
  return found;
};

const optionsOf = (
  { trials, time, trialTime, sampler, search, goal, stop, proxyWidth }: Given,
  ref: string | undefined,
): SweepOptions => ({
  ...(trials === undefined ? {} : { trials }),
  ...(time === undefined ? {} : { timeSec: time }),
  ...(trialTime === undefined ? {} : { trialSec: trialTime }),
  ...(sampler === undefined ? {} : { sampler }),
  ...(search === undefined ? {} : { space: spaceOf(search) }),
  ...(goal === undefined ? {} : { goals: goalsOf(goal)! }),
  ...(ref === undefined ? {} : { ref }),
  ...(proxyWidth === undefined ? {} : { proxyWidth }),
  stops: stop,
});

/** Adds the verb `sweep`. */
export const register = (command: Command): void => {
  command.argument("[model]", "a model to fine-tune; without: text is trained on");
  withFlags(command, "sweep", [own]).action((ref: string | undefined, given: Given) => {
    const queue = queueUrl(given.queue);
    const options = { ...optionsOf(given, ref), ...(queue === undefined ? {} : { queue }) };
    const { workers = 1 } = given;
    const as = ref === undefined ? "train" : "finetune";
    return runRecipe(
      command,
      async (base, hooks, json) => {
        const shared = sharingCores(base, workers);
        const { threads } = shared;
        const swept = await withWorkers(workers - 1, { threads, queue }, () => sweep(shared, options, hooks));
        if (swept !== undefined) printSwept(swept, json);
      },
      as,
    );
  });
};
