/**
 * Inference speed of a loaded model, as a user would feel it: what generates gives one token at a time and
 * reads prompts whole, what reads takes one text at a time.
 */
import type { Session } from "../engine/engine.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { bootstrap } from "../metrics/bootstrap.ts";
import { type Figures, type Measured, mapped } from "../metrics/metric.ts";
import { rng } from "../util/rng.ts";
import type { Reader } from "./parity/reader.ts";

/**
 * How fast a model writes and reads. Of what generates: `p50Ms` and `p95Ms` of a token, `firstTokenMs` from a
 * prompt (or source) to its first token, `tokensPerSec` generated, `prefillTokensPerSec` read; of what reads:
 * `p50Ms` and `p95Ms` of a text of 128 tokens, tokens a second of that and of the longest text.
 */
export interface Speed {
  readonly figures: Figures;
  /** What reads: median time of one text by its tokens, milliseconds. */
  readonly lengthsMs?: Readonly<Record<number, number>>;
}

/** What is generated, and how often. */
export interface GenerationOptions {
  /** Ids that texts are drawn from. */
  readonly vocab: number;
  /** Most tokens of a text. */
  readonly positions: number;
  /** Where an encoder reads a source first: the decoder's first id. */
  readonly start?: number;
  /** Tokens of a prompt: half the positions, at most 256, unless told; of a source: 64. */
  readonly promptTokens?: number;
  /** Tokens generated in each run: 48, or 32 for a source. */
  readonly tokens?: number;
  /** Runs that count, after one that does not: 5, or 2 and more of what takes long. */
  readonly runs?: number;
}

/** Milliseconds after which two runs are enough. */
const LONG_MS = 6000;

/** The value below which a share `q` of `times` lies (nearest rank). */
export const percentile = (times: readonly number[], q: number): number => {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
};

/** A percentile of times, with the interval that other runs like these give. */
export const measuredPercentile = (times: readonly number[], q: number): Measured => {
  const sorted = times.toSorted((a, b) => a - b);
  return bootstrap(times.length, (weights) => {
    let left = Math.max(1, Math.ceil(q * weights.reduce((sum, weight) => sum + weight, 0)));
    return sorted.find((_, i) => {
      left -= weights[i]!;
      return left <= 0;
    })!;
  });
};

/** Tokens a second where `tokens` of them take these milliseconds. */
const rateOf = (ms: Measured, tokens = 1): Measured => mapped(ms, (x) => (1000 * tokens) / x);

/** What is told of times of steps and of what went before them, milliseconds. */
const generationFigures = (
  steps: readonly number[],
  {
    reading,
    first,
    tokens,
  }: { readonly reading: number[]; readonly first: number[]; readonly tokens: number },
): Figures => {
  const p50Ms = measuredPercentile(steps, 0.5);
  return {
    p50Ms,
    p95Ms: measuredPercentile(steps, 0.95),
    firstTokenMs: measuredPercentile(first, 0.5),
    tokensPerSec: rateOf(p50Ms),
    prefillTokensPerSec: rateOf(measuredPercentile(reading, 0.5), tokens),
  };
};

const since = (begin: number): number => performance.now() - begin;

/** What a run of generation takes, milliseconds: reading, up to the first token, then each step. */
const timedRun = async (
  reader: Reader,
  {
    source,
    prompt,
    next,
  }: { readonly source?: number[]; readonly prompt: number[]; readonly next: number[] },
) => {
  const read = (ids: number[]): Promise<unknown> => reader.next?.(ids) ?? reader.read(ids);
  const begin = performance.now();
  await reader.start(source);
  const sourceMs = since(begin);
  await read(prompt);
  const firstMs = since(begin);
  const steps: number[] = [];
  for (const id of next) {
    const step = performance.now();
    await read([id]);
    steps.push(since(step));
  }
  return { readMs: source === undefined ? firstMs : sourceMs, firstMs, steps };
};

