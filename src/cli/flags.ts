/** The flags that verbs share: each sets one field of the options, and only when it is given. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { nearNames } from "../data/pipeline/stages.ts";
import { optimizers } from "../optim/index.ts";
import type { RunConfig } from "../recipes/config/options.ts";
import { nearest } from "../util/nearest.ts";

interface Flag {
  readonly flag: string;
  readonly help: string;
  /** Dotted field of the options. */
  readonly field: string;
  readonly choices?: readonly string[];
  readonly kind?: "number" | "text";
}

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new InvalidArgumentError(`"${text}" is not a number.`);
  return value;
};

/** Reads an option's number of at least `least`. Throws commander's InvalidArgumentError. */
export const numberFrom =
  (least: number, { most = Number.POSITIVE_INFINITY, whole = false } = {}) =>
  (text: string): number => {
    const value = number(text);
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    const range = most === Number.POSITIVE_INFINITY ? `at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be ${whole ? "a whole number, " : ""}${range}.`);
  };

const oneOf =
  (names: readonly string[]) =>
  (text: string): string => {
    if (names.includes(text)) return text;
    const near = nearest(text, names);
    const hint = near === undefined ? "" : `\n(Did you mean ${near}?)`;
    throw new InvalidArgumentError(`Allowed choices are ${names.join(", ")}.${hint}`);
  };

const n = (flag: string, field: string, help: string): Flag => ({ flag, field, help, kind: "number" });
const t = (flag: string, field: string, help: string, choices?: readonly string[]): Flag =>
  choices === undefined ? { flag, field, help } : { flag, field, help, choices };

/** The groups of flags, by what they are about. */
export const groups = {
  data: [
    t("--data <paths...>", "data.paths", "files, folders or globs (.txt .md .jsonl .csv .tsv, also .gz)"),
    t("--field <name>", "data.field", "field of JSON and CSV records that holds the text"),
    t("--skip-bad-rows", "data.skipBadRows", "count unreadable records instead of stopping"),
    n("--validation-share <x>", "data.validationShare", "share of the text held out"),
    t("--encoding <name>", "data.encoding", "of what is not UTF-8: such as windows-1251; auto finds it out"),
    t(
      "--delimiter <c>",
      "data.delimiter",
      "what stands between columns, such as ';' (found out unless told)",
    ),
    t("--unicode <form>", "data.unicode", "Unicode normalization", ["NFC", "NFKC"]),
    t("--missing <rules...>", "data.missing", "FIELD=drop, FIELD=default:VALUE or FIELD=fill:OTHER"),
    t("--source-field <name>", "data.sourceField", "field that names a record's source"),
    t("--group-field <name>", "data.groupField", "field whose records stay on one side of a split"),
    t("--rules <presets...>", "data.rules", "filter rules: none, default, gopher, c4, fineweb"),
    t("--threshold <rules...>", "data.thresholds", "RULE=VALUE or RULE=off, for single filter rules"),
    t("--languages <codes...>", "data.languages", "languages to keep, such as en de"),
    t("--personal", "data.personal", "turn personal data into placeholders"),
    t("--decontaminate <paths...>", "data.decontaminate", "evaluation files that must not be in the text"),
    t("--near <preset>", "data.near", "how near-duplicates are found", nearNames),
    n("--bands <n>", "data.bands", "bands of near-duplicates (0: the preset's)"),
    n("--rows <n>", "data.rows", "rows of a band (0: the preset's)"),
    n("--shingle <n>", "data.shingle", "words of a shingle (0: the preset's)"),
    t("--keep <rule>", "data.keep", "which near-duplicate stays; best is the cleanest", [
      "first",
      "longest",
      "best",
    ]),
    t("--lines <what>", "data.lines", "repeated text that goes", ["off", "line", "paragraph"]),
    n("--substrings <n>", "data.substrings", "cut verbatim repetitions of so many characters (0: none)"),
    t("--like <paths...>", "data.like", "files that the text is to be like"),
    n("--like-share <x>", "data.likeShare", "share of the text that is selected to be like them"),
    t("--mix <weights...>", "data.mix", "shares of the sources, SOURCE=WEIGHT"),
    n("--mix-temperature <x>", "data.temperature", "mix by size ^ (1 / x) (0: as they come)"),
    n("--max-epochs <x>", "data.maxEpochs", "most times that a source is repeated in a mix"),
  ],
  shards: [
    n("--test-share <x>", "data.testShare", "share of the text for a last test (0: none)"),
    t("--format <kind>", "data.format", "what is written", ["tokens", "jsonl", "parquet"]),
    t("--gzip", "data.gzip", "gzip JSON lines"),
    t("--packing <kind>", "data.packing", "how documents lie in windows", ["concat", "bestFit"]),
    t("--document-mask", "data.documentMask", "predict nothing across documents"),
  ],
  tokenizer: [
    t("--tokenizer <kind>", "tokenizer.kind", "kind of tokenizer", ["bpe", "char"]),
    n("--vocab <n>", "tokenizer.vocab", "tokens in the vocabulary"),
  ],
  model: [
    t("--from <model>", "model.from", "a folder or a model of the Hub to go on from"),
    t("--family <name>", "model.family", "family of a fresh model", [
      "gpt2",
      "llama",
      "qwen2",
      "qwen3",
      "bert",
      "roberta",
      "distilbert",
      "t5",
      "marian",
    ]),
    n("--layers <n>", "model.n_layer", "layers"),
    n("--heads <n>", "model.n_head", "attention heads"),
    n("--width <n>", "model.n_embd", "channels"),
    n("--context <n>", "model.n_positions", "context length, tokens"),
    n("--dropout <x>", "model.dropout", "dropout rate"),
    t("--activation <name>", "model.activation_function", "activation", ["gelu_new", "gelu", "relu"]),
  ],
  train: [
    n("--steps <n>", "train.steps", "updates"),
    n("--batch <n>", "train.batch", "sequences in a micro-batch"),
    n("--accumulate <n>", "train.accumulate", "micro-batches in an update"),
    n("--replicas <n>", "train.replicas", "threads that share each batch (0: as many as pay)"),
    t("--optimizer <name>", "train.optimizer", "optimizer", Object.keys(optimizers)),
    n("--lr <x>", "train.lrPeak", "highest learning rate"),
    n("--lr-min <x>", "train.lrMin", "learning rate at the end"),
    n("--warmup <n>", "train.warmup", "updates of linear warm-up"),
    t("--schedule <kind>", "train.schedule", "schedule", [
      "constant",
      "linear",
      "cosine",
      "wsd",
      "inverseSqrt",
    ]),
    n("--weight-decay <x>", "train.weightDecay", "decoupled weight decay of matrices"),
    t("--whole-words", "train.wholeWords", "mask whole words (encoders)"),
    t("--freeze <patterns...>", "train.freeze", "weights that stay as they are, such as 'transformer.w*'"),
    n("--clip-norm <x>", "train.clipNorm", "largest global norm of gradients (0: none)"),
    n("--clip-value <x>", "train.clipValue", "largest element of a gradient (0: none)"),
    n("--eval-every <n>", "train.evalEvery", "updates between held-out measurements"),
    n("--checkpoint-every <n>", "train.checkpointEvery", "updates between checkpoints"),
    n("--patience <n>", "train.patience", "measurements without gain before stopping (0: never)"),
    t("--on-nan <policy>", "train.onNan", "at a loss that is not finite", ["stop", "skip"]),
  ],
  distill: [
    n("--distill-steps <n>", "distill.steps", "updates of the student"),
    n("--distill-lr <x>", "distill.lrPeak", "highest learning rate of the student"),
    n("--distill-layers <n>", "distill.layers", "layers of the student (0: half)"),
    n("--distill-alpha <x>", "distill.alpha", "share of the teacher in the student's loss"),
    n("--distill-temperature <x>", "distill.temperature", "softening of teacher and student"),
  ],
  budget: [
    n("--max-mb <x>", "budget.maxMb", "largest model file, MB"),
    n("--max-ms <x>", "budget.maxMs", "longest median time of a token, ms"),
    n("--max-loss <x>", "budget.maxLoss", "most bits per byte lost against the full model"),
  ],
  run: [
    n("--seed <n>", "seed", "seed of everything random"),
    t(
      "--out <dir>",
      "out",
      "folder of the result: DIR/model is shipped, DIR/run has metrics and checkpoints",
    ),
    n("--threads <n>", "threads", "threads of the engine (0: all cores)"),
  ],
} satisfies Record<string, Flag[]>;

