/** What there is to measure of a model's graphs: speed, load time, memory, size. */
import { exactly, type Figures } from "../metrics/metric.ts";
import { headOf } from "../models/head.ts";
import type { CacheShape, Model, Seq2SeqArchitecture } from "../models/model.ts";
import type { Speed } from "./speed.ts";

/** What a place runs: ONNX graphs, or one file that has weights and tokenizer, for llama.cpp. */
export type Format = "onnx" | "gguf";

/** Whether a model generates token by token, reads whole texts, or does one after the other. */
export type Does = "generates" | "reads" | "translates";

/** What is measured, but for where its files are. */
export interface Probed {
  readonly does: Does;
  readonly shape: CacheShape;
  /** Ids that texts are drawn from. */
  readonly vocab: number;
  /** What translates: the decoder's first id. */
  readonly start?: number;
}

/** What running a model in a process of its own shows: its speed, loadMs, memoryBytes. */
export type Probe = Speed;

/** What there is to measure of a model. */
export const probeOf = ({ arch, config }: Pick<Model, "arch" | "config">, vocab: number): Probed => {
  const shape = arch.cache(config);
  if (arch.kind === "seq2seq") {
    const { start } = (arch as Seq2SeqArchitecture).tokens(config);
    return { does: "translates", shape, vocab, start };
  }
  return { does: headOf(arch, config) === "causal-lm" ? "generates" : "reads", shape, vocab };
};

/** The size of a model's files, which is known for certain. */
export const sizeFigure = (bytes: number): Figures => ({ sizeBytes: exactly(bytes) });
