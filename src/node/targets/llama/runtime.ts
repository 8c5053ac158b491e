/** A GGUF file loaded by llama.cpp: its logits, its tokenizer, what it says of given tokens. */
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import type { LlamaContextSequence, Token } from "node-llama-cpp";
import type { OpenReader } from "../../../evaluate/parity/trial.ts";
import { IGNORE } from "../../../nn/loss.ts";
import { RunError } from "../../../util/errors.ts";
import type { Continuing, ScoredRows } from "../target.ts";
import type { LlamaPlaced } from "./jobs.ts";

type Library = typeof import("node-llama-cpp");

/** Positions that are made room for, where the model has as many and no row is longer: they take memory. */
const USUAL_POSITIONS = 512;

/** Milliseconds for which a reason is waited for, and between two looks. */
const [LISTENS, LOOK] = [500, 10];

/** llama.cpp on the processor, which neither compiles nor fetches anything. */
export const startLlama = async ({ library, threads }: Pick<LlamaPlaced, "library" | "threads">) => {
  const { getLlama, LlamaLogLevel } = (await import(pathToFileURL(library).href)) as Library;
  const count = threads > 0 ? threads : availableParallelism();
  const faults: string[] = [];
  const llama = await getLlama({
    ...{ gpu: false, build: "never", skipDownload: true, progressLogs: false, maxThreads: count },
    logLevel: LlamaLogLevel.error,
    // The last line is what is told where the process dies.
    logger: (_, message) => {
      faults.push(message.trim());
      process.stderr.write(`${message.trim()}\n`);
    },
  });
  const { release } = llama.llamaCppRelease;
  return { llama, count, faults, engine: `llama.cpp ${release}` };
};

/** llama.cpp, started. */
export type StartedLlama = Awaited<ReturnType<typeof startLlama>>;

/** A loaded file. */
export interface LlamaReader extends OpenReader {
  /** What each label costs, nats; `onRow` is told after each row. */
  score(rows: readonly ScoredRows[], onRow?: (done: number, of: number) => void): Promise<Float32Array>;
  /** Tokens that follow a prompt. */
  write(prompt: readonly number[], how: Omit<Continuing, "prompts">): Promise<number[]>;
}

const tokensOf = (ids: readonly number[]): Token[] => ids as Token[];

/** Logits by token, as a row [V]. */
const rowOf = (logits: ReadonlyMap<Token, number>): Float32Array => {
  const row = new Float32Array(logits.size);
  for (const [token, value] of logits) row[token] = value;
  return row;
};

/** The logits behind the last `keep` of `ids`, [keep, V]. */
const logitsBehind = async (
  sequence: LlamaContextSequence,
  ids: readonly number[],
  keep: number,
): Promise<Float32Array> => {
  const all = { generateNext: { logits: true } } as const;
  const input = tokensOf(ids).map((id, i) =>
    i < ids.length - keep ? id : ([id, all] as [Token, typeof all]),
  );
  const found = (await sequence.controlledEvaluate(input)).slice(-keep);
  const rows = found.map((each) => rowOf(each!.next.logits!));
  const made = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    made.set(row, at);
    at += row.length;
  }
  return made;
};

/**
 * -log of the probability of each label: log of the sum of exp(logit - most), which llama.cpp's binding adds
 * up in float32, and the distance from the largest logit to the label's. The terms are as many as the
 * vocabulary, so that the sum is some 1e-4 of itself too small, of all files of a model alike.
 */
const costsOf = async (
  sequence: LlamaContextSequence,
  ids: Int32Array,
  labels: Int32Array,
): Promise<number[]> => {
  const input = Array.from(ids, (id, i): Token | [Token, object] => {
    const label = labels[i]!;
    if (label === IGNORE) return id as Token;
    const logits = { filter: { tokens: [label as Token], includeSelected: true } };
    // Greedy, so that the largest logit is the selected token's.
    return [id as Token, { generateNext: { logits, totalLogitWeight: true, options: { temperature: 0 } } }];
  });
  const found = await sequence.controlledEvaluate(input);
  return found.flatMap((each, i) => {
    if (each === undefined) return [];
    const { logits, totalLogitWeight } = each.next;
    const most = Math.max(...logits!.values());
    return [Math.log(totalLogitWeight!) + most - logits!.get(labels[i]! as Token)!];
  });
};

