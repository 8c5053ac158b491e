/** Rows of tokens as a batch for a decoder, whose head reads the labelled ones alone. */
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { IGNORE } from "../../nn/loss.ts";
import type { BatchShape } from "../objective.ts";
import type { LessonOptions } from "../task.ts";
import type { Labelled } from "./encode.ts";

// B rows, T width, P places

/** A row of a batch: the tokens, and what is to be said behind each. */
export type TokenRow = Pick<Labelled, "ids" | "labels">;

/** How many labels a row has. */
export const countOf = ({ labels }: TokenRow): number =>
  labels.reduce((n, label) => n + Number(label !== IGNORE), 0);

/**
 * How many labels a row has at most, by the tokens of the longest: so many places the head reads of a row.
 */
export type Places = (width: number) => number;

/** The places of rows that are batched by their length. */
export const placesOf = (rows: readonly TokenRow[]): Places => {
  const sorted = rows.map((row) => [row.ids.length, countOf(row)] as const).sort(([a], [b]) => a - b);
  const lengths = sorted.map(([length]) => length);
  let most = 1;
  const mosts = sorted.map(([, count]) => {
    most = Math.max(most, count);
    return most;
  });
  return (width) => {
    const above = lengths.findIndex((length) => length > width);
    return above === 0 ? 1 : (mosts.at(above < 0 ? -1 : above - 1) ?? 1);
  };
};

/** The types of labels int32 [B * T] and places int32 [B, P]. */
export const rowInputs = ({ batch, context }: BatchShape, places: Places) =>
  ({
    labels: { dtype: "int32", shape: [batch * context] },
    places: { dtype: "int32", shape: [batch, Math.min(context, places(context))] },
  }) as const;

/** Where the labels of a row are; those that are too few stand for a place without one. */
export const placesIn = (labels: Int32Array, count: number): number[] => {
  const some: number[] = [];
  labels.forEach((label, t) => {
    if (label !== IGNORE) some.push(t);
  });
  const none = labels.indexOf(IGNORE);
  return [...some, ...Array.from({ length: count - some.length }, () => none)];
};

/**
 * Rows as feeds: padding stands behind, where a causal model does not see it. Rows without tokens are of
 * nothing.
 */
export const rowFeeds = (
  rows: readonly (TokenRow | undefined)[],
  { width, places }: { readonly width: number; readonly places: Places },
  { model, tokenizer }: Pick<LessonOptions, "model" | "tokenizer">,
): Feeds => {
  const { pad_token_id: own } = model.config as { readonly pad_token_id?: number | null };
  const pad = own ?? tokenizer.specials.pad ?? tokenizer.eos;
  const batch = rows.length;
  const count = Math.min(width, places(width));
  const ids = new Int32Array(batch * width).fill(pad);
  const labels = new Int32Array(batch * width).fill(IGNORE);
  const where = new Int32Array(batch * count);
  rows.forEach((row, b) => {
    if (row === undefined) return;
    ids.set(row.ids, b * width);
    labels.set(row.labels, b * width);
    where.set(placesIn(labels.subarray(b * width, (b + 1) * width), count), b * count);
  });
  return {
    inputIds: tensor("int32", [batch, width], ids),
    labels: tensor("int32", [batch * width], labels),
    places: tensor("int32", [batch, count], where),
  };
};
