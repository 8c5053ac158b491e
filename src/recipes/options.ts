/** The options of a whole run, as a config file or flags give them; every field has a value once resolved. */
import type { Gpt2Config } from "../models/gpt2.ts";
import type { OptimizerName } from "../optim/index.ts";
import type { ScheduleOptions } from "../optim/schedule.ts";
import type { Budget } from "../search/budget.ts";

export interface DataOptions {
  /** Files, folders, globs; empty: the Markdown and text files under node_modules. */
  readonly paths: readonly string[];
  /** Field of JSON and CSV records that holds the text. */
  readonly field?: string;
  readonly skipBadRows: boolean;
  /** Share of the bytes held out, by whole documents. */
  readonly validationShare: number;
}

export interface TokenizerOptions {
  readonly kind: "bpe" | "char";
  readonly vocab: number;
}

/** Families that a fresh model can be of. */
export type Family = "gpt2" | "llama" | "qwen2" | "qwen3";

export interface ModelOptions {
  /** A folder or a model of the Hub to go on from: its shape and tokenizer hold; "": a fresh model. */
  readonly from: string;
  /** Family of a fresh model. */
  readonly family: Family;
  readonly n_layer: number;
  readonly n_head: number;
  readonly n_embd: number;
  /** Context length, tokens. */
  readonly n_positions: number;
  readonly dropout: number;
  /** GPT-2's; the other families have SwiGLU. */
  readonly activation_function: Gpt2Config["activation_function"];
}

export interface TrainingOptions {
  readonly steps: number;
  readonly batch: number;
  readonly accumulate: number;
  readonly optimizer: OptimizerName;
  readonly lrPeak: number;
  readonly lrMin: number;
  readonly warmup: number;
  readonly schedule: ScheduleOptions["kind"];
  readonly weightDecay: number;
  /** 0: no clipping. */
  readonly clipNorm: number;
  readonly clipValue: number;
  readonly evalEvery: number;
  readonly checkpointEvery: number;
  /** 0: no early stopping. */
  readonly patience: number;
  readonly onNan: "stop" | "skip";
}

export interface DistillationOptions {
  readonly steps: number;
  readonly lrPeak: number;
  readonly alpha: number;
  readonly temperature: number;
  /** Layers that the student keeps; 0: half of the teacher's. */
  readonly layers: number;
}

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
  readonly distill: DistillationOptions;
  readonly budget: Budget;
}

/** What a run uses where neither a config file nor a flag says otherwise: minutes on two cores. */
export const defaults: RunOptions = {
  seed: 1,
  out: "anneal-out",
  threads: 0,
  data: { paths: [], skipBadRows: false, validationShare: 0.06 },
  tokenizer: { kind: "bpe", vocab: 2048 },
  model: {
    from: "",
    family: "gpt2",
    n_layer: 4,
    n_head: 4,
    n_embd: 128,
    n_positions: 128,
    dropout: 0,
    activation_function: "gelu_new",
  },
  train: {
    steps: 640,
    batch: 8,
    accumulate: 1,
    optimizer: "muon",
    lrPeak: 4e-3,
    lrMin: 2e-4,
    warmup: 50,
    schedule: "cosine",
    weightDecay: 0.1,
    clipNorm: 1,
    clipValue: 0,
    evalEvery: 160,
    checkpointEvery: 200,
    patience: 0,
    onNan: "stop",
  },
  distill: { steps: 300, lrPeak: 2e-3, alpha: 0.9, temperature: 1, layers: 0 },
  budget: { maxLoss: 0.1 },
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
