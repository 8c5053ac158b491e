/** A lesson of examples: batches of like length to train on, sorted ones to be measured by. */
import { lengthBatches, sortedBatches } from "../data/batch/lengthBatches.ts";
import type { Feeds } from "../engine/engine.ts";
import { tensor } from "../ir/tensor.ts";
import type { EncoderConfig } from "../models/encoders/encoder.ts";
import { readsTokenTypes } from "../models/encoders/encoder.ts";
import { DataError } from "../util/errors.ts";
import type { Objective } from "./objective.ts";
import type { Example, Examples } from "./records.ts";
import type { HeldOut, Judge, Lesson, LessonOptions } from "./task.ts";
import { tokenDropout } from "./tokenDropout.ts";

/** Rows and columns of a batch; where examples are fewer, rows of which nothing is asked stand behind. */
export interface RowShape {
  readonly batch: number;
  readonly width: number;
}

/** Examples as the feeds of a batch. */
export type Collate = (examples: readonly Example[], shape: RowShape) => Feeds;

/** What makes a lesson of examples. */
export interface ExampleParts {
  readonly objective: Objective;
  readonly collate: Collate;
  /** What the best weights are told by; the loss unless told. */
  judge?(heldOut: HeldOut): Judge;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const lengthsOf = (examples: readonly Example[]): number[] => examples.map(({ length }) => length);

/** Held-out examples as batches: in the order of their lengths. Throws DataError for none. */
export const exampleHeldOut = (
  { validation }: Examples,
  { batch }: Pick<LessonOptions, "batch">,
  collate: Collate,
  widths?: readonly number[],
): HeldOut => {
  if (validation.length === 0) {
    throw new DataError("no example is held out", {
      hint: "give more records, or name some with --validation",
    });
  }
  const batches = sortedBatches({ lengths: lengthsOf(validation), batch }, widths);
  const of = (rows: readonly number[]) => rows.map((i) => validation[i]!);
  return {
    windows: batches.map(({ rows, width }) => collate(of(rows), { batch, width })),
    examples: batches.flatMap(({ rows }) => of(rows)),
  };
};

/** The lesson of examples. Throws DataError where there are none. */
export const exampleLesson = (
  examples: Examples,
  options: LessonOptions,
  { objective, collate, judge }: ExampleParts,
): Lesson => {
  const { train } = examples;
  const { batch, seed } = options;
  if (train.length === 0)
    throw new DataError("there is no example to train on", { hint: "give more records" });
  const batches = lengthBatches({ lengths: lengthsOf(train), batch, seed });
  const { widths, epoch, padding } = batches;
  const heldOut = exampleHeldOut(examples, options, collate, widths);
  const dropped = tokenDropout(options) ?? ((feeds: Feeds) => feeds);
  return {
    objective,
    context: widths.at(-1)!,
    widths,
    epoch,
    source: (index) => {
      const { rows, width } = batches.at(index);
      const chosen = rows.map((i) => train[i]!);
      return dropped(collate(chosen, { batch, width }), index);
    },
    heldOut,
    padding,
    ...(judge === undefined ? {} : { judge: judge(heldOut) }),
    notes: [
      `batches of like length: ${epoch} an epoch, ${widths.length} widths of ${widths[0]} to ` +
        `${widths.at(-1)} tokens, ${percent(padding)} padding`,
    ],
  };
};

/** Token ids, mask and types of rows: parts "ids" and, where they differ, "types" of each example. */
export const textFeeds = (
  examples: readonly Example[],
  { batch, width }: RowShape,
  { model, tokenizer }: Pick<LessonOptions, "model" | "tokenizer">,
): Feeds => {
  const config = model.config as Partial<EncoderConfig>;
  const pad = config.pad_token_id ?? tokenizer.specials.pad ?? tokenizer.eos;
  const shape = [batch, width];
  const ids = new Int32Array(batch * width).fill(pad);
  const mask = new Int32Array(batch * width);
  const types = new Int32Array(batch * width);
  for (let b = 0; b < batch; b++) {
    const parts = examples[b]?.parts;
    // A row of nothing reads one token.
    mask.fill(1, b * width, b * width + (parts?.ids?.length ?? 1));
    if (parts === undefined) continue;
    ids.set(Array.from(parts.ids!), b * width);
    if (parts.types !== undefined) types.set(Array.from(parts.types), b * width);
  }
  const typed = readsTokenTypes(model.config) ? { tokenTypeIds: tensor("int32", shape, types) } : {};
  return {
    inputIds: tensor("int32", shape, ids),
    attentionMask: tensor("int32", shape, mask),
    ...typed,
  };
};
