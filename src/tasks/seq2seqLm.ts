/**
 * Learning to turn one text into another: the decoder reads the target shifted to the right and says each
 * next token of it (Sutskever et al. 2014, https://arxiv.org/abs/1409.3215).
 */

import { batches } from "../data/batch/batches.ts";
import { corruptSpans, spanLengths } from "../data/batch/spans.ts";
import type { Feeds } from "../engine/engine.ts";
import { tensor } from "../ir/tensor.ts";
import type { ModelConfig, Seq2SeqArchitecture } from "../models/model.ts";
import { IGNORE } from "../nn/loss.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { ConfigError, DataError } from "../util/errors.ts";
import { permutation } from "../util/rng.ts";
import { tokenTeaching } from "./distillation.ts";
import { labelTotals, type Objective } from "./objective.ts";
import { meanOf, perplexity, tokenScores } from "./scores.ts";
import {
  type HeldOut,
  type Lesson,
  type LessonOptions,
  type Task,
  type TextPair,
  type TokenPairs,
  type TokenText,
  textOf,
} from "./task.ts";

// B batch, S source, U target

/** How long targets are. */
export interface Seq2SeqObjectiveOptions {
  /** Tokens of a target, padding included; those of a source are the step's `context`. */
  readonly target: number;
}

/** Cross-entropy of each target token, given the source and the tokens before it; nats per counted token. */
export const sequenceToSequence = ({ target }: Seq2SeqObjectiveOptions): Objective => {
  if (!Number.isInteger(target) || target < 1) {
    throw new ConfigError(`must be a whole number of at least 1, not ${target}`, { field: "target" });
  }
  return {
    name: "seq2seq",
    inputs: ({ batch, context }) => ({
      attentionMask: { dtype: "int32", shape: [batch, context] },
      decoderInputIds: { dtype: "int32", shape: [batch, target] },
      labels: { dtype: "int32", shape: [batch * target] },
    }),
    totals: (outputs, { labels }) => labelTotals(outputs, labels!),
  };
};

/** The special ids of a target. */
export interface TokenIds {
  /** The decoder's first token. */
  readonly start: number;
  readonly pad: number;
}

/**
 * What the decoder reads for labels [B * U]: each row one place later, behind `start`, with `pad` where a
 * label does not count (IGNORE). Throws ConfigError where they do not make whole rows.
 */
export const shiftTokensRight = (labels: ArrayLike<number>, target: number, ids: TokenIds): Int32Array => {
  if (labels.length % target !== 0) {
    throw new ConfigError(`${labels.length} labels do not make rows of ${target}`, { field: "labels" });
  }
  return Int32Array.from({ length: labels.length }, (_, i) => {
    if (i % target === 0) return ids.start;
    const before = labels[i - 1]!;
    return before === IGNORE ? ids.pad : before;
  });
};

/** How long rows are, and the special ids. */
export interface PairBatchOptions extends TokenIds {
  /** Tokens that a source and a target are padded to. */
  readonly lengths: { readonly source: number; readonly target: number };
}

/** Rows of one length, filled behind their end. Throws ConfigError naming one that is too long or empty. */
const padded = (
  rows: readonly ArrayLike<number>[],
  length: number,
  fill: number,
  name: string,
): Int32Array => {
  const all = new Int32Array(rows.length * length).fill(fill);
  for (const [i, row] of rows.entries()) {
    if (row.length === 0 || row.length > length) {
      throw new ConfigError(`${name} ${i} has ${row.length} tokens, not 1 to ${length}`, {
        field: name,
        hint: "cut long texts before, and leave out empty ones",
      });
    }
    all.set(Array.from(row), i * length);
  }
  return all;
};

