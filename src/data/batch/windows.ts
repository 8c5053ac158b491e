/** Batches of windows that documents were laid into (best-fit packing): none reaches into the next. */
import { ConfigError, DataError } from "../../util/errors.ts";
import { permutation } from "../../util/rng.ts";
import type { Batch, TokenSource } from "./batches.ts";

/** A source that knows where its documents start. */
export interface PieceSource extends TokenSource {
  /**
   * Starts of the pieces from `start` to `end`, relative to `start`, and where padding begins (else `end -
   * start`).
   */
  pieces(start: number, end: number): { readonly starts: readonly number[]; readonly used: number };
}

/** The packed windows, and how many make a batch. */
export interface WindowBatchOptions {
  readonly tokens: PieceSource;
  readonly batch: number;
  readonly context: number;
  readonly seed?: number;
  /** Leave out the prediction of a document's first token from another's end; see also `documents`. */
  readonly documentMask?: boolean;
}

/** A batch, and for each input token which document of its window it is of, -1 for padding. */
export interface MaskedBatch extends Batch {
  /** [B * T] */
  readonly documents: Int32Array;
}

/** Batches by index: every window once an epoch, in a seeded order. Throws DataError where there is none. */
export const windowBatches = (options: WindowBatchOptions): ((index: number) => MaskedBatch) => {
  const { tokens, batch, context, seed = 1, documentMask = false } = options;
  const size = context + 1;
  const windows = tokens.length / size;
  if (!Number.isInteger(windows)) {
    throw new ConfigError(`windows were packed for another context than ${context}`, {
      field: "model.n_positions",
    });
  }
  if (windows === 0) throw new DataError("there is no window to train on");
  let cached = -1;
  let order: Uint32Array = new Uint32Array(0);
  const windowAt = (n: number): number => {
    const epoch = Math.floor(n / windows);
    if (epoch !== cached) order = permutation(windows, seed, `windows/${epoch}`);
    cached = epoch;
    return order[n % windows]!;
  };
  return (index) => {
    const inputIds = new Int32Array(batch * context);
    const labels = new Int32Array(batch * context);
    const documents = new Int32Array(batch * context).fill(-1);
    for (let b = 0; b < batch; b++) {
      const start = windowAt(index * batch + b) * size;
      const ids = tokens.subarray(start, start + size);
      const { starts, used } = tokens.pieces(start, start + size);
      let piece = -1;
      for (let t = 0; t < context; t++) {
        const at = b * context + t;
        if (starts[piece + 1] === t) piece++;
        const crosses = documentMask && starts[piece + 1] === t + 1;
        inputIds[at] = ids[t]!;
        labels[at] = t + 1 < used && !crosses ? ids[t + 1]! : -100;
        if (t < used) documents[at] = piece;
      }
    }
    return { inputIds, labels, documents, epoch: Math.floor((index * batch) / windows) };
  };
};
