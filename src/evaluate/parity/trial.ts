/** A trial: shipped graphs run where they are to run, their numbers compared with a reference's. */
import type { Session } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { argmax } from "../../serve/decode/sample.ts";
import { RunError } from "../../util/errors.ts";
import { percentile } from "../speed.ts";
import { asFloat32, type Parity, type Tally, tally } from "./agreement.ts";
import { type Reader, readerOf, type Sessions } from "./reader.ts";
import type { Continuation, Reference, ReferenceRun } from "./reference.ts";

/** The figures of one trial. */
export interface Trial extends Parity {
  /** Time to load all graphs, milliseconds. */
  readonly loadMs: number;
  /** One run of an encoder over a text, once warm: median, milliseconds. */
  readonly runMs?: number;
  /** From a prompt to its first token, once warm: median, milliseconds. */
  readonly firstTokenMs?: number;
  /** Tokens per second of one sequence; median. */
  readonly tokensPerSec?: number;
  /** Memory that loading and running took, where the place can tell. */
  readonly memoryBytes?: number;
  /** Share of texts that the place's own tokenizer splits as the model's does; where it has one. */
  readonly tokenizerAgreement?: number;
  /** The first text that it splits otherwise. */
  readonly splitOtherwise?: string;
}

/** The output whose rows say what is likeliest, by the name that transformers.js reads. */
const LOGITS = "logits";
/** The output that has a vector for each text. */
const SENTENCES = "sentence_embedding";

/** Which rows of an output stand for a token that counts: all, unless it has a row for each token. */
const countedRows = ({ shape }: Tensor, mask: Tensor | undefined): ((row: number) => boolean) => {
  const perToken = mask !== undefined && shape.length === 3 && shape[1] === mask.shape[1];
  return perToken ? (row) => Number(mask.data[row]) !== 0 : () => true;
};

interface Times {
  readonly runs: number[];
  readonly first: number[];
  readonly steps: number[];
}

const timed = async <T>(times: number[], work: () => Promise<T>): Promise<T> => {
  const start = performance.now();
  const result = await work();
  times.push(performance.now() - start);
  return result;
};

const compareRun = async (
  sums: Tally,
  { graph, feeds, outputs }: ReferenceRun,
  sessions: Sessions,
  times: Times,
) => {
  const session = sessions[graph];
  if (session === undefined) throw new RunError(`there is no graph "${graph}"`);
  const found = await timed(times.runs, () => session.run(feeds));
  for (const [name, expected] of Object.entries(outputs)) {
    const made = found[name];
    if (made === undefined) throw new RunError("is not an output of the graph", { tensor: name });
    const width = expected.shape.at(-1)!;
    if (name === SENTENCES) {
      sums.vectors(asFloat32(expected.data), asFloat32(made.data), width);
      continue;
    }
    const counts = countedRows(expected, feeds.attention_mask);
    const logits = name === LOGITS;
    // A single label is a number, not a share.
    const labels = logits && expected.shape.length === 2 && width > 1;
    sums.rows(asFloat32(expected.data), asFloat32(made.data), width, { counts, logits, labels });
  }
};

/**
 * Reads the prompt whole, then once more and on, token by token: as long as the tokens are the reference's,
 * their logits are compared too, so that the cache is part of the comparison.
 */
const compareContinuation = async (sums: Tally, given: Continuation, reader: Reader, times: Times) => {
  const { source, prompt, tokens } = given;
  const expected = asFloat32(given.logits.data);
  const vocab = given.logits.shape.at(-1)!;
  const rows = (from: number, to: number) => expected.subarray(from * vocab, to * vocab);
  await reader.start(source);
  sums.rows(rows(0, prompt.length), await reader.read(prompt, 0), vocab);
  await reader.start(source);
  const { next } = reader;
  // Where logits are slow to get, the reading is timed without them.
  const quiet: Times = { runs: [], first: [], steps: [] };
  const { first, steps } = next === undefined ? times : quiet;
  let logits = await timed(first, () => reader.read(prompt));
  const found: number[] = [];
  let same = true;
  for (let i = 0; i < tokens.length; i++) {
    if (same) sums.rows(rows(prompt.length + i - 1, prompt.length + i), logits, vocab);
    const id = argmax(logits);
    found.push(id);
    same &&= id === tokens[i];
    if (i + 1 < tokens.length) logits = await timed(steps, () => reader.read([id]));
  }
  sums.continuation(tokens, found);
  if (next === undefined) return;
  await reader.start(source);
  await timed(times.first, () => next(prompt));
  for (const id of found.slice(0, -1)) await timed(times.steps, () => next([id]));
};