/** A batch for `sequenceToSequence`: inputIds, attentionMask [B, S], decoderInputIds [B, U], labels [B U]. */
export const pairBatch = (pairs: readonly TextPair[], options: PairBatchOptions): Feeds => {
  const { lengths, pad } = options;
  const sources = pairs.map(({ source }) => source);
  const targets = pairs.map(({ target }) => target);
  const labels = padded(targets, lengths.target, IGNORE, "target");
  const mask = new Int32Array(pairs.length * lengths.source);
  for (const [i, { length }] of sources.entries())
    mask.fill(1, i * lengths.source, i * lengths.source + length);
  const source = [pairs.length, lengths.source];
  return {
    inputIds: tensor("int32", source, padded(sources, lengths.source, pad, "source")),
    attentionMask: tensor("int32", source, mask),
    decoderInputIds: tensor(
      "int32",
      [pairs.length, lengths.target],
      shiftTokensRight(labels, lengths.target, options),
    ),
    labels: tensor("int32", [labels.length], labels),
  };
};

/** The ids of `<extra_id_0>`, `<extra_id_1>` ... that a tokenizer has. */
const sentinelsOf = (tokenizer: Tokenizer): number[] => {
  const ids: number[] = [];
  for (let id = tokenizer.idOf("<extra_id_0>"); id !== undefined; ) {
    ids.push(id);
    id = tokenizer.idOf(`<extra_id_${ids.length}>`);
  }
  if (ids.length > 0) return ids;
  throw new ConfigError("has no <extra_id_0>, which stands for what is taken out of a text", {
    field: "tokenizer",
    hint: "give pairs of texts (records with source and target), or train a new tokenizer with --family t5",
  });
};

const tokensOf = ({ model }: LessonOptions) => {
  const arch = model.arch as Seq2SeqArchitecture;
  return arch.tokens(model.config as ModelConfig);
};

/** Feeds of `batch` pairs; where there are fewer, rows of which nothing is asked stand at the end. */
const filled = (pairs: readonly TextPair[], batch: number, options: PairBatchOptions): Feeds => {
  const filler: TextPair = { source: [options.pad], target: [IGNORE] };
  const missing = Array.from({ length: batch - pairs.length }, () => filler);
  return pairBatch([...pairs, ...missing], options);
};

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

/** The first pairs with at most so many tokens to say. */
const within = (pairs: readonly TextPair[], limit: number): TextPair[] => {
  let tokens = 0;
  return pairs.filter(({ target }) => {
    tokens += target.length;
    return tokens <= limit || tokens === target.length;
  });
};

const multipleOf8 = (n: number): number => 8 * Math.ceil(n / 8);

/** Lengths that hold every pair, of few multiples so that few shapes are compiled. */
const lengthsOf = ({ train, validation }: TokenPairs) => {
  const longest = (of: (pair: TextPair) => ArrayLike<number>): number =>
    multipleOf8([...train, ...validation].reduce((most, pair) => Math.max(most, of(pair).length), 1));
  return { source: longest((pair) => pair.source), target: longest((pair) => pair.target) };
};

/** Batches of pairs, all of them once an epoch, in a seeded order. */
const pairLesson = (pairs: TokenPairs, options: LessonOptions): Lesson => {
  const { batch, seed } = options;
  const made = pairShape(pairs, options);
  const { train } = pairs;
  let cached: { readonly epoch: number; readonly order: Uint32Array } = {
    epoch: -1,
    order: new Uint32Array(0),
  };
  const at = (n: number): TextPair => {
    const epoch = Math.floor(n / train.length);
    if (epoch !== cached.epoch) cached = { epoch, order: permutation(train.length, seed, `pairs/${epoch}`) };
    return train[cached.order[n % train.length]!]!;
  };
  return {
    objective: sequenceToSequence({ target: made.lengths.target }),
    context: made.lengths.source,
    source: (index) =>
      pairBatch(
        Array.from({ length: batch }, (_, b) => at(index * batch + b)),
        made,
      ),
    heldOut: heldOutOfPairs(pairs, options),
  };
};

const pairShape = (pairs: TokenPairs, options: LessonOptions): PairBatchOptions => {
  const { start, pad } = tokensOf(options);
  return { start, pad, lengths: lengthsOf(pairs) };
};

