/**
 * Measures a shipped model in a process of its own: load time, speed and the memory it takes, untouched by
 * what the caller holds. Run as a program it is the measuring side.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Engine } from "../../engine/engine.ts";
import {
  measureReading,
  measureSpeed,
  measureTranslating,
  type Probe,
  type Speed,
} from "../../evaluate/speed.ts";
import { headOf } from "../../models/head.ts";
import type { CacheShape, Model, Seq2SeqArchitecture } from "../../models/model.ts";
import { decoderOf } from "../../serve/decode/decoding.ts";
import { seq2seqDecoderOf } from "../../serve/decode/seq2seqDecoder.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";
import { RunError } from "../../util/errors.ts";
import { nodeEngine } from "./engine.ts";
import { loadGraph } from "./graph.ts";

/** What is measured, but for where its files are. */
export interface Probed {
  /** Whether it generates token by token, reads whole texts, or does one after the other. */
  readonly does: "generates" | "reads" | "translates";
  readonly shape: CacheShape;
  /** Ids that texts are drawn from. */
  readonly vocab: number;
  /** What translates: the decoder's first id, and the one that pads. */
  readonly start?: number;
  readonly pad?: number;
}

/** Which graph is measured, and how. */
export interface ProbeRequest extends Probed {
  /** Path of each graph by its name. */
  readonly graphs: Readonly<Partial<Record<GraphName, string>>>;
  readonly threads: number;
}

/** What there is to measure of a model. */
export const probeOf = ({ arch, config }: Pick<Model, "arch" | "config">, vocab: number): Probed => {
  const shape = arch.cache(config);
  if (arch.kind === "seq2seq") {
    const { start, pad } = (arch as Seq2SeqArchitecture).tokens(config);
    return { does: "translates", shape, vocab, start, pad };
  }
  return { does: headOf(arch, config) === "causal-lm" ? "generates" : "reads", shape, vocab };
};

/** What a user of a model waits for: a token of what generates, a text of what reads. */
export const stepOf = (model: Model): string => (probeOf(model, 1).does === "reads" ? "text" : "token");

/** Loads the graphs, and gives what measures them. */
const loaded: Readonly<
  Record<Probed["does"], (engine: Engine, request: ProbeRequest) => Promise<() => Promise<Speed>>>
> = {
  async generates(engine, { graphs, shape, vocab }) {
    const decoder = decoderOf(await loadGraph(engine, graphs.model!), shape);
    return () => measureSpeed(decoder, { vocab });
  },
  async reads(engine, { graphs, shape, vocab }) {
    const session = await engine.load(graphs.model!);
    return () => measureReading(session, { vocab, positions: shape.positions });
  },
  async translates(engine, { graphs, shape, vocab, start = 0, pad = 0 }) {
    const encoder = await engine.load(graphs.encoder_model!);
    const decoder = await engine.load(graphs.decoder_model_merged!);
    const both = seq2seqDecoderOf({ encoder, decoder }, shape, pad);
    return () => measureTranslating(both, { vocab, start });
  },
};

const measure = async (request: ProbeRequest): Promise<Probe> => {
  const engine = await nodeEngine({ threads: request.threads });
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const run = await loaded[request.does](engine, request);
  const loadMs = performance.now() - start;
  const figures = await run();
  return { ...figures, loadMs, memoryBytes: process.memoryUsage.rss() - before };
};

/** The compiled form of this file, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/runtime/probe.js", import.meta.url));

/** A native log without its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const plain = (log: string): string => log.replace(/\u001b?\[[0-9;]*m/g, "").trim();

/** Measures in a fresh process. Throws RunError where that process fails. */
export const probe = (request: ProbeRequest): Promise<Probe> =>
  new Promise((resolve, reject) => {
    const child = fork(program, ["probe"], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced", // JSON has no Infinity, the positions of a model that counts none
    });
    let errors = "";
    let answer: Probe | undefined;
    child.stderr?.on("data", (chunk) => {
      errors += chunk;
    });
    child.on("message", (message) => {
      answer = message as Probe;
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (answer !== undefined) resolve(answer);
      else
        reject(
          new RunError(`the measuring process ended with code ${code}: ${plain(errors)}`, {
            file: Object.values(request.graphs)[0]!,
          }),
        );
    });
    child.send(request);
  });

if (process.argv[2] === "probe" && process.send !== undefined) {
  process.once("message", async (request) => {
    process.send!(await measure(request as ProbeRequest), () => process.disconnect());
  });
}
