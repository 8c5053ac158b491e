/** Places where a model's files run: one literal a place, found by the table in `index.ts`. */
import type { Trial } from "../../evaluate/parity/trial.ts";
import type { Format, Probe, Probed } from "../../evaluate/probe.ts";
import type { GraphPaths } from "../../serve/graphs/graphs.ts";

export type { Format };

/** A model's files, made once: what is measured is, byte for byte, what is shipped. */
export interface Artifact {
  /** "q8", "q4_k_m" */
  readonly dtype: string;
  /** Path of each graph by its name; weights beside one are at PATH_data. A GGUF file is "model". */
  readonly graphs: GraphPaths;
}

/** Rows of ids, and what is to be said behind each: IGNORE where that does not count. */
export interface ScoredRows {
  /** Ids [B, T], one row after the other. */
  readonly ids: Int32Array;
  /** [B, T] */
  readonly labels: Int32Array;
  /** T */
  readonly length: number;
}

/** How texts are gone on with. */
export interface Continuing {
  readonly prompts: readonly (readonly number[])[];
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly seed: number;
  readonly stopIds: readonly number[];
}

/** How a place is opened. */
export interface PlaceOptions {
  /** Threads of the processor; 0 means as many as there are. */
  readonly threads: number;
  /** The browser's program; one that is installed unless told. */
  readonly browser?: string;
  /** Longest that one artifact may take, milliseconds. */
  readonly timeoutMs: number;
  /** Whether a page may have WebGPU in software: slow, and only of use to who asks for it. */
  readonly software: boolean;
}

/** A place that is open: each artifact runs in a process or page of its own. */
export interface Place {
  /** Name and version of the runtime, where that is known as it opens. */
  readonly engine?: string;
  /** The browser and the adapter, where there are such. */
  readonly device?: string;
  /** Whether it computes in float16, by a product that was tried; undefined where that is not in question. */
  readonly float16?: boolean;
  /** Compares an artifact with a reference's file. Throws RunError where it cannot be loaded or run. */
  trial(artifact: Artifact, reference: string): Promise<Trial & { readonly engine: string }>;
  /** Measures an artifact's speed and memory. Throws RunError where it cannot be loaded or run. */
  probe(artifact: Artifact, probed: Probed): Promise<Probe>;
  /**
   * What each label costs, nats, in the rows' order; of places whose artifacts compute nowhere else.
   * `onBatch` is told how far it is. Throws RunError where it cannot be loaded or run.
   */
  score?(
    artifact: Artifact,
    rows: readonly ScoredRows[],
    onBatch?: (done: number, of: number) => void,
  ): Promise<Float32Array>;
  /** Tokens that follow each prompt; of the same places. */
  write?(artifact: Artifact, continuing: Continuing): Promise<readonly (readonly number[])[]>;
  /** Ends what is under way, and all that was opened. */
  close(): Promise<void>;
}

/** A place where artifacts run. */
export interface Target {
  /** "onnxruntime-node on the processor" */
  readonly title: string;
  /** What its artifacts are. */
  readonly format: Format;
  /** Throws MissingError where it is not on this machine, with the way to have it. */
  open(options: PlaceOptions): Promise<Place>;
}
