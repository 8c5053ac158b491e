/**
 * A linear model as the teacher of a classifier: what it says of many texts that are made of the labelled
 * ones. Those few a network knows by heart before it has learnt what a linear model knows of words.
 */
import type { Tokenizer } from "../../../tokenizer/index.ts";
import { rng, streamOf } from "../../../util/rng.ts";
import type { Example } from "../../records.ts";
import { madeTexts } from "./madeTexts.ts";
import { linearOf, textsOf } from "./start.ts";

/** Logits [K] of one regression for two labels, of one each for more. */
const logitsOf = (odds: readonly number[]): readonly number[] =>
  odds.length === 1 ? [-odds[0]! / 2, odds[0]! / 2] : odds;

/** How sure a label is of itself, as a logit. */
const SURE = 20;

/** How texts are made and taught. */
export interface LinearTeaching {
  readonly tokenizer: Tokenizer;
  readonly classes: number;
  /** Made-up texts for each example. */
  readonly each: number;
  /** Most tokens of one. */
  readonly context: number;
  readonly seed: number;
}

/** The examples with their labels as logits, and behind them made-up ones with those of a linear model. */
export const linearlyTaught = (
  examples: readonly Example[],
  { tokenizer, classes, each, context, seed }: LinearTeaching,
): readonly Example[] => {
  const linear = linearOf(examples, tokenizer, classes);
  const made = madeTexts(textsOf(examples, tokenizer).texts, examples.length * each, rng(seed, "made-texts"));
  const labelled = examples.map((example) => {
    const teacher = Array.from({ length: classes }, (_, k) => (k === example.parts.labels![0] ? SURE : 0));
    return { ...example, parts: { ...example.parts, teacher } };
  });
  const taught = made.map((text): Example => {
    const { ids, typeIds } = tokenizer.encodeInputs(text, { maxLength: context });
    const teacher = logitsOf(linear.score(text));
    const label = teacher.indexOf(Math.max(...teacher));
    return {
      length: ids.length,
      parts: { ids, types: typeIds, labels: [label], teacher },
      unit: streamOf(text),
    };
  });
  return [...labelled, ...taught];
};
