/** A lesson of pairs of texts: batches whose sources, and whose targets, are of like length. */
import { longestOf, type PairLengths, pairBatches, sortedPairBatches } from "../../data/batch/pairBatches.ts";
import type { ModelConfig, Seq2SeqArchitecture } from "../../models/model.ts";
import { DataError } from "../../util/errors.ts";
import type { Example, Examples } from "../records.ts";
import type { HeldOut, Lesson, LessonOptions, TextPair, TokenPairs } from "../task.ts";
import { filledPairs, type TokenIds } from "./pairBatch.ts";
import { sequenceToSequence } from "./sequenceToSequence.ts";

/** The special ids of the model's targets. */
export const tokensOf = ({
  model,
}: Pick<LessonOptions, "model">): TokenIds & { readonly eos: readonly number[] } => {
  const arch = model.arch as Seq2SeqArchitecture;
  return arch.tokens(model.config as ModelConfig);
};

const lengthsOf = (pairs: readonly TextPair[]): PairLengths[] =>
  pairs.map(({ source, target }) => ({ source: source.length, target: target.length }));

/** The first pairs with at most so many tokens to say. */
const within = <P extends TextPair>(pairs: readonly P[], limit: number): P[] => {
  let tokens = 0;
  return pairs.filter(({ target }) => {
    tokens += target.length;
    return tokens <= limit || tokens === target.length;
  });
};

/** A pair that is an example of records. */
export interface ExamplePair extends TextPair {
  readonly example?: Example;
}

/** The pairs that examples are: their parts "source" and "target". */
export const pairsOf = (examples: readonly Example[]): ExamplePair[] =>
  examples.map((example) => ({
    source: example.parts.source!,
    target: example.parts.target!,
    example,
  }));

/** Pairs, whichever way the data came. */
export const materialPairs = (
  material: TokenPairs | Examples,
): Record<"train" | "validation", ExamplePair[]> =>
  material.kind === "pairs"
    ? { train: [...material.train], validation: [...material.validation] }
    : { train: pairsOf(material.train), validation: pairsOf(material.validation) };

/** Held-out pairs as batches, in the order of their lengths. Throws DataError where there are none. */
export const heldOutPairs = (
  validation: readonly ExamplePair[],
  options: LessonOptions,
  shapes?: readonly PairLengths[],
): HeldOut => {
  const { batch } = options;
  // Of records all are measured, as their judge wants them.
  const held = validation[0]?.example === undefined ? within(validation, options.heldOutTokens) : validation;
  if (held.length === 0) {
    throw new DataError("no pair is held out", { hint: "give more pairs, or name some with --validation" });
  }
  const ids = tokensOf(options);
  const batches = sortedPairBatches({ lengths: lengthsOf(held), batch }, shapes);
  const rows = batches.map(({ rows: some, shape }) => ({ pairs: some.map((i) => held[i]!), shape }));
  const examples = rows.flatMap(({ pairs }) => pairs.flatMap(({ example }) => example ?? []));
  return {
    windows: rows.map(({ pairs, shape: lengths }) => filledPairs(pairs, batch, { ...ids, lengths })),
    ...(examples.length === 0 ? {} : { examples }),
  };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Batches of pairs, all of them once an epoch, in a seeded order. Throws DataError where there are none. */
export const pairLesson = (material: TokenPairs | Examples, options: LessonOptions): Lesson => {
  const { batch, seed } = options;
  const { train, validation } = materialPairs(material);
  if (train.length === 0) throw new DataError("there is no pair to train on", { hint: "give more pairs" });
  const batches = pairBatches({ lengths: lengthsOf(train), batch, seed });
  const { shapes, epoch, padding } = batches;
  const ids = tokensOf(options);
  const longest = longestOf(shapes);
  const { labelSmoothing = 0 } = options.records ?? {};
  return {
    objective: sequenceToSequence({ target: longest.target, labelSmoothing }),
    context: longest.source,
    widths: shapes,
    epoch,
    padding,
    source: (index) => {
      const { rows, shape: lengths } = batches.at(index);
      return filledPairs(
        rows.map((i) => train[i]!),
        batch,
        { ...ids, lengths },
      );
    },
    heldOut: heldOutPairs(validation, options, shapes),
    notes: [
      `batches of like lengths: ${epoch} an epoch, ${shapes.length} shapes of up to ${longest.source} and ` +
        `${longest.target} tokens, ${percent(padding)} padding`,
    ],
  };
};
