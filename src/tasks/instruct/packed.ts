/**
 * Examples that share rows: laid into rows by best fit (Ding et al. 2024,
 * https://arxiv.org/abs/2404.10830), so that little is padding, and none sees another.
 */
import { bestFit } from "../../data/batch/packing.ts";
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { IGNORE } from "../../nn/loss.ts";
import { DataError } from "../../util/errors.ts";
import { permutation } from "../../util/rng.ts";
import { documentFeeds, documentInputs } from "../languageModelling.ts";
import { type BatchShape, type Objective, placedTotals } from "../objective.ts";
import type { Lesson, LessonOptions } from "../task.ts";
import { countOf, placesIn, rowInputs, type TokenRow } from "./batch.ts";

// B rows, T width, P places

/** Numbers of the examples that share a row, by rows. */
const rowsOf = (lengths: readonly number[], width: number): number[][] => {
  const rows: number[][] = [];
  const laid = bestFit(Uint32Array.from(lengths), width).sort((a, b) => a.window - b.window || a.at - b.at);
  for (const { window, piece } of laid) {
    rows[window] ??= [];
    rows[window].push(piece);
  }
  return rows;
};

interface PackedShape {
  readonly batch: number;
  readonly width: number;
  /** Most labels of a row. */
  readonly most: number;
  readonly pad: number;
}

/** Rows of examples as feeds; rows of none are padding. */
const feedsOf = (rows: readonly (readonly TokenRow[])[], { batch, width, most, pad }: PackedShape): Feeds => {
  const ids = new Int32Array(batch * width).fill(pad);
  const labels = new Int32Array(batch * width).fill(IGNORE);
  const documents = new Int32Array(batch * width).fill(-1);
  const places = new Int32Array(batch * most);
  rows.forEach((row, b) => {
    let at = b * width;
    row.forEach((example, i) => {
      ids.set(example.ids, at);
      labels.set(example.labels, at);
      documents.fill(i, at, at + example.ids.length);
      at += example.ids.length;
    });
    places.set(placesIn(labels.subarray(b * width, (b + 1) * width), most), b * most);
  });
  return {
    inputIds: tensor("int32", [batch, width], ids),
    labels: tensor("int32", [batch * width], labels),
    places: tensor("int32", [batch, most], places),
    ...documentFeeds(documents, [batch, width]),
  };
};

/** What of a lesson packing makes. Throws DataError where there is no example. */
export const packedRows = (
  examples: readonly TokenRow[],
  { batch, context, seed, model, tokenizer }: LessonOptions,
  plain: Objective,
): Omit<Lesson, "heldOut"> => {
  if (examples.length === 0) {
    throw new DataError("there is no example to train on", { hint: "give more records" });
  }
  const lengths = examples.map(({ ids }) => ids.length);
  const rows = rowsOf(lengths, context);
  const sumOf = (row: readonly number[], of: (i: number) => number) => row.reduce((sum, i) => sum + of(i), 0);
  const width = Math.max(...rows.map((row) => sumOf(row, (i) => lengths[i]!)));
  const labelled = Math.max(...rows.map((row) => sumOf(row, (i) => countOf(examples[i]!))));
  // A place that is over is one without a label, of which there is none where all have one.
  const most = Math.min(width, Math.max(1, labelled));
  const { pad_token_id: own } = model.config as { readonly pad_token_id?: number | null };
  const shape = { batch, width, most, pad: own ?? tokenizer.specials.pad ?? tokenizer.eos };
  const epoch = Math.ceil(rows.length / batch);
  const tokens = lengths.reduce((a, b) => a + b, 0);
  let [known, order]: [number, Uint32Array] = [-1, new Uint32Array(0)];
  return {
    objective: {
      ...plain,
      inputs: (given: BatchShape) => ({ ...rowInputs(given, () => most), ...documentInputs(given) }),
      totals: (outputs, { labels, places }) => placedTotals(outputs, labels!, places!),
      heldOut: plain,
    },
    context: width,
    epoch,
    source: (index) => {
      const turn = Math.floor(index / epoch);
      if (turn !== known) order = permutation(rows.length, seed, `packed/${turn}`);
      known = turn;
      const drawn = order.subarray((index % epoch) * batch, ((index % epoch) + 1) * batch);
      return feedsOf(
        Array.from(drawn, (row) => rows[row]!.map((i) => examples[i]!)),
        shape,
      );
    },
    notes: [
      `${examples.length} examples in ${rows.length} rows of ${width} tokens: ${epoch} batches an epoch, ` +
        `${(100 * (1 - tokens / (rows.length * width))).toFixed(1)} % padding`,
    ],
  };
};
