/**
 * The flags: a table, of which the parser, the help, its defaults and the refusals are made. A flag sets a
 * field of the options, whose type and default are the field's own; the verbs read those without a field.
 */

import { seconds } from "../terminal/time.ts";
import { adapterFlag, adapterFlags, freezeFlags } from "./adapterFlags.ts";
import { withCompare } from "./compareFlags.ts";
import { chats, cleaning, pairs, records, selection, sentences, shards, text } from "./dataFlags.ts";
import {
  common,
  every,
  type Flag,
  given,
  learning,
  row,
  running,
  type Section,
  training,
  tuning,
  type VerbName,
} from "./flag.ts";
import { ranks } from "./rankFlags.ts";
import { withSweep } from "./sweepFlags.ts";
import { workerFlags } from "./workerFlags.ts";

export { type Flag, type Group, type Section, type VerbName, verbs } from "./flag.ts";

/** Of the verbs that open a model in one dtype. */
export const dtypeFlag: Flag = {
  flag: "--dtype <dtype>",
  help: "fp32, fp16, q8, int8, uint8, q4, q4f16 (default: the folder's)",
  common: true,
};

const withData: Partial<Flag> = { verbs: [...training, "data"] };
const model: Section = {
  title: "Model",
  verbs: training,
  flags: [
    row("--from <model>", "model.from", "a folder or a model of the Hub to go on from", {
      ...withData,
      common: training,
    }),
    adapterFlag,
    row("--cut-vocab", "model.cutVocab", "keep only the tokens of your text", {
      verbs: ["optimize"],
      common: ["optimize"],
    }),
    row("--family <name>", "model.family", "fresh model", common),
    row("--layers <n>", "model.n_layer", "layers", common),
    row("--width <n>", "model.n_embd", "channels", common),
    row("--heads <n>", "model.n_head", "attention heads", common),
    row("--context <n>", "model.n_positions", "context length, tokens", {
      verbs: [...tuning, "data"],
      ...common,
    }),
    row("--vocab <n>", "tokenizer.vocab", "tokens in the vocabulary", { ...withData, ...common }),
    row("--tokenizer <kind>", "tokenizer.kind", "kind of tokenizer", withData),
    row("--dropout <x>", "model.dropout", "dropout rate (default: the checkpoint's; of a fresh model 0)", {
      verbs: [...training, "finetune"],
    }),
    row("--activation <name>", "model.activation_function", "activation of a gpt2"),
  ],
};

/** What is tried before a run, and leaves nothing behind. */
const tryFlags: readonly Flag[] = [
  {
    flag: "--check",
    help: "try to learn one batch by heart; writes nothing",
    ...{ verbs: ["finetune"], conflicts: ["findLr", "resume"], common: true },
  },
  {
    flag: "--find-lr",
    help: "try rising learning rates; writes nothing",
    ...{ verbs: ["train", "finetune"], conflicts: ["resume"], common: true },
  },
];

/** What is tuned as a whole or in part. */
const tunable: readonly VerbName[] = [...training, "finetune"];

const trainSection: Section = {
  title: "Training",
  verbs: tuning,
  flags: [
    row("--epochs <x>", "train.epochs", "times that each record is seen", {
      verbs: ["finetune", "distill"],
      ...common,
    }),
    row("--steps <n>", "train.steps", "updates", {
      zero: "as many as the epochs take",
      common: [...training, "distill"],
    }),
    row("--batch <n>", "train.batch", "sequences in a micro-batch", {
      verbs: [...tuning, "optimize", "prune"],
      common: tuning,
    }),
    row("--lr <x>", "train.lrPeak", "highest learning rate", { zero: "by the width", ...common }),
    ...tryFlags,
    row("--optimizer <name>", "train.optimizer", "optimizer", { common: ["train"] }),
    row("--accumulate <n>", "train.accumulate", "micro-batches in an update"),
    row("--base-width <n>", "train.baseWidth", "width that --lr was found at; 0: the model's", {
      verbs: ["train"],
    }),
    row("--lr-min <x>", "train.lrMin", "learning rate at the end"),
    row("--warmup <n>", "train.warmup", "updates of linear warm-up"),
    row("--warmup-share <x>", "train.warmupShare", "share of the updates that is, without --warmup"),
    row("--schedule <kind>", "train.schedule", "schedule"),
    row("--weight-decay <x>", "train.weightDecay", "decoupled weight decay of matrices", {
      verbs: [...tuning, "optimize"],
    }),
    row("--whole-words", "train.wholeWords", "mask whole words (encoders)", {
      verbs: [...training, "distill"],
    }),
    ...freezeFlags.map((flag) => ({ ...flag, verbs: tunable })),
    row("--ema <x>", "train.ema", "decay of a moving average of the weights, such as 0.999; 0: none"),
    row("--average-last <n>", "train.averageLast", "mean of the last checkpoints' weights; 0: none"),
    row("--clip-norm <x>", "train.clipNorm", "largest global norm of gradients; 0: none"),
    row("--clip-value <x>", "train.clipValue", "largest element of a gradient; 0: none"),
    row("--eval-every <n>", "train.evalEvery", "updates between held-out measurements"),
    row("--checkpoint-every <n>", "train.checkpointEvery", "updates between checkpoints"),
    row("--patience <n>", "train.patience", "measurements without gain to bear; 0: never", {
      common: ["finetune"],
    }),
    row("--on-nan <policy>", "train.onNan", "at a loss that is not finite"),
    row("--replicas <n>", "train.replicas", "threads that share each batch; 0: as many as pay", {
      verbs: [...tuning, "optimize"],
    }),
  ],
};

