/**
 * The flags: a table, of which the parser, the help, its defaults and the refusals are made. A flag sets a
 * field of the options, whose type and default are the field's own; the verbs read those without a field.
 */

/** The verbs, and what each is for. */
export const verbs = {
  quickstart: "from raw text to a small, fast, verified model",
  data: "clean, deduplicate and pack text",
  train: "train a model on text",
  finetune: "tune a model on labelled records",
  optimize: "make a trained model fit a budget",
  eval: "measure a model's quality and speed",
  generate: "write text with a model",
  export: "write a model in any dtypes, for transformers.js",
  verify: "check a model's files where they are to run",
  doctor: "check this machine and installation",
} as const;

/** The name of a verb that has flags. */
export type VerbName = keyof typeof verbs;

/** One flag, and what it means to whom. */
export interface Flag {
  /** As commander reads it, such as "-n, --max-tokens <n>". */
  readonly flag: string;
  /** Says what 0 means as "0: all"; the default is added. */
  readonly help: string;
  /** Dotted field of the options that it sets. */
  readonly field?: string;
  /** The verbs that it means something to; those of its section unless told. */
  readonly verbs?: readonly VerbName[];
  /** The verbs whose --help shows it (true: of each); --help all shows the rest. */
  readonly common?: true | readonly VerbName[];
  /** Of what has no field: the value of its word, whether it is repeated, the value where none is given. */
  readonly parse?: (word: string) => unknown;
  readonly repeats?: true;
  readonly fallback?: unknown;
  /** Flags that it cannot stand beside, by commander's names; the flag without which it does nothing. */
  readonly conflicts?: string[];
  readonly needs?: string;
}

/** Flags that are for one thing, under their heading. */
export interface Group {
  readonly title: string;
  readonly flags: readonly Flag[];
}

/** A group that verbs share. */
export interface Section extends Group {
  readonly verbs: readonly VerbName[];
}

const row = (flag: string, field: string, help: string, more: Partial<Flag> = {}): Flag => ({
  flag,
  field,
  help,
  ...more,
});

/** Of the verbs that open a model in one dtype. */
export const dtypeFlag: Flag = {
  flag: "--dtype <dtype>",
  help: "fp32, fp16, q8, int8, uint8, q4, q4f16 (default: the folder's)",
  common: true,
};

const training: readonly VerbName[] = ["quickstart", "train"];
/** What trains for a while, be it on text or on records. */
const tuning: readonly VerbName[] = [...training, "finetune"];
/** What reads text to train on. */
const learning: readonly VerbName[] = [...training, "data", "optimize"];
const reading: readonly VerbName[] = [...learning, "eval"];
const every = Object.keys(verbs) as VerbName[];
/** What has options of a run: a config file, a seed, threads. */
const running: readonly VerbName[] = [...reading, "finetune", "generate", "verify"];
/** What reads records or text. */
const given: readonly VerbName[] = [...reading, "finetune"];
const common = { common: true } as const;
const onData = { common: ["data"] } as const;

const text: Section = {
  title: "Text",
  verbs: reading,
  flags: [
    row("--data <paths...>", "data.paths", "files, folders, globs: .txt .md .jsonl .csv ...", {
      verbs: given,
      common: given.filter((verb) => verb !== "data"),
    }),
    row("--validation <paths...>", "data.validation", "records held out (else a share of them)", {
      verbs: ["finetune"],
      ...common,
    }),
    row("--field <name>", "data.field", "field of JSON and CSV records with the text", {
      verbs: given,
      ...common,
    }),
    row("--columns <names...>", "data.columns", "of a table without a header", {
      verbs: ["finetune", "eval", "optimize"],
      common: ["finetune"],
    }),
    row("--validation-share <x>", "data.validationShare", "share of the text held out", {
      verbs: given,
      common: ["data", "eval", "train", "finetune", "optimize"],
    }),
    row("--skip-bad-rows", "data.skipBadRows", "count unreadable records instead of stopping", {
      verbs: given,
    }),
    row("--encoding <name>", "data.encoding", "of what is not UTF-8, as windows-1251; auto finds it out", {
      verbs: given,
    }),
    row("--delimiter <c>", "data.delimiter", "what stands between columns; found out unless told", {
      verbs: given,
    }),
    row("--unicode <form>", "data.unicode", "Unicode normalization"),
    row("--missing <rules...>", "data.missing", "FIELD=drop, FIELD=default:VALUE or FIELD=fill:OTHER"),
    row("--source-field <name>", "data.sourceField", "field that names a record's source"),
    row("--group-field <name>", "data.groupField", "field whose records stay on one side of a split"),
  ],
};