const batchesOf = (pairs: readonly TextPair[], batch: number, made: PairBatchOptions): HeldOut => ({
  windows: chunks(pairs, batch).map((some) => filled(some, batch, made)),
});

const heldOutOfPairs = (pairs: TokenPairs, options: LessonOptions): HeldOut => {
  const held = within(pairs.validation, options.heldOutTokens);
  return batchesOf(held, options.batch, pairShape(pairs, options));
};

/** Tokens of the shortest example. */
const LEAST = 8;

/** Spans of held-out text are drawn once, by a seed of their own. */
const HELD_OUT_SEED = 20_191_023;

/** What makes a pair of the tokens of a text, the shape of its batches, and the tokens held out. */
const corruption = ({ validation }: TokenText, options: LessonOptions) => {
  const spans = { sentinels: sentinelsOf(options.tokenizer) };
  const { eos, ...ids } = tokensOf(options);
  const held = validation.subarray(0, Math.min(validation.length, options.heldOutTokens));
  // A short text held out makes short examples, not none.
  const most = Math.max(LEAST, Math.min(options.context, held.length >> 1));
  const { text: width, source, target } = spanLengths(most, spans);
  const end = eos[0]!;
  const pairOf = (tokens: ArrayLike<number>, draw: { seed: number; example: number }): TextPair => {
    const pair = corruptSpans(tokens, spans, draw);
    return { source: [...pair.source, end], target: [...pair.target, end] };
  };
  return { held, width, pairOf, made: { ...ids, lengths: { source, target } } };
};

const heldOutOfText = (text: TokenText, options: LessonOptions): HeldOut => {
  const { held, width, pairOf, made } = corruption(text, options);
  const rows = Array.from({ length: Math.floor(held.length / width) }, (_, i) =>
    pairOf(held.subarray(i * width, (i + 1) * width), { seed: HELD_OUT_SEED, example: i }),
  );
  if (rows.length > 0) return batchesOf(rows, options.batch, made);
  throw new DataError(`the held-out text has ${held.length} tokens, and one example needs ${width}`, {
    hint: "give more text, or a shorter context (model.n_positions)",
  });
};

/** Span corruption of running text. */
const spanLesson = (text: TokenText, options: LessonOptions): Lesson => {
  const { batch, seed } = options;
  const { width, pairOf, made } = corruption(text, options);
  const at = batches({ tokens: text.train, batch, context: width, seed });
  return {
    objective: sequenceToSequence({ target: made.lengths.target }),
    context: made.lengths.source,
    source: (index) => {
      const { inputIds } = at(index);
      const row = (b: number) => inputIds.subarray(b * width, (b + 1) * width);
      const pairs = Array.from({ length: batch }, (_, b) =>
        pairOf(row(b), { seed, example: index * batch + b }),
      );
      return pairBatch(pairs, made);
    },
    heldOut: heldOutOfText(text, options),
  };
};

/**
 * Turning one text into another: of pairs, or the spans that running text lacks; judged by the loss on
 * targets.
 */
export const seq2seqLm: Task = {
  name: "seq2seq-lm",
  pipeline: "text2text-generation",
  heads: ["seq2seq-lm"],
  textTokens: 128,
  reads: ["pairs", "text"],
  criterion: {
    name: "nats per target token",
    unit: "nats per target token",
    example: "target token",
    better: "less",
    of: meanOf,
  },
  metrics: [perplexity("target token")],
  lesson: (material, options) =>
    material.kind === "pairs"
      ? pairLesson(material, options)
      : spanLesson(textOf(material, "seq2seq-lm"), options),
  heldOut: (material, options) =>
    material.kind === "pairs"
      ? heldOutOfPairs(material, options)
      : heldOutOfText(textOf(material, "seq2seq-lm"), options),
  teaching: (lesson, options) => tokenTeaching(lesson.objective, options),
  scorer: async (engine, heldOut) => (model) => tokenScores(engine, model, heldOut),
};
