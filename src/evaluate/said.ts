/** What a model's logits say of tokens that are known. */
import { IGNORE } from "../nn/loss.ts";

// N rows, V vocabulary

/** A token that was to be said. */
export interface Said {
  /** Its row of the logits. */
  readonly at: number;
  readonly id: number;
  /** The token that the model finds likeliest there. */
  readonly likeliest: number;
  /** -log of the probability that the model gives to `id`. */
  readonly nats: number;
}

/** The likeliest token of a row of logits [V], and log sum exp of all. */
const summary = (row: Float32Array): { readonly likeliest: number; readonly logSum: number } => {
  let likeliest = 0;
  for (let v = 1; v < row.length; v++) if (row[v]! > row[likeliest]!) likeliest = v;
  const most = row[likeliest]!;
  let sum = 0;
  for (let v = 0; v < row.length; v++) sum += Math.exp(row[v]! - most);
  return { likeliest, logSum: most + Math.log(sum) };
};

/** What logits [N, V] say of labels [N], for all labels but those that are IGNORE. */
export const saidTokens = (logits: Float32Array, labels: ArrayLike<number>): Said[] => {
  const width = logits.length / labels.length;
  const said: Said[] = [];
  for (let at = 0; at < labels.length; at++) {
    const id = labels[at]!;
    if (id === IGNORE) continue;
    const row = logits.subarray(at * width, (at + 1) * width);
    const { likeliest, logSum } = summary(row);
    said.push({ at, id, likeliest, nats: logSum - row[id]! });
  }
  return said;
};
