/**
 * A teacher whose likeliest tokens are kept: it is asked once for a batch, and of each row's distribution its
 * `topK` largest logits stay, with the mean of the others' exponentials, so that all probabilities still add
 * up to 1. What is learnt from is the same whether a batch was kept before or not.
 */
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";

/** Where what a teacher said of batches is kept. */
export interface TeacherStore {
  /** What was kept for a batch of the same contents. */
  find(batch: Feeds): Promise<Uint8Array | undefined>;
  keep(batch: Feeds, bytes: Uint8Array): Promise<void>;
}

/** How much of a distribution is kept, and where. */
export interface KeptOptions {
  readonly topK: number;
  readonly store: TeacherStore;
}

/** A batch of distributions. */
interface Size {
  readonly rows: number;
  readonly vocab: number;
  readonly topK: number;
}

/** Bytes that are kept of each row: ids, logits, and the logit that stands for each other token. */
export const keptBytesPerRow = (topK: number): number => 8 * topK + 4;

/** Sinks the root of a heap whose least logit, of equals the one of the largest id, is on top. */
const sink = (ids: Uint32Array, row: Float32Array): void => {
  const isLess = (a: number, b: number): boolean => {
    const [x, y] = [row[ids[a]!]!, row[ids[b]!]!];
    return x < y || (x === y && ids[a]! > ids[b]!);
  };
  for (let at = 0; ; ) {
    const left = 2 * at + 1;
    if (left >= ids.length) return;
    const least = left + 1 < ids.length && isLess(left + 1, left) ? left + 1 : left;
    if (!isLess(least, at)) return;
    const id = ids[at]!;
    ids[at] = ids[least]!;
    ids[least] = id;
    at = least;
  }
};

/** The ids of the `topK` largest numbers of a row, the lower one of equals, ascending. */
const largest = (row: Float32Array, topK: number): Uint32Array => {
  const ids = Uint32Array.from({ length: topK }, (_, i) => i);
  // What ascends is a heap.
  ids.sort((a, b) => row[a]! - row[b]! || b - a);
  for (let id = topK; id < row.length; id++) {
    if (!(row[id]! > row[ids[0]!]!)) continue;
    ids[0] = id;
    sink(ids, row);
  }
  return ids.sort();
};

/** The logit that each of a row's other tokens has on average. */
const restOf = (row: Float32Array, ids: Uint32Array): number => {
  const others = row.length - ids.length;
  if (others === 0) return 0;
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (let id = 0, next = 0; id < row.length; id++) {
    if (ids[next] === id) next++;
    else sum += Math.exp(row[id]! - most);
  }
  return most + Math.log(Math.max(sum / others, Number.MIN_VALUE));
};

/** What is kept of logits [rows, vocab]. */
export const topLogits = (logits: Float32Array, { rows, vocab, topK }: Size): Uint8Array => {
  const bytes = new Uint8Array(rows * keptBytesPerRow(topK));
  const view = new DataView(bytes.buffer);
  for (let r = 0, at = 0; r < rows; r++) {
    const row = logits.subarray(r * vocab, (r + 1) * vocab);
    const ids = largest(row, topK);
    for (const id of ids) {
      view.setUint32(at, id, true);
      view.setFloat32(at + 4, row[id]!, true);
      at += 8;
    }
    view.setFloat32(at, restOf(row, ids), true);
    at += 4;
  }
  return bytes;
};

/** Writes the logits [rows, vocab] that kept ones stand for. */
export const logitsFrom = (bytes: Uint8Array, { rows, vocab, topK }: Size, out: Float32Array): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = keptBytesPerRow(topK);
  for (let r = 0; r < rows; r++) {
    const row = out.subarray(r * vocab, (r + 1) * vocab);
    row.fill(view.getFloat32((r + 1) * each - 4, true));
    for (let i = 0, at = r * each; i < topK; i++, at += 8)
      row[view.getUint32(at, true)] = view.getFloat32(at + 4, true);
  }
};

/** Says of a batch what `ask` says of it, a model's logits [rows, vocab], as far as it is kept. */
export const keptLogits = (
  ask: (batch: Feeds) => Promise<Float32Array>,
  { topK: most, store }: KeptOptions,
  vocab: number,
): ((batch: Feeds, out?: Float32Array) => Promise<Feeds>) => {
  const topK = Math.min(most, vocab);
  return async (batch, given) => {
    const rows = batch.labels!.data.length;
    const size = { rows, vocab, topK };
    const found = await store.find(batch);
    const isWhole = found?.length === rows * keptBytesPerRow(topK);
    const bytes = isWhole ? found : topLogits(await ask(batch), size);
    if (!isWhole) await store.keep(batch, bytes);
    const out = given ?? new Float32Array(rows * vocab);
    logitsFrom(bytes, size, out);
    return { teacherLogits: tensor("float32", [rows, vocab], out as Float32Array<ArrayBuffer>) };
  };
};
