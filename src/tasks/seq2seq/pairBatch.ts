/** Pairs as the feeds of a batch. */
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { IGNORE } from "../../nn/loss.ts";
import { ConfigError } from "../../util/errors.ts";
import type { TextPair } from "../task.ts";

// B batch, S source, U target

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

/** Feeds of `batch` pairs; where there are fewer, rows of which nothing is asked stand at the end. */
export const filledPairs = (pairs: readonly TextPair[], batch: number, options: PairBatchOptions): Feeds => {
  const filler: TextPair = { source: [options.pad], target: [IGNORE] };
  const missing = Array.from({ length: batch - pairs.length }, () => filler);
  return pairBatch([...pairs, ...missing], options);
};