/** The first run of all is the one that warms up. */
const speedOf = ({ runs, first, steps }: Times): Pick<Trial, "runMs" | "firstTokenMs" | "tokensPerSec"> => ({
  ...(runs.length > 1 ? { runMs: percentile(runs.slice(1), 0.5) } : {}),
  ...(first.length > 0 ? { firstTokenMs: percentile(first, 0.5) } : {}),
  ...(steps.length > 0 ? { tokensPerSec: 1000 / percentile(steps, 0.5) } : {}),
});

/** Names of the graphs that a reference needs. */
const neededBy = ({ runs, continuations }: Reference): string[] => {
  const names = new Set(runs.map(({ graph }) => graph));
  for (const { source } of continuations) {
    for (const name of source === undefined ? ["model"] : ["encoder_model", "decoder_model_merged"]) {
      names.add(name);
    }
  }
  return [...names];
};

/** Loads each graph by `open` and compares it with the reference. The sessions are disposed of. */
export const runTrial = async (
  reference: Reference,
  open: (graph: string) => Promise<Session>,
): Promise<Trial> => {
  const sessions: Record<string, Session> = {};
  const sums = tally();
  const times: Times = { runs: [], first: [], steps: [] };
  try {
    const start = performance.now();
    for (const name of neededBy(reference)) sessions[name] = await open(name);
    const loadMs = performance.now() - start;
    for (const run of reference.runs) await compareRun(sums, run, sessions, times);
    if (reference.continuations.length > 0) {
      const reader = readerOf(sessions);
      for (const given of reference.continuations) await compareContinuation(sums, given, reader, times);
    }
    const texts = reference.runs.length + reference.continuations.length;
    return { ...sums.result(texts), loadMs, ...speedOf(times) };
  } finally {
    for (const session of Object.values(sessions)) await session.dispose();
  }
};

/** What reads a model's file, once loaded. */
export interface OpenReader extends Reader {
  /** The tokens of a text, by the tokenizer that the file has. */
  tokenize(text: string): readonly number[];
  dispose(): Promise<void>;
}

/** How a file's own tokenizer splits texts, beside the model's. */
const splitting = (
  texts: NonNullable<Reference["texts"]>,
  { tokenize }: Pick<OpenReader, "tokenize">,
): Pick<Trial, "tokenizerAgreement" | "splitOtherwise"> => {
  if (texts.length === 0) return {};
  const others = texts.filter(({ text, ids }) => {
    const own = tokenize(text);
    return own.length !== ids.length || own.some((id, i) => id !== ids[i]);
  });
  return {
    tokenizerAgreement: 1 - others.length / texts.length,
    ...(others.length === 0 ? {} : { splitOtherwise: others[0]!.text }),
  };
};

/** Loads a decoder that is no graph by `open` and compares it with the reference. It is disposed of. */
export const runReaderTrial = async (
  { continuations, runs, texts = [] }: Reference,
  open: () => Promise<OpenReader>,
): Promise<Trial> => {
  if (runs.length > 0) throw new RunError("there is no decoder to compare: the reference reads whole texts");
  const sums = tally();
  const times: Times = { runs: [], first: [], steps: [] };
  const start = performance.now();
  const reader = await open();
  const loadMs = performance.now() - start;
  try {
    for (const given of continuations) await compareContinuation(sums, given, reader, times);
    const found = { ...sums.result(continuations.length), loadMs, ...speedOf(times) };
    return { ...found, ...splitting(texts, reader) };
  } finally {
    await reader.dispose();
  }
};
