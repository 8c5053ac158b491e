/** What an evaluation is asked, and what it finds. */
import type { Engine } from "../../engine/engine.ts";
import type { Probe } from "../../evaluate/probe.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Said } from "../../report/tuned/model.ts";
import type { ExportDtype } from "../../ship/onnx/dtype.ts";
import type { Row } from "../../tasks/records.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { Scored } from "./scored.ts";
import type { Subject } from "./subject.ts";

/** How a model is evaluated. */
export interface EvalOptions {
  /** The folder's own default unless told. */
  readonly dtype?: string;
  /** Where speed and memory are measured: node-cpu unless told. */
  readonly target?: string;
  /** Most pairs that are measured: 200 to translate, all that are scored, unless told. */
  readonly limit?: number;
  /** The model whose vectors are to be agreed with: the folder's own weights in float32 unless told. */
  readonly reference?: string;
  /** A task file of lm-evaluation-harness, which says what a decoder is asked. */
  readonly taskFile?: string;
  /** Beams of a model that translates; what its files say unless told. */
  readonly beams?: number;
  /** JSON lines of what was predicted, one for each example. */
  readonly predictions?: string;
  /** A page of HTML with what was measured and where the model is wrong. */
  readonly report?: string;
}

/** One example: what was read, what was to be said, what was said. */
export interface Prediction {
  readonly input: string | readonly string[];
  readonly reference: string | number | readonly string[];
  readonly prediction: string | number | readonly string[];
  /** Of this example alone: the task says in what. */
  readonly score?: number;
  /** "file:line" of the record. */
  readonly id?: string;
  /** Entities in the text, in characters. */
  readonly spans?: readonly {
    readonly start: number;
    readonly end: number;
    readonly label: string;
    readonly text: string;
  }[];
  /** By label, where there may be several. */
  readonly scores?: Readonly<Record<string, number>>;
  /** The words of a text whose words are labelled, and how probable each label that was said was found. */
  readonly words?: readonly string[];
  readonly wordScores?: readonly number[];
}

/** What an evaluator found. */
export interface Quality {
  /** "4096 tokens of held-out text" */
  readonly measuredOn: string;
  readonly figures: Figures;
  readonly predictions?: readonly Prediction[];
  /** What decides beside another model; none of what is told of no other. */
  readonly scored?: Scored;
  /** What was said of the records, for a report. */
  readonly said?: Said;
}

/** What an evaluator works with. */
export interface Asked {
  readonly engine: Engine;
  readonly subject: Subject;
  readonly given: EvalOptions;
  readonly options: RunOptions;
  readonly hooks: RecipeHooks;
  /** Records that were read already; else those of the user's files. */
  readonly rows?: readonly Row[];
  /** Adapters that stand on the reference. */
  readonly referenceAdapters?: readonly string[];
}

/** How models of a task are evaluated: by their graphs' files, the bytes that are shipped. */
export interface Evaluator {
  /** Options that mean something to it, besides the dtype. */
  readonly takes: readonly Exclude<keyof EvalOptions, "dtype" | "target" | "report">[];
  /** Whether it writes a text for each record: a report has few of them. */
  readonly writes?: true;
  /** Whether the model is always compared with the one that it was. */
  readonly compares?: true;
  /** Throws ConfigError or DataError where the data is not of its kind. */
  measure(asked: Asked): Promise<Quality>;
}

/** Quality and speed of a model in one dtype. */
export interface Evaluation extends Probe {
  readonly model: string;
  /** Name of its task. */
  readonly task: string;
  readonly dtype: ExportDtype;
  /** Whether the graphs are the folder's own files, or were made of its weights. */
  readonly graphs: "shipped" | "made";
  readonly measuredOn: string;
  /** The task's, then size, speed and memory. */
  readonly figures: Figures;
}
