/** Batches as a pure function of (seed, index): nothing has to be remembered to go on exactly. */
import { ConfigError, DataError } from "../../util/errors.ts";
import { permutation, rng } from "../../util/rng.ts";

// B batch, T context

/** Inputs and labels of one update, row by row. */
export interface Batch {
  /** [B * T] */
  readonly inputIds: Int32Array;
  /** `[B * T]`: the token after each input, or -100 where nothing is to be predicted. */
  readonly labels: Int32Array;
  /** Pass over the data that the batch begins in, from 0. */
  readonly epoch: number;
}

/** Ids in order; a Uint32Array is one, and so are files of them. */
export interface TokenSource {
  readonly length: number;
  subarray(start: number, end: number): ArrayLike<number>;
}

/** Where batches come from, and in what order. */
export interface BatchOptions {
  /** In memory, or in files. */
  readonly tokens: TokenSource;
  readonly batch: number;
  readonly context: number;
  readonly seed?: number;
  /** "epochs": every window once an epoch, in a seeded order. "random": windows at independent places. */
  readonly order?: "epochs" | "random";
}

const checkSizes = ({ batch, context }: BatchOptions): void => {
  for (const [name, value] of [
    ["train.batch", batch],
    ["model.n_positions", context],
  ] as const) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ConfigError(`must be an integer, at least 1, not ${value}`, { field: name });
    }
  }
};

const check = (options: BatchOptions): void => {
  checkSizes(options);
  const { tokens, context } = options;
  if (tokens.length < context + 1) {
    throw new DataError(`the text has ${tokens.length} tokens, and one window needs ${context + 1}`, {
      hint: "give more text, or a shorter context (model.n_positions)",
    });
  }
};

/** Where window `n` of an epoch starts: windows tile the text from an offset of the epoch's own. */
const epochStarts = ({ tokens, context, seed = 1 }: BatchOptions) => {
  const windows = Math.max(1, Math.floor((tokens.length - 1) / context));
  const cache = new Map<number, { order: Uint32Array; offset: number }>();
  const of = (epoch: number) => {
    let plan = cache.get(epoch);
    if (plan === undefined) {
      const slack = tokens.length - 1 - windows * context;
      const offset = rng(seed, `offset/${epoch}`).int(Math.max(1, slack + 1));
      plan = { order: permutation(windows, seed, `windows/${epoch}`), offset };
      cache.clear();
      cache.set(epoch, plan);
    }
    return plan;
  };
  return (n: number): { start: number; epoch: number } => {
    const epoch = Math.floor(n / windows);
    const { order, offset } = of(epoch);
    return { start: offset + order[n % windows]! * context, epoch };
  };
};

const randomStarts = ({ tokens, context, seed = 1 }: BatchOptions) => {
  const places = tokens.length - context;
  return (n: number) => ({
    start: rng(seed, `window/${n}`).int(places),
    epoch: Math.floor((n * context) / tokens.length),
  });
};

/** The batches of a token stream by index. Throws DataError where the text is shorter than one window. */
export const batches = (options: BatchOptions): ((index: number) => Batch) => {
  check(options);
  const { tokens, batch, context, order = "epochs" } = options;
  const startOf = (order === "epochs" ? epochStarts : randomStarts)(options);
  return (index) => {
    const inputIds = new Int32Array(batch * context);
    const labels = new Int32Array(batch * context);
    let epoch = 0;
    for (let b = 0; b < batch; b++) {
      const place = startOf(index * batch + b);
      if (b === 0) epoch = place.epoch;
      inputIds.set(tokens.subarray(place.start, place.start + context), b * context);
      labels.set(tokens.subarray(place.start + 1, place.start + context + 1), b * context);
    }
    return { inputIds, labels, epoch };
  };
};

/**
 * Batches of non-overlapping windows that cover each token after the first exactly once; the rest is padding.
 */
export const evalBatches = (options: BatchOptions): Batch[] => {
  checkSizes(options);
  const { tokens, batch, context } = options;
  if (tokens.length < 2) throw new DataError(`the held-out text has ${tokens.length} tokens; it needs 2`);
  const list: Batch[] = [];
  const size = batch * context;
  for (let start = 0; start < tokens.length - 1; start += size) {
    const inputIds = new Int32Array(size);
    const labels = new Int32Array(size).fill(-100);
    const count = Math.min(size, tokens.length - 1 - start);
    inputIds.set(tokens.subarray(start, start + count));
    labels.set(tokens.subarray(start + 1, start + 1 + count));
    list.push({ inputIds, labels, epoch: 0 });
  }
  return list;
};
