/** Span corruption: running text as pairs of what is left of it, and what was taken out. */
import { batches } from "../../data/batch/batches.ts";
import { corruptSpans, spanLengths } from "../../data/batch/spans.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import type { HeldOut, Lesson, LessonOptions, TextPair, TokenText } from "../task.ts";
import { filledPairs, pairBatch } from "./pairBatch.ts";
import { tokensOf } from "./pairLesson.ts";
import { sequenceToSequence } from "./sequenceToSequence.ts";

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

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

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

/** Held-out text as pairs. Throws DataError where it is too short for one. */
export const heldOutOfText = (text: TokenText, options: LessonOptions): HeldOut => {
  const { held, width, pairOf, made } = corruption(text, options);
  const rows = Array.from({ length: Math.floor(held.length / width) }, (_, i) =>
    pairOf(held.subarray(i * width, (i + 1) * width), { seed: HELD_OUT_SEED, example: i }),
  );
  if (rows.length > 0) {
    return { windows: chunks(rows, options.batch).map((some) => filledPairs(some, options.batch, made)) };
  }
  throw new DataError(`the held-out text has ${held.length} tokens, and one example needs ${width}`, {
    hint: "give more text, or a shorter context (model.n_positions)",
  });
};

/** Span corruption of running text. */
export const spanLesson = (text: TokenText, options: LessonOptions): Lesson => {
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
