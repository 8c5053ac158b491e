/**
 * Learning to turn one text into another: the decoder reads the target shifted to the right and says each
 * next token of it (Sutskever et al. 2014, https://arxiv.org/abs/1409.3215).
 */
import type { Feeds } from "../engine/engine.ts";
import { tensor } from "../ir/tensor.ts";
import { IGNORE } from "../nn/loss.ts";
import { ConfigError } from "../util/errors.ts";
import { labelTotals, type Objective } from "./objective.ts";

// B batch, S source, U target

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

export interface TextPair {
  readonly source: ArrayLike<number>;
  /** With the end token, without the start token. */
  readonly target: ArrayLike<number>;
}

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