const records: Section = {
  title: "Labels",
  verbs: ["finetune", "eval", "optimize"],
  flags: [
    row("--task <name>", "task.name", "what the records are for; found out unless told", {
      verbs: ["finetune"],
      ...common,
    }),
    row("--label-field <names...>", "task.labelFields", "field of the label; several: a column each", {
      common: ["finetune"],
    }),
    row("--pair-field <name>", "task.pairField", "field of the second text of a pair", {
      common: ["finetune"],
    }),
    row("--problem <kind>", "task.problem", "what labels are", { verbs: ["finetune"] }),
    row("--labels <names...>", "task.labels", "all labels, in the order of their ids", {
      verbs: ["finetune"],
    }),
    row("--class-weights <how>", "task.classWeights", "weights of classes", {
      verbs: ["finetune"],
      ...common,
    }),
    row("--label-smoothing <x>", "task.labelSmoothing", "share of the target that all classes get", {
      verbs: ["finetune"],
    }),
    row("--too-long <policy>", "task.tooLong", "examples of more tokens than the context"),
    row("--label-pieces <which>", "task.labelPieces", "pieces of a word that bear its label", {
      verbs: ["finetune", "optimize"],
    }),
  ],
};

const cleaning: Section = {
  title: "Cleaning",
  verbs: reading,
  flags: [
    row("--rules <presets...>", "data.rules", "none, default, gopher, c4, fineweb", onData),
    row("--languages <codes...>", "data.languages", "languages to keep, such as en de", onData),
    row("--personal", "data.personal", "turn personal data into placeholders", onData),
    row("--decontaminate <paths...>", "data.decontaminate", "evaluation files to keep out of it", onData),
    row("--near <preset>", "data.near", "near-duplicates", onData),
    row("--threshold <rules...>", "data.thresholds", "RULE=VALUE or RULE=off, for single filter rules"),
    row("--keep <rule>", "data.keep", "which near-duplicate stays; best is the cleanest"),
    row("--bands <n>", "data.bands", "bands of near-duplicates; 0: the preset's"),
    row("--rows <n>", "data.rows", "rows of a band; 0: the preset's"),
    row("--shingle <n>", "data.shingle", "words of a shingle; 0: the preset's"),
    row("--lines <what>", "data.lines", "repeated text that goes"),
    row("--substrings <n>", "data.substrings", "cut verbatim repetitions of so many characters; 0: none"),
  ],
};

const learned: Partial<Flag> = { verbs: learning };
const selection: Section = {
  title: "Selection, mixing, packing",
  verbs: reading,
  flags: [
    row("--like <paths...>", "data.like", "files that the text is to be like", onData),
    row("--like-share <x>", "data.likeShare", "share of the text that is selected to be like them"),
    row("--mix <weights...>", "data.mix", "shares of the sources, SOURCE=WEIGHT", { ...learned, ...onData }),
    row("--mix-temperature <x>", "data.temperature", "mix by size ^ (1 / x); 0: as they come", learned),
    row("--max-epochs <x>", "data.maxEpochs", "most times that a source is repeated in a mix", learned),
    row("--packing <kind>", "data.packing", "how documents lie in windows", learned),
    row("--document-mask", "data.documentMask", "predict nothing across documents", learned),
  ],
};

const shards: Section = {
  title: "What is written",
  verbs: ["data"],
  flags: [
    row("--format <kind>", "data.format", "form", common),
    row("--gzip", "data.gzip", "gzip JSON lines"),
    row("--test-share <x>", "data.testShare", "share of the text for a last test", common),
    { flag: "--shard <i/n>", help: "parts of every n-th file alone, to be merged", ...common },
  ],
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
    row("--family <name>", "model.family", "of a fresh model", common),
    row("--layers <n>", "model.n_layer", "layers", common),
    row("--width <n>", "model.n_embd", "channels", common),
    row("--heads <n>", "model.n_head", "attention heads", common),
    row("--context <n>", "model.n_positions", "context length, tokens", {
      verbs: [...training, "data", "finetune"],
      ...common,
    }),
    row("--vocab <n>", "tokenizer.vocab", "tokens in the vocabulary", { ...withData, ...common }),
    row("--tokenizer <kind>", "tokenizer.kind", "kind of tokenizer", withData),
    row("--dropout <x>", "model.dropout", "dropout rate"),
    row("--activation <name>", "model.activation_function", "activation of a gpt2"),
  ],
};