/** A sequence that is read into, and how many tokens it has room for. */
interface Opened {
  readonly sequence: LlamaContextSequence;
  readonly positions: number;
}

/** Throws RunError where so many more tokens do not fit. */
const requireRoom = ({ sequence, positions }: Opened, more: number): void => {
  const length = sequence.nextTokenIndex + more;
  if (length <= positions) return;
  throw new RunError(`${length} tokens are more than the ${positions} positions that it was loaded with`);
};

const likeliestBehind = async (opened: Opened, ids: readonly number[]): Promise<number> => {
  requireRoom(opened, ids.length);
  const likeliest = { generateNext: { token: true, options: { temperature: 0 } } };
  const input = tokensOf(ids).map((id, i) =>
    i < ids.length - 1 ? id : ([id, likeliest] as [Token, typeof likeliest]),
  );
  return (await opened.sequence.controlledEvaluate(input)).at(-1)!.next.token!;
};

const scored = async (
  opened: Opened,
  all: readonly ScoredRows[],
  onRow?: (done: number, of: number) => void,
): Promise<Float32Array> => {
  const costs: number[] = [];
  const count = all.reduce((sum, { ids, length }) => sum + Math.ceil(ids.length / length), 0);
  let done = 0;
  for (const { ids, labels, length } of all) {
    for (let at = 0; at < ids.length; at += length) {
      await opened.sequence.clearHistory();
      requireRoom(opened, length);
      const [row, said] = [ids.subarray(at, at + length), labels.subarray(at, at + length)];
      costs.push(...(await costsOf(opened.sequence, row, said)));
      onRow?.(++done, count);
    }
  }
  return Float32Array.from(costs);
};

const continued = async (
  { sequence, positions }: Opened,
  prompt: readonly number[],
  { maxTokens, temperature, topK, seed, stopIds }: Omit<Continuing, "prompts">,
): Promise<number[]> => {
  await sequence.clearHistory();
  const most = Math.min(maxTokens, positions - prompt.length);
  const found: number[] = [];
  const sampling = { temperature, topK, seed, yieldEogToken: true };
  for await (const token of sequence.evaluate(tokensOf(prompt), sampling)) {
    if (stopIds.includes(token)) break;
    found.push(token);
    if (found.length >= most) break;
  }
  return found;
};

/** What was thrown, with what llama.cpp said last. */
const withReason = (error: unknown, faults: readonly string[]): RunError => {
  const why = error instanceof Error ? error.message : String(error);
  return new RunError([why, ...faults.slice(-1)].join(": "), { cause: error });
};

/**
 * Loads a file, with room for rows of `needed` tokens. Throws RunError with what llama.cpp says where it
 * cannot.
 */
export const openLlama = async (
  { llama, count, faults }: StartedLlama,
  modelPath: string,
  needed = 0,
): Promise<LlamaReader> => {
  const before = faults.length;
  const failed = async (error: unknown): Promise<never> => {
    // What it says comes from another thread, often behind the failure.
    for (let waited = 0; faults.length === before && waited < LISTENS; waited += LOOK) await sleep(LOOK);
    throw withReason(error, faults);
  };
  const model = await llama.loadModel({ modelPath, gpuLayers: 0 }).catch(failed);
  const positions = Math.min(model.trainContextSize, Math.max(USUAL_POSITIONS, needed));
  const sizes = { contextSize: positions, batchSize: positions, threads: count };
  const context = await model.createContext(sizes).catch(failed);
  const opened: Opened = { sequence: context.getSequence(), positions };
  const { sequence } = opened;
  return {
    start: () => sequence.clearHistory(),
    async read(ids, keep = 1) {
      requireRoom(opened, ids.length);
      return logitsBehind(sequence, ids, keep === 0 ? ids.length : keep);
    },
    next: (ids) => likeliestBehind(opened, ids),
    tokenize: (text) => model.tokenize(text),
    score: (rows, onRow) => scored(opened, rows, onRow),
    write: (prompt, how) => continued(opened, prompt, how),
    dispose: () => llama.dispose(),
  };
};