const adapters: Section = { title: "Adapters (LoRA)", verbs: tunable, flags: adapterFlags };

const distill: Section = {
  title: "Distillation",
  verbs: ["quickstart", "optimize"],
  flags: [
    row("--distill-steps <n>", "distill.steps", "updates of the student", { common: ["optimize"] }),
    row("--distill-layers <n>", "distill.layers", "layers of the student; 0: half", { common: ["optimize"] }),
    row("--distill-lr <x>", "distill.lrPeak", "highest learning rate of the student", {
      ...{ verbs: ["quickstart", "optimize", "prune"], zero: "by the width" },
    }),
    row("--distill-alpha <x>", "distill.alpha", "share of the teacher in the student's loss"),
    row("--distill-temperature <x>", "distill.temperature", "softening of teacher and student"),
  ],
};

/** What limits what is made, and what is compared. */
const limiting: Partial<Flag> = { verbs: ["quickstart", "optimize", "compare"], common: true };
const budget: Section = {
  title: "Budget",
  verbs: ["quickstart", "optimize"],
  flags: [
    row("--max-mb <x>", "budget.maxMb", "largest model file, MB", limiting),
    row("--max-ms <x>", "budget.maxMs", "longest median time of a token (a text), ms", limiting),
    row("--max-loss <x>", "budget.maxLoss", "most of the task's figure lost (default: 0.1)", common),
    row(
      "--min-quality <x>",
      "budget.minQuality",
      "least share kept of the task's figure, such as 0.98",
      common,
    ),
    row("--limit <figure>", "budget.limits", "any figure, as 'p95Ms<=5', 'accuracy>=0.98x'; repeatable", {
      ...limiting,
      repeats: true,
    }),
    row("--target <names...>", "budget.targets", "where to measure, as llama.cpp", limiting),
  ],
};

const onOptimize = { common: ["optimize"] } as const;
const search: Section = {
  title: "Search",
  verbs: ["quickstart", "optimize"],
  flags: [
    row("--time <t>", "search.timeSec", "time for all of it, such as 30m", {
      ...{ parse: seconds, zero: "any" },
      ...onOptimize,
    }),
    row("--trials <n>", "search.trials", "smaller models that are tried", {
      zero: "few",
      ...onOptimize,
    }),
    row("--search <param>", "search.params", "what is tried, as layers=2,4; repeatable", {
      repeats: true,
      ...onOptimize,
    }),
    row("--sampler <name>", "search.sampler", "what chooses the next"),
    ...workerFlags("processes of this machine that make models, while this one measures", {
      verbs: ["optimize"],
      ...onOptimize,
    }),
  ],
};

const hub: Section = {
  title: "Hub",
  verbs: [...tuning, "optimize", "eval", "generate", "quantize", "prune", "export"],
  flags: [
    { flag: "--revision <name>", help: "branch, tag or commit of a model of the Hub" },
    { flag: "--offline", help: "ask no network: take models of the Hub from the cache only" },
  ],
};

const ours: Partial<Flag> = { verbs: running };
const run: Section = {
  title: "Run",
  verbs: every,
  flags: [
    row("--out <dir>", "out", "folder of the result", {
      verbs: given.filter((verb) => verb !== "quantize" && verb !== "prune" && verb !== "export"),
      common: [...learning, "finetune", "distill"],
    }),
    {
      flag: "--resume",
      help: "go on from what is in OUT/run",
      verbs: [...tuning, "optimize"],
      ...common,
    },
    row("--seed <n>", "seed", "seed of everything random", {
      ...ours,
      common: ["generate", "finetune"],
    }),
    row("--threads <n>", "threads", "threads of the engine; 0: all cores", { ...ours, ...common }),
    {
      flag: "-c, --config <file>",
      help: "config file (default: anneal.config.*)",
      ...ours,
      common: learning,
    },
    {
      flag: "--set <key=value>",
      help: "set any field of the config; may be repeated",
      repeats: true,
      ...ours,
    },
    {
      flag: "--print-config",
      help: "print the resolved options as YAML with their hash, and leave",
      ...ours,
    },
    { flag: "--json", help: "one JSON object and nothing else on stdout", ...common },
    {
      flag: "-q, --quiet",
      help: "no progress",
      verbs: every.filter((verb) => verb !== "doctor" && verb !== "launch"),
    },
    { flag: "--no-color", help: "no colours" },
    { flag: "--verbose", help: "show the stack of errors" },
  ],
};

/** The flags that verbs share, in the order of the help. */
export const sections: readonly Section[] = withSweep(
  withCompare([
    ...[text, records, pairs, sentences, chats, cleaning, selection, shards, model, trainSection, adapters],
    ...[distill, budget, search, hub, ranks, run],
  ]),
  every,
);

/** A flag with the verbs that it means something to. */
export interface SharedFlag extends Flag {
  readonly name: string;
  readonly verbs: readonly VerbName[];
}

/** All flags that verbs share, each with its name ("--lr") and its verbs. */
export const sharedFlags: readonly SharedFlag[] = sections.flatMap(({ verbs, flags }) =>
  flags.map((flag) => ({ verbs, ...flag, name: /--[\w-]+/.exec(flag.flag)![0] })),
);

/** Names as a sentence has them: "train, data and eval". */
export const inWords = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
