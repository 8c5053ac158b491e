/** The options of a whole run, as a config file or flags give them; every field has a value once resolved. */

import type { Packing } from "../../data/batch/tokenShards.ts";
import type { PipelineSettings } from "../../data/pipeline/stages.ts";
import type { Gpt2Config } from "../../models/decoders/gpt2.ts";
import type { Limit } from "../../search/figures.ts";
import { type RecordOptions, recordDefaults } from "../../tasks/records.ts";
import { type AdapterOptions, adapterDefaults } from "./adapter.ts";
import { type SearchOptions, searchDefaults } from "./search.ts";
import type { TrainingOptions } from "./training.ts";

export type { AdapterOptions } from "./adapter.ts";
export type { SearchOptions } from "./search.ts";
export type { TrainingOptions } from "./training.ts";

/** What is read, and what is done to it. */
export interface DataOptions {
  /** Files, folders, globs; empty: the Markdown and text files under node_modules. */
  readonly paths: readonly string[];
  /** Field of JSON and CSV records that holds the text. */
  readonly field?: string;
  readonly skipBadRows: boolean;
  /** Names of the columns of tables whose first row is none of names. */
  readonly columns: readonly string[];
  /** Files that are held out whole; none: a share of the data is. */
  readonly validation: readonly string[];
  /** Share of the bytes held out, by whole documents. */
  readonly validationShare: number;
  /** Share of the bytes for a last test, by whole documents; 0: none. */
  readonly testShare: number;
  /** Of what is not UTF-8: "utf-8" refuses it, "auto" finds it out, a name such as "windows-1251" says it. */
  readonly encoding: string;
  /** The character between the columns of tables, or "tab"; found out unless told. */
  readonly delimiter?: string;
  /** Unicode normalization. */
  readonly unicode: "NFC" | "NFKC";
  /** What happens to missing fields, as "FIELD=drop", "FIELD=default:VALUE" or "FIELD=fill:OTHER". */
  readonly missing: readonly string[];
  /** Fields that name a record's source and its group, which stays on one side of a split. */
  readonly sourceField?: string;
  readonly groupField?: string;
  /** Presets of filter rules: none, default, gopher, c4, fineweb. */
  readonly rules: readonly string[];
  /** Rules with thresholds of one's own, as "RULE=VALUE", or "RULE=off". */
  readonly thresholds: readonly string[];
  /** Languages to keep, ISO 639-1; none: all. */
  readonly languages: readonly string[];
  /** Whether personal data (e-mail, phone, cards, addresses) become placeholders. */
  readonly personal: boolean;
  /** Evaluation files whose text must not be in the data. */
  readonly decontaminate: readonly string[];
  /** How near-duplicates are found: a published banding of MinHash, or "off". */
  readonly near: PipelineSettings["near"];
  /** Bands, rows and words of a shingle in place of the banding's own; 0: its own. */
  readonly bands: number;
  readonly rows: number;
  readonly shingle: number;
  /** Which document of a cluster of near-duplicates stays. */
  readonly keep: PipelineSettings["keep"];
  /** What is dropped where earlier documents have it: lines, paragraphs, or neither. */
  readonly lines: PipelineSettings["lines"];
  /** Least length of verbatim repetitions that are cut, characters; 0: none are. */
  readonly substrings: number;
  /** Files that the text is to be like; none: no selection. */
  readonly like: readonly string[];
  /** Share of the bytes that is selected. */
  readonly likeShare: number;
  /** Shares of the sources, as "SOURCE=WEIGHT". */
  readonly mix: readonly string[];
  /** Shares by the sources' sizes ^ (1 / temperature) where no weights are given; 0: as they come. */
  readonly temperature: number;
  /** Most times that a source is repeated in a mix. */
  readonly maxEpochs: number;
  /** What `anneal data` writes. */
  readonly format: "tokens" | "jsonl" | "parquet";
  /** Whether JSON lines are gzipped. */
  readonly gzip: boolean;
  /** How documents are laid into windows of the context. */
  readonly packing: Packing;
  /** Whether training leaves out what crosses from one document to the next. */
  readonly documentMask: boolean;
}

/** Which tokenizer is learnt, and how large. */
export interface TokenizerOptions {
  readonly kind: "bpe" | "char";
  readonly vocab: number;
}

/** Families that a fresh model can be of. */
export const families = [
  ...(["gpt2", "llama", "qwen2", "qwen3"] as const),
  ...(["bert", "roberta", "distilbert", "electra", "modernbert"] as const),
  ...(["t5", "marian"] as const),
] as const;
/** One of them. */
export type Family = (typeof families)[number];

/** The shape of a fresh model, or the one to go on from. */
export interface ModelOptions {
  /** A folder or a model of the Hub to go on from: its shape and tokenizer hold; "": a fresh model. */
  readonly from: string;
  /** Folders of adapters that stand on it, each on those before it. */
  readonly adapters: readonly string[];
  /** Whether the vocabulary is cut to the tokens of the user's text. */
  readonly cutVocab?: boolean;
  /** Family of a fresh model. */
  readonly family: Family;
  readonly n_layer: number;
  readonly n_head: number;
  readonly n_embd: number;
  /** Context length, tokens. */
  readonly n_positions: number;
  /** Rate of dropout; unless told a checkpoint's own, and 0 of a fresh model. */
  readonly dropout?: number;
  /** GPT-2's; the other families have SwiGLU. */
  readonly activation_function: Gpt2Config["activation_function"];
}

/** What a model is fine-tuned for, and how records are taken. */
export interface TaskOptions extends Omit<RecordOptions, "field"> {
  /** Name of the task; "": found out from the columns. */
  readonly name: string;
}

