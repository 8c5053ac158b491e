/** What a model is trained and judged for: one literal a file, found by the table in `index.ts`. */
import type { TokenSource } from "../data/batch/batches.ts";
import type { PieceSource } from "../data/batch/windows.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Head, Model, Outputs } from "../models/model.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { ConfigError } from "../util/errors.ts";
import type { Objective } from "./objective.ts";
import type { Example, Examples, RecordOptions, RecordTask } from "./records.ts";
import type { DistillOptions, Teaching } from "./teaching/distillation.ts";

// B batch, T context

/** Micro-batch `index` of a run: a pure function of it, so that a run goes on exactly. */
export type BatchSource = (index: number) => Feeds | Promise<Feeds>;

/** Held-out batches: of one shape, or of a few, each compiled for. */
export interface HeldOut {
  readonly windows: readonly Feeds[];
  /** UTF-8 bytes of the text whose tokens are all counted once; absent where a task counts some of them. */
  readonly bytes?: number;
  /** The examples in the order of the rows, behind which the last window may have rows of nothing. */
  readonly examples?: readonly Example[];
}

/** What a model's start is made of besides the examples. */
export interface StartOptions {
  readonly tokenizer: Tokenizer;
  readonly seed: number;
  readonly records: RecordOptions;
}

/** What of a model's outputs on a batch is looked at, by name. */
export type Says = (
  outputs: Outputs,
  batch: Readonly<Record<string, Value>>,
) => Readonly<Record<string, Value>>;

/** How held-out batches are judged where that is not by the loss. */
export interface Judge {
  /** "accuracy" */
  readonly name: string;
  readonly better: "less" | "more";
  readonly says: Says;
  /** The figure of what was said of the held-out batches, in their order. */
  figure(said: readonly Readonly<Record<string, Tensor>>[]): number;
}

/** Tokens of a row; of a pair those of the source and of the target. */
export type Width = number | { readonly source: number; readonly target: number };

/** What a model learns from, made of a user's data. */
export interface Lesson {
  readonly objective: Objective;
  /** Tokens of a row of `inputIds`; of the longest where there are several widths. */
  readonly context: number;
  /** The widths that rows have, where batches are of texts of like length. */
  readonly widths?: readonly Width[];
  /** Batches that go once through the data, where it has a last example. */
  readonly epoch?: number;
  readonly source: BatchSource;
  readonly heldOut: HeldOut;
  /** What the best weights are told by; the loss unless told. */
  readonly judge?: Judge;
  /** Share of the tokens of an epoch that are padding. */
  readonly padding?: number;
  /** What the user is told of the batches. */
  readonly notes?: readonly string[];
}

/** Running text as tokens; an end token stands behind each document. */
export interface TokenText {
  readonly kind: "text";
  readonly train: TokenSource;
  readonly validation: Uint32Array;
  /** Windows that documents were laid into, where they were: the tokens of `train`. */
  readonly packed?: {
    readonly tokens: PieceSource;
    /** Tokens of a window: the context and one more. */
    readonly window: number;
    readonly documentMask: boolean;
  };
}

/** A text and what is to be said for it, as token ids. */
export interface TextPair {
  readonly source: ArrayLike<number>;
  /** With the end token, without the start token. */
  readonly target: ArrayLike<number>;
}

/** Sources and what is to be said for each. */
export interface TokenPairs {
  readonly kind: "pairs";
  readonly train: readonly TextPair[];
  readonly validation: readonly TextPair[];
}

/** A user's data as tokens. */
export type Material = TokenText | TokenPairs | Examples;

/** The model that learns, its tokenizer, and how much a batch and the held-out part take. */
export interface LessonOptions {
  /** No weights are looked at. */
  readonly model: Omit<Model, "weights" | "history">;
  readonly tokenizer: Tokenizer;
  /** Rows of a batch. */
  readonly batch: number;
  /** Most tokens of a row. */
  readonly context: number;
  readonly seed: number;
  /** Most held-out tokens that are taken. */
  readonly heldOutTokens: number;
  /** Masked language modelling: whole words are masked together. */
  readonly wholeWords?: boolean;
  /** How records are taken: weights of classes, smoothing. */
  readonly records?: RecordOptions;
}

