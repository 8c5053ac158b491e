/**
 * Where a reference's numbers come from: a dense model or its graphs. What the dense model generates is by
 * the training graph, which has no cache to go wrong; what it reads, by the program that is shipped, compiled
 * from its weights.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import { readerOf, type Sessions } from "../../evaluate/parity/reader.ts";
import type { Continuation, NamedTensors, ReferenceRun } from "../../evaluate/parity/reference.ts";
import { type Tensor, tensor, tensorOf } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { argmax } from "../../serve/decode/sample.ts";
import { type GraphName, graphsOf } from "../../serve/graphs/graphs.ts";
import { RunError } from "../../util/errors.ts";
import { continuations, type Prompt } from "./continuation.ts";

/** Token ids of texts. */
type Texts = readonly (readonly number[])[];

/** What a reference computes. */
export interface Origin {
  /** What a graph that reads whole texts gives for each alone, then for two of them together. */
  runs(graph: GraphName, texts: Texts): Promise<readonly ReferenceRun[]>;
  /** Each prompt continued greedily by so many tokens. */
  continuations(prompts: readonly Prompt[], tokens: number): Promise<readonly Continuation[]>;
}

/** What a graph with these inputs is fed: each text alone, then two together of which one is padded. */
const feedsOf = (texts: Texts, wanted: readonly string[]): NamedTensors[] => {
  const together = (rows: Texts): NamedTensors => {
    const length = Math.max(...rows.map((ids) => ids.length));
    const of = (value: (ids: readonly number[], at: number) => number): Tensor => {
      const values = rows.flatMap((ids) => Array.from({ length }, (_, at) => value(ids, at)));
      return tensorOf("int64", [rows.length, length], values);
    };
    const all: Record<string, Tensor> = {
      input_ids: of((ids, at) => ids[at] ?? 0),
      attention_mask: of((ids, at) => (at < ids.length ? 1 : 0)),
      token_type_ids: of((ids, at) => (at < ids.length && at >= ids.length >> 1 ? 1 : 0)),
      position_ids: of((_, at) => at),
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)));
  };
  const [first = [0]] = texts;
  const pair = [first, first.slice(0, Math.max(1, first.length - 3))];
  return [...texts.map((ids) => together([ids])), together(pair)];
};

const runsOf = async (graph: GraphName, session: Session, texts: Texts): Promise<ReferenceRun[]> => {
  const runs: ReferenceRun[] = [];
  for (const feeds of feedsOf(texts, session.inputNames)) {
    runs.push({ graph, feeds, outputs: await session.run(feeds) });
  }
  return runs;
};

/** The dense model, on `engine`. */
export const denseOrigin = (engine: Engine, model: Model): Origin => ({
  async runs(graph, texts) {
    const session = await compile(engine, graphsOf(model)[graph]!);
    try {
      return await runsOf(graph, session, texts);
    } finally {
      await session.dispose();
    }
  },
  continuations: (prompts, tokens) => continuations(engine, model, prompts, tokens),
});

/** The graphs of a model, loaded. */
export const graphOrigin = (sessions: Sessions): Origin => ({
  async runs(graph, texts) {
    const session = sessions[graph];
    if (session === undefined) throw new RunError(`there is no graph "${graph}"`);
    return runsOf(graph, session, texts);
  },
  async continuations(prompts, tokens) {
    const reader = readerOf(sessions);
    const made: Continuation[] = [];
    for (const given of prompts) {
      await reader.start(given.source);
      const rows = [(await reader.read(given.prompt, 0)).slice()];
      const vocab = rows[0]!.length / given.prompt.length;
      const ids = [argmax(rows[0]!.subarray(-vocab))];
      while (ids.length < tokens) {
        rows.push((await reader.read(ids.slice(-1))).slice());
        ids.push(argmax(rows.at(-1)!));
      }
      const data = Float32Array.from(rows.flatMap((row) => Array.from(row)));
      made.push({ ...given, tokens: ids, logits: tensor("float32", [data.length / vocab, vocab], data) });
    }
    return made;
  },
});