const trainSection: Section = {
  title: "Training",
  verbs: tuning,
  flags: [
    row("--epochs <x>", "train.epochs", "times that each record is seen", { verbs: ["finetune"], ...common }),
    row("--steps <n>", "train.steps", "updates; 0: as the epochs take", common),
    row("--batch <n>", "train.batch", "sequences in a micro-batch", {
      verbs: [...tuning, "optimize"],
      common: tuning,
    }),
    row("--lr <x>", "train.lrPeak", "highest learning rate; 0: by the width", common),
    row("--optimizer <name>", "train.optimizer", "optimizer", { common: ["train"] }),
    row("--accumulate <n>", "train.accumulate", "micro-batches in an update"),
    row("--lr-min <x>", "train.lrMin", "learning rate at the end"),
    row("--warmup <n>", "train.warmup", "updates of linear warm-up"),
    row("--warmup-share <x>", "train.warmupShare", "share of the updates that is, without --warmup"),
    row("--schedule <kind>", "train.schedule", "schedule"),
    row("--weight-decay <x>", "train.weightDecay", "decoupled weight decay of matrices", {
      verbs: [...tuning, "optimize"],
    }),
    row("--whole-words", "train.wholeWords", "mask whole words (encoders)", { verbs: training }),
    row("--freeze <patterns...>", "train.freeze", "weights that stay as they are, such as 'transformer.w*'"),
    row("--clip-norm <x>", "train.clipNorm", "largest global norm of gradients; 0: none"),
    row("--clip-value <x>", "train.clipValue", "largest element of a gradient; 0: none"),
    row("--eval-every <n>", "train.evalEvery", "updates between held-out measurements"),
    row("--checkpoint-every <n>", "train.checkpointEvery", "updates between checkpoints"),
    row("--patience <n>", "train.patience", "measurements without gain before stopping; 0: never", {
      common: ["finetune"],
    }),
    row("--on-nan <policy>", "train.onNan", "at a loss that is not finite"),
    row("--replicas <n>", "train.replicas", "threads that share each batch; 0: as many as pay", {
      verbs: [...tuning, "optimize"],
    }),
  ],
};

const distill: Section = {
  title: "Distillation",
  verbs: ["quickstart", "optimize"],
  flags: [
    row("--distill-steps <n>", "distill.steps", "updates of the student", { common: ["optimize"] }),
    row("--distill-layers <n>", "distill.layers", "layers of the student; 0: half", { common: ["optimize"] }),
    row("--distill-lr <x>", "distill.lrPeak", "highest learning rate of the student"),
    row("--distill-alpha <x>", "distill.alpha", "share of the teacher in the student's loss"),
    row("--distill-temperature <x>", "distill.temperature", "softening of teacher and student"),
  ],
};

const budget: Section = {
  title: "Budget",
  verbs: ["quickstart", "optimize"],
  flags: [
    row("--max-mb <x>", "budget.maxMb", "largest model file, MB", common),
    row("--max-ms <x>", "budget.maxMs", "longest median time of a token (a text), ms", common),
    row("--max-loss <x>", "budget.maxLoss", "most of the task's figure lost (default: 0.1)", common),
    row(
      "--min-quality <x>",
      "budget.minQuality",
      "least share kept of the task's figure, such as 0.98",
      common,
    ),
    row("--limit <figure>", "budget.limits", "any figure, as 'p95Ms<=5', 'accuracy>=0.98x'; repeatable", {
      ...common,
      repeats: true,
    }),
    row(
      "--target <names...>",
      "budget.targets",
      "where to measure: node-cpu, web-wasm, web-webgpu ...",
      common,
    ),
  ],
};

const hub: Section = {
  title: "Hub",
  verbs: [...tuning, "optimize", "eval", "generate", "export"],
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
    row("--out <dir>", "out", "folder of the result", { verbs: given, common: [...learning, "finetune"] }),
    { flag: "--resume", help: "go on from the newest checkpoint in OUT/run", verbs: tuning, ...common },
    row("--seed <n>", "seed", "seed of everything random", {
      ...ours,
      common: ["generate", "train", "finetune"],
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
    { flag: "-q, --quiet", help: "no progress", verbs: every.filter((verb) => verb !== "doctor") },
    { flag: "--no-color", help: "no colours" },
    { flag: "--verbose", help: "show the stack of errors" },
  ],
};

/** The flags that verbs share, in the order of the help. */
export const sections: readonly Section[] = [
  ...[text, records, cleaning, selection, shards, model, trainSection, distill, budget, hub, run],
];

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
