/** What a process that runs llama.cpp can be asked, and what it answers. */
import type { Trial } from "../../../evaluate/parity/trial.ts";
import type { Probe, Probed } from "../../../evaluate/probe.ts";
import { answerOf, type ProcessOptions } from "../process.ts";
import type { Continuing, ScoredRows } from "../target.ts";

/** Where the package and the model are, and by how many threads it computes. */
export interface LlamaPlaced {
  /** Path of node-llama-cpp's entry. */
  readonly library: string;
  /** Path of the GGUF file. */
  readonly file: string;
  /** 0 means as many as there are. */
  readonly threads: number;
}

/** By its kind: what a job says, and what is answered. */
export interface LlamaJobs {
  readonly trial: {
    /** Path of the reference's file. */
    readonly asked: { readonly reference: string };
    readonly result: Trial & {
      /** Name and version of the runtime. */
      readonly engine: string;
      /** Growth of the resident set from before loading to the end. */
      readonly memoryBytes: number;
    };
  };
  readonly probe: { readonly asked: { readonly probed: Probed }; readonly result: Probe };
  readonly score: { readonly asked: { readonly rows: readonly ScoredRows[] }; readonly result: Float32Array };
  readonly write: { readonly asked: Continuing; readonly result: readonly (readonly number[])[] };
  /** Whether the package and its binary can be loaded; the file is not looked at. */
  readonly check: { readonly asked: object; readonly result: { readonly engine: string } };
}

/** A job of any kind. */
export type LlamaJob = {
  readonly [K in keyof LlamaJobs]: LlamaPlaced & { readonly kind: K } & LlamaJobs[K]["asked"];
}[keyof LlamaJobs];

/** Does a job in a fresh process. Throws RunError where it fails, dies or is ended. */
export const inLlama = <K extends keyof LlamaJobs>(
  job: LlamaPlaced & { readonly kind: K } & LlamaJobs[K]["asked"],
  options: ProcessOptions,
): Promise<LlamaJobs[K]["result"]> => answerOf("llama/worker", job, options);
