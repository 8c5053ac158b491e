/**
 * A linear model as the teacher of a classifier: what it says of a text is of a model that learnt the
 * other texts, so that it knows no label by heart (cross-fitting).
 */
import type { Tokenizer } from "../../../tokenizer/index.ts";
import type { Example } from "../../records.ts";
import { linearTexts } from "./linearTexts.ts";
import { textsOf } from "./start.ts";

/** Parts that texts are told by the others of. */
const FOLDS = 5;

/** Logits [K] of one regression for two labels, of one each for more. */
const logitsOf = (odds: readonly number[]): readonly number[] =>
  odds.length === 1 ? [-odds[0]! / 2, odds[0]! / 2] : odds;

/** The examples with logits of a linear model beside their labels; equal texts are in one part. */
export const linearlyTaught = (
  examples: readonly Example[],
  tokenizer: Tokenizer,
  classes: number,
): readonly Example[] => {
  const { texts, labels } = textsOf(examples, tokenizer);
  const taught: Example[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const isOwn = (i: number): boolean => examples[i]!.unit % FOLDS === fold;
    const others = Array.from(examples.keys()).filter((i) => !isOwn(i));
    const linear = linearTexts(
      others.map((i) => texts[i]!),
      others.map((i) => labels[i]!),
      classes,
    );
    examples.forEach((example, i) => {
      if (!isOwn(i)) return;
      taught[i] = { ...example, parts: { ...example.parts, teacher: logitsOf(linear.score(texts[i]!)) } };
    });
  }
  return taught;
};