/** Measures what generates token by token, behind a prompt or behind a source that an encoder reads. */
export const measureGeneration = async (reader: Reader, options: GenerationOptions): Promise<Speed> => {
  const { positions, vocab, start, runs = 5 } = options;
  const given = options.promptTokens ?? (start === undefined ? Math.min(256, positions >> 1) : 64);
  const read = Math.max(1, Math.min(given, positions));
  const left = start === undefined ? positions - read : positions - 1;
  const tokens = Math.max(1, Math.min(options.tokens ?? (start === undefined ? 48 : 32), left));
  const random = rng(1, "speed");
  const ids = Array.from({ length: read + tokens }, () => random.int(vocab));
  const [text, next] = [ids.slice(0, read), ids.slice(read)];
  const run = start === undefined ? { prompt: text, next } : { source: text, prompt: [start], next };
  await timedRun(reader, run);
  const [reading, first, steps]: [number[], number[], number[]] = [[], [], []];
  const began = performance.now();
  for (let i = 0; i < runs && (i < 2 || since(began) < LONG_MS); i++) {
    const times = await timedRun(reader, run);
    reading.push(times.readMs);
    first.push(times.firstMs);
    steps.push(...times.steps);
  }
  return { figures: generationFigures(steps, { reading, first, tokens: read }) };
};

/** Lengths that a reader is timed at, tokens; a step is a text of the middle one. */
const LENGTHS = [16, 128, 512] as const;
const STEP = 128;

/** What is read, and how often. */
export interface ReadingOptions {
  readonly vocab: number;
  /** The longest text that the model takes. */
  readonly positions: number;
  /** Runs of each length that count, after two that do not; 15 unless told. */
  readonly runs?: number;
}

/** What a graph that reads whole texts is fed: one text of `ids`, of type 0 unless told. */
export const textFeeds = (
  { inputTypes }: Session,
  ids: readonly number[],
  types: readonly number[] = [],
): Record<string, Tensor> => {
  const of = (values: readonly number[]): Tensor =>
    tensor("int64", [1, values.length], BigInt64Array.from(values, BigInt));
  const all: Record<string, Tensor> = {
    input_ids: of(ids),
    attention_mask: of(ids.map(() => 1)),
    token_type_ids: of(ids.map((_, i) => types[i] ?? 0)),
    position_ids: of(ids.map((_, i) => i)),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => name in inputTypes));
};

/** Times of one text of `length` tokens, milliseconds. */
const readingTimes = async (
  session: Session,
  length: number,
  { vocab, runs = 15 }: ReadingOptions,
): Promise<number[]> => {
  const random = rng(1, "speed");
  const feeds = textFeeds(
    session,
    Array.from({ length }, () => random.int(vocab)),
  );
  const times: number[] = [];
  for (let run = 0; run < runs + 2; run++) {
    const start = performance.now();
    await session.run(feeds);
    if (run >= 2) times.push(performance.now() - start);
  }
  return times;
};

/** Measures what reads whole texts, one at a time, at each of the lengths that it takes. */
export const measureReading = async (session: Session, options: ReadingOptions): Promise<Speed> => {
  const lengths = [...new Set(LENGTHS.map((length) => Math.min(length, options.positions)))];
  const times = new Map<number, number[]>();
  for (const length of lengths) times.set(length, await readingTimes(session, length, options));
  const step = Math.min(STEP, options.positions);
  const [steps, longest] = [times.get(step)!, lengths.at(-1)!];
  const p50Ms = measuredPercentile(steps, 0.5);
  return {
    figures: {
      p50Ms,
      p95Ms: measuredPercentile(steps, 0.95),
      tokensPerSec: rateOf(p50Ms, step),
      prefillTokensPerSec: rateOf(measuredPercentile(times.get(longest)!, 0.5), longest),
    },
    lengthsMs: Object.fromEntries(Array.from(times, ([length, all]) => [length, percentile(all, 0.5)])),
  };
};