/** How the smaller model learns from the larger. */
export interface DistillationOptions {
  readonly steps: number;
  /** 0: by the width of the model. */
  readonly lrPeak: number;
  readonly alpha: number;
  readonly temperature: number;
  /** Layers that the student keeps; 0: half of the teacher's. */
  readonly layers: number;
}

/** What the chosen candidate may cost, and has to keep: all of it. */
export interface BudgetOptions {
  /** Largest size of the model's graphs, megabytes (10^6 bytes): sizeBytes<=... */
  readonly maxMb?: number;
  /** Longest median time of a step (a token, a text), milliseconds: p50Ms<=... */
  readonly maxMs?: number;
  /** Most that may be lost of the task's figure against the start, in its own units: lost<=... */
  readonly maxLoss?: number;
  /** Least share that has to be kept of the start's figure: kept>=... */
  readonly minQuality?: number;
  /** Limits on any figures, as objects or as texts: "p95Ms<=5", "memoryBytes<=200MB", "accuracy>=0.98x". */
  readonly limits: readonly (string | Limit)[];
  /** Where candidates are measured, such as node-cpu and web-wasm; the first is the usual one. */
  readonly targets: readonly string[];
}

/** All options of a run. */
export interface RunOptions {
  readonly seed: number;
  /** Folder of the result: OUT/model is shipped, OUT/run holds metrics and checkpoints. */
  readonly out: string;
  /** Threads of the engine; 0: all cores. */
  readonly threads: number;
  readonly data: DataOptions;
  readonly tokenizer: TokenizerOptions;
  readonly model: ModelOptions;
  readonly train: TrainingOptions;
  readonly task: TaskOptions;
  readonly adapter: AdapterOptions;
  readonly distill: DistillationOptions;
  readonly budget: BudgetOptions;
  readonly search: SearchOptions;
}

/** What a run uses where neither a config file nor a flag says otherwise: minutes on two cores. */
export const defaults: RunOptions = {
  seed: 1,
  out: "anneal-out",
  threads: 0,
  data: {
    paths: [],
    columns: [],
    validation: [],
    skipBadRows: false,
    validationShare: 0.06,
    testShare: 0,
    encoding: "utf-8",
    unicode: "NFC",
    missing: [],
    rules: ["default"],
    thresholds: [],
    languages: [],
    personal: false,
    decontaminate: [],
    near: "fineweb",
    bands: 0,
    rows: 0,
    shingle: 0,
    keep: "first",
    lines: "paragraph",
    substrings: 0,
    like: [],
    likeShare: 0.1,
    mix: [],
    temperature: 0,
    maxEpochs: 4,
    format: "tokens",
    gzip: false,
    packing: "concat",
    documentMask: false,
  },
  tokenizer: { kind: "bpe", vocab: 2048 },
  model: {
    from: "",
    adapters: [],
    family: "gpt2",
    n_layer: 4,
    n_head: 4,
    n_embd: 128,
    n_positions: 128,
    activation_function: "gelu_new",
  },
  train: {
    steps: 640,
    epochs: 0,
    batch: 8,
    accumulate: 1,
    chunk: 0,
    replicas: 0,
    ...{
      zero: 1,
      pipeline: false,
      localSteps: 0,
      overlap: 0,
      outerLr: 0.8,
      outerMomentum: 0.5,
      wire: "float32",
    },
    optimizer: "muon",
    lrPeak: 4e-3,
    lrMin: 2e-4,
    warmup: 50,
    warmupShare: 0,
    schedule: "cosine",
    weightDecay: 0.1,
    wholeWords: false,
    freeze: [],
    freezeLayers: 0,
    freezeEmbeddings: false,
    layerDecay: 1,
    baseWidth: 0,
    recompute: false,
    lossRows: 0,
    ema: 0,
    averageLast: 0,
    clipNorm: 1,
    clipValue: 0,
    evalEvery: 160,
    checkpointEvery: 200,
    patience: 0,
    onNan: "stop",
  },
  task: { name: "", ...recordDefaults },
  adapter: adapterDefaults,
  distill: { steps: 300, lrPeak: 0, alpha: 0.9, temperature: 1, layers: 0 },
  budget: { limits: [], targets: ["node-cpu"] },
  search: searchDefaults,
};

/** What fine-tuning uses in their place: what BERT's authors and the trainer of transformers do. */
export const finetuneDefaults: RunOptions = {
  ...defaults,
  data: { ...defaults.data, validationShare: 0.1 },
  model: { ...defaults.model, n_positions: 512 },
  train: {
    ...defaults.train,
    ...{ steps: 0, epochs: 3, batch: 16, optimizer: "adamw", schedule: "linear", weightDecay: 0.01 },
    ...{ lrPeak: 0, lrMin: 0, warmup: 0, warmupShare: 0.1, evalEvery: 0, checkpointEvery: 0 },
  },
};

/** What distillation uses: records as fine-tuning does, text in windows as training does. */
export const distillDefaults: RunOptions = {
  ...finetuneDefaults,
  model: { ...defaults.model },
};

type DeepPartial<T> = T extends readonly unknown[] | string | number | boolean
  ? T
  : { readonly [K in keyof T]?: DeepPartial<T[K]> };

/** What a config file holds: any part of the options. */
export type RunConfig = DeepPartial<RunOptions>;

/**
 * Returns `config` as it is; gives anneal.config.ts its types: `export default defineConfig({ train: { steps:
 * 100 } })`.
 */
export const defineConfig = (config: RunConfig): RunConfig => config;