/** The figure that a task's models are compared by. */
export interface Criterion {
  /** "bits per byte" */
  readonly name: string;
  /** What scores are counted in: "nats per token". */
  readonly unit: string;
  /** What a score is of: "token". */
  readonly example: string;
  readonly better: "less" | "more";
  /** Neighbouring examples that are drawn together for its interval; 1, all independent, unless told. */
  readonly block?: number;
  /** The figure that scores of the held-out examples amount to: a monotone function of their mean. */
  of(scores: Float32Array, heldOut: HeldOut): number;
}

/** Scores a model on the held-out data, example by example, in the metric's unit. */
export type Scorer = (model: Model) => Promise<Float32Array>;

/** A model as it learns a task, with what learns beside it. */
export interface Pupil {
  readonly model: Model;
  /** The trained model without what learnt beside it. */
  finish(trained: Model): Model;
}

/** What a model is trained and judged for. */
export interface Task {
  /** "causal-lm" */
  readonly name: string;
  /** What transformers.js calls it. */
  readonly pipeline: string;
  /** Heads of the models that do it. */
  readonly heads: readonly Head[];
  /** What it is trained on, the first being usual. */
  readonly reads: readonly Material["kind"][];
  readonly criterion: Criterion;
  /** What its loss is counted in: "nats per token" unless told; "" where that has no name. */
  readonly lossUnit?: string;
  /** Other figures of the same scores. */
  readonly metrics?: readonly Criterion[];
  /** How labelled records are its data, where they are. */
  readonly records?: RecordTask;
  /** Rows of a batch that an example takes and that stay together; 1 unless told. */
  readonly rowsOfExample?: number;
  /** Share of the usual learning rate that suits it; 1 unless told. */
  readonly rate?: number;
  /**
   * The material with what the untouched model says of it, where the objective asks for that: computed
   * once, before any lesson.
   */
  prepare?(engine: Engine, model: Model, material: Material, options: LessonOptions): Promise<Material>;
  /** The model with what the examples to train on tell of it before its first update. */
  start?(model: Model, examples: Examples, options: StartOptions): Model;
  /** Of a task that takes more than the model to learn it. */
  pupil?(model: Model, seed: number): Pupil;
  /** The task as it is for one model, where its criterion depends on that. */
  variant?(model: Pick<Model, "config">): Task;
  /** Most tokens of a text that candidates are taught and measured on: a page, a paragraph. */
  readonly textTokens: number;
  /** Whether a lesson is learnt from a teacher alone: there are no labels to train on. */
  readonly taught?: boolean;
  /**
   * Batches and objective. Throws ConfigError or DataError where the material is of another kind or too
   * short, or the tokenizer lacks a token.
   */
  lesson(material: Material, options: LessonOptions): Lesson;
  /** The lesson's held-out batches alone, of which nothing is learnt. Throws as `lesson`. */
  heldOut(material: Material, options: LessonOptions): HeldOut;
  /** How a smaller model learns from a larger one, beside the lesson's own labels. */
  teaching(lesson: Lesson, options: DistillOptions, teacher: Model): Teaching;
  /** Opens the scoring of models; `reference` is what they are compared with where there are no labels. */
  scorer(engine: Engine, heldOut: HeldOut, reference: Model): Promise<Scorer>;
}

/** The material as running text. Throws ConfigError for another kind. */
export const textOf = (material: Material, task: string): TokenText => {
  if (material.kind === "text") return material;
  throw new ConfigError(`${task} learns from running text, and the records are ${material.kind}`, {
    field: "data.paths",
    hint: "name the field with the text with --field",
  });
};