export type Group = keyof typeof groups;

const all: readonly Flag[] = Object.values(groups).flat();

/** A flag that may be repeated. */
export const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

/** Adds groups of flags, and those that every verb has. */
export const withFlags = (command: Command, ...names: readonly Group[]): Command => {
  for (const { flag, help, choices, kind } of names.flatMap((name): readonly Flag[] => groups[name])) {
    const option = new Option(flag, help);
    if (choices !== undefined) option.choices(choices).argParser(oneOf(choices));
    if (kind === "number") option.argParser(number);
    command.addOption(option);
  }
  return command
    .option("-c, --config <file>", "config file (default: anneal.config.{ts,mjs,js,json,yaml})")
    .option(
      "--set <key=value>",
      "set any field of the config, such as train.steps=100; may be repeated",
      collect,
    )
    .option("--print-config", "print the resolved options as YAML with their hash, and leave")
    .option("--json", "print one JSON object and nothing else on stdout")
    .option("-q, --quiet", "no progress");
};

/** The given flags as a config. */
export const flagsToConfig = (command: Command): RunConfig => {
  const config: Record<string, unknown> = {};
  for (const option of command.options) {
    const field = all.find(({ flag }) => flag === option.flags)?.field;
    if (field === undefined || command.getOptionValueSource(option.attributeName()) !== "cli") continue;
    const value: unknown = command.getOptionValue(option.attributeName());
    const [group, name] = field.split(".") as [string, string?];
    if (name === undefined) config[group] = value;
    else config[group] = { ...(config[group] as object | undefined), [name]: value };
  }
  return config as RunConfig;
};
