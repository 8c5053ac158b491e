/** What a flag is, the verbs, and which of them share flags. */

/** The verbs, and what each is for. */
export const verbs = {
  quickstart: "from raw text to a small, fast, verified model",
  data: "clean, deduplicate and pack text",
  train: "train a model on text",
  finetune: "tune a model on labelled records",
  sweep: "search hyperparameters of train or finetune",
  optimize: "make a trained model fit a budget",
  eval: "measure a model's quality and speed",
  compare: "tell two models apart, for CI by exit code",
  generate: "write text with a model",
  distill: "teach a smaller model by a larger one",
  quantize: "store a model's matrices in 4 or 8 bits",
  prune: "cut layers and tokens off a model",
  export: "write a model in any dtypes, for transformers.js",
  verify: "check a model's files where they are to run",
  launch: "start train, finetune, sweep, optimize or data on several processes or machines",
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
  /** What 0 means, where it is the default of some verbs alone. */
  readonly zero?: string;
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

/** The flag of a field. */
export const row = (flag: string, field: string, help: string, more: Partial<Flag> = {}): Flag => ({
  flag,
  field,
  help,
  ...more,
});

/** What trains a model from nothing. */
export const training: readonly VerbName[] = ["quickstart", "train"];
/** What trains for a while, be it on text or on records. */
export const tuning: readonly VerbName[] = [...training, "finetune", "distill"];
/** What reads text to train on. */
export const learning: readonly VerbName[] = [...training, "data", "optimize"];
/** What reads text. */
export const reading: readonly VerbName[] = [...learning, "eval", "distill", "quantize", "prune", "export"];
/** All verbs. */
export const every = Object.keys(verbs) as VerbName[];
/** What has options of a run: a config file, a seed, threads. */
export const running: readonly VerbName[] = [...reading, "compare", "finetune", "generate", "verify"];
/** What reads records or text. */
export const given: readonly VerbName[] = [...reading, "finetune"];
/** Shown by each verb. */
export const common = { common: true } as const;
/** Shown by `data`. */
export const onData = { common: ["data"] } as const;
