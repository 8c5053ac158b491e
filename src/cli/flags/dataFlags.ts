/** Flags of what is read, cleaned and laid out. */
import { common, type Flag, given, learning, onData, reading, row, type Section, tuning } from "./flag.ts";

/** What is read. */
export const text: Section = {
  title: "Text",
  verbs: reading,
  flags: [
    row("--data <paths...>", "data.paths", "files, folders, globs: .txt .md .jsonl .csv ...", {
      verbs: given,
      common: given.filter((verb) => verb !== "data"),
    }),
    row("--validation <paths...>", "data.validation", "files held out (else a share of the data)", {
      verbs: ["train", "finetune", "distill", "eval"],
      common: ["finetune", "distill", "eval"],
    }),
    row("--field <name>", "data.field", "field of JSON and CSV records with the text", {
      verbs: given,
      ...common,
    }),
    row("--columns <names...>", "data.columns", "of a table without a header", {
      verbs: ["finetune", "distill", "eval", "optimize"],
      common: ["finetune"],
    }),
    row("--validation-share <x>", "data.validationShare", "share of the text held out", {
      verbs: given,
      common: ["data", "eval", "train", "finetune"],
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

/** What the labels of records are. */
export const records: Section = {
  title: "Labels",
  verbs: ["finetune", "distill", "eval", "optimize"],
  flags: [
    row("--task <name>", "task.name", "what the records are for; found out unless told", {
      verbs: ["finetune", "eval", "optimize"],
      common: ["finetune"],
      parse: (word) => (word === "classify" ? "sequence-classification" : word),
    }),
    row("--label-field <names...>", "task.labelFields", "field of the label; several: a column each", {
      common: ["finetune"],
    }),
    row("--pair-field <name>", "task.pairField", "field of the second text of a pair", {
      verbs: [...tuning, "eval", "optimize"],
    }),
    row("--problem <kind>", "task.problem", "what labels are", { verbs: ["finetune"] }),
    row("--labels <names...>", "task.labels", "all labels, in the order of their ids", {
      verbs: ["finetune"],
    }),
    row("--class-weights <how>", "task.classWeights", "weights of classes", {
      verbs: ["finetune"],
    }),
    row("--token-dropout <x>", "task.tokenDropout", "share of tokens hidden at each look at a text", {
      verbs: ["finetune", "distill"],
    }),
    row("--linear-start", "task.linearStart", "embeddings begin with a linear model of the texts", {
      verbs: ["finetune"],
    }),
    row("--linear-teacher <n>", "task.linearTeacher", "made-up texts a record that a linear model labels", {
      verbs: ["finetune"],
    }),
    row("--label-smoothing <x>", "task.labelSmoothing", "share of the target that all classes get", {
      verbs: ["train", "finetune"],
    }),
    row("--too-long <policy>", "task.tooLong", "examples of more tokens than the context"),
    row("--label-pieces <which>", "task.labelPieces", "pieces of a word that bear its label", {
      verbs: ["finetune", "distill", "optimize"],
    }),
  ],
};

/** Which side of translations and summaries is which. */
export const pairs: Section = {
  title: "Translations and summaries",
  verbs: ["train", "finetune", "distill", "eval", "optimize"],
  flags: [
    row("--source-lang <name>", "task.sourceLang", "column, key or file's end of what is read, such as en"),
    row("--target-lang <name>", "task.targetLang", "the same of what is to be said for it"),
    row("--prefix <text>", "task.prefix", "what stands before each text, such as 'summarize: '"),
  ],
};

/** What is learnt of chats and of preferences. */
export const chats: Section = {
  title: "Chats and preferences",
  verbs: ["finetune"],
  flags: [
    row("--turns <which>", "task.turns", "what is learnt of a chat: the assistant's turns, the last, all"),
    row("--chat-template <how>", "task.chatTemplate", "none: prompts and completions are texts as they are"),
    row("--packed", "task.packed", "chats share rows of the context; none sees another"),
    row("--beta <x>", "task.beta", "preferences: how dear leaving the untouched model is"),
    row("--desirable-weight <x>", "task.desirableWeight", "weight of good answers (kto)"),
    row("--undesirable-weight <x>", "task.undesirableWeight", "weight of other answers (kto)"),
  ],
};

/** How sentence embeddings are learnt and measured. */
export const sentences: Section = {
  title: "Sentence embeddings",
  verbs: ["finetune"],
  flags: [
    row("--loss <name>", "task.loss", "what vectors are learnt by; auto: the usual one of the records"),
    row("--scale <x>", "task.scale", "factor of cosines, 1 over the temperature"),
    row("--margin <x>", "task.margin", "how much further a wrong text has to be; 0: as is usual"),
    row("--dims <n...>", "task.dims", "widths that vectors can be cut to", { verbs: ["finetune", "eval"] }),
    row("--hard-negatives <n>", "task.hardNegatives", "wrong texts that the model finds for each; 0: none"),
    row(
      "--negative-margin <x>",
      "task.negativeMargin",
      "share by which these are less near than the right one",
    ),
    row("--negative-range-min <n>", "task.negativeRangeMin", "nearest texts that are passed over"),
    row("--pooling <mode>", "task.pooling", "how tokens become a vector; auto: the model's own way"),
    row("--chunk <n>", "train.chunk", "texts in memory at once; 0: the whole batch"),
  ],
};

/** What is done to text. */
export const cleaning: Section = {
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
/** What of it is taken, and how it is laid out. */
export const selection: Section = {
  title: "Selection, mixing, packing",
  verbs: reading,
  flags: [
    row("--like <paths...>", "data.like", "files that the text is to be like", onData),
    row("--like-share <x>", "data.likeShare", "share of the text that is selected to be like them"),
    row("--mix <weights...>", "data.mix", "shares of the sources, SOURCE=WEIGHT", { ...learned, ...onData }),
    row("--mix-temperature <x>", "data.temperature", "mix by size ^ (1 / x); 0: as they come", learned),
    row("--max-epochs <x>", "data.maxEpochs", "most times that a source is repeated in a mix", learned),
    row("--packing <kind>", "data.packing", "how documents lie in windows", learned),
    row("--document-mask", "data.documentMask", "see and predict nothing across documents", learned),
  ],
};

/** What comes out. */
export const shards: Section = {
  title: "What is written",
  verbs: ["data"],
  flags: [
    row("--format <kind>", "data.format", "form", common),
    row("--gzip", "data.gzip", "gzip JSON lines"),
    row("--test-share <x>", "data.testShare", "share of the text for a last test", common),
    { flag: "--shard <i/n>", help: "parts of every n-th file alone, to be merged", ...common },
  ],
};
