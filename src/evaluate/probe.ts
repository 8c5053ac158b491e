/** Speed, load time and memory of a model's graphs where they run. */
import type { Session } from "../engine/engine.ts";
import { exactly, type Figures, once } from "../metrics/metric.ts";
import { headOf } from "../models/head.ts";
import type { CacheShape, Model, Seq2SeqArchitecture } from "../models/model.ts";
import { decoderOf } from "../serve/decode/decoding.ts";
import { seq2seqDecoderOf } from "../serve/decode/seq2seqDecoder.ts";
import type { GraphName } from "../serve/graphs/graphs.ts";
import { measureReading, measureSpeed, measureTranslating, type Speed } from "./speed.ts";

/** Whether a model generates token by token, reads whole texts, or does one after the other. */
export type Does = "generates" | "reads" | "translates";

/** What is measured, but for where its files are. */
export interface Probed {
  readonly does: Does;
  readonly shape: CacheShape;
  /** Ids that texts are drawn from. */
  readonly vocab: number;
  /** What translates: the decoder's first id, and the one that pads. */
  readonly start?: number;
  readonly pad?: number;
}

/** What running a model in a process of its own shows: its speed, loadMs, memoryBytes. */
export type Probe = Speed;

/** What there is to measure of a model. */
export const probeOf = ({ arch, config }: Pick<Model, "arch" | "config">, vocab: number): Probed => {
  const shape = arch.cache(config);
  if (arch.kind === "seq2seq") {
    const { start, pad } = (arch as Seq2SeqArchitecture).tokens(config);
    return { does: "translates", shape, vocab, start, pad };
  }
  return { does: headOf(arch, config) === "causal-lm" ? "generates" : "reads", shape, vocab };
};

/** Loads a graph; one that generates has its cache written in place. */
export type LoadGraph = (name: GraphName, options: { readonly inPlace: boolean }) => Promise<Session>;

/** Loads the graphs, and gives what measures them. */
const loaded: Readonly<Record<Does, (load: LoadGraph, probed: Probed) => Promise<() => Promise<Speed>>>> = {
  async generates(load, { shape, vocab }) {
    const decoder = decoderOf(await load("model", { inPlace: true }), shape);
    return () => measureSpeed(decoder, { vocab });
  },
  async reads(load, { shape, vocab }) {
    const session = await load("model", { inPlace: false });
    return () => measureReading(session, { vocab, positions: shape.positions });
  },
  async translates(load, { shape, vocab, start = 0, pad = 0 }) {
    const encoder = await load("encoder_model", { inPlace: false });
    const decoder = await load("decoder_model_merged", { inPlace: false });
    const both = seq2seqDecoderOf({ encoder, decoder }, shape, pad);
    return () => measureTranslating(both, { vocab, start });
  },
};

/** Loads a model's graphs and measures them; `memory` says how many bytes this place has taken so far. */
export const measureGraphs = async (
  probed: Probed,
  load: LoadGraph,
  memory: () => number,
): Promise<Probe> => {
  const before = memory();
  const start = performance.now();
  const run = await loaded[probed.does](load, probed);
  const loadMs = performance.now() - start;
  const { figures, ...rest } = await run();
  const taken: Figures = { loadMs: once(loadMs), memoryBytes: once(Math.max(0, memory() - before)) };
  return { figures: { ...figures, ...taken }, ...rest };
};

/** The size of a model's files, which is known for certain. */
export const sizeFigure = (bytes: number): Figures => ({ sizeBytes: exactly(bytes) });
