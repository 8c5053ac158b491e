/** Encoders that tell replaced tokens: how sure they are of which tokens of a text were replaced. */
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Evaluator, Prediction } from "./evaluation.ts";
import { ints, readWindows, tooShort } from "./heldOut.ts";
import { ofMean } from "./scored.ts";

/** A token that counts. */
interface Told {
  readonly replaced: boolean;
  readonly logit: number;
}

/** -log of the probability that a logit gives to what is so, exact at any logit. */
const natsOf = ({ replaced, logit }: Told): number => {
  const against = replaced ? -logit : logit;
  return Math.max(against, 0) + Math.log1p(Math.exp(-Math.abs(against)));
};

const hit = ({ replaced, logit }: Told): boolean => logit > 0 === replaced;

/** A window: which tokens were replaced, and which were said to be; its score is the nats per token. */
const predictionOf = (
  tokenizer: Tokenizer,
  ids: readonly number[],
  told: readonly (Told & { readonly id: number })[],
): Prediction => {
  const textsOf = (some: typeof told) => some.map(({ id }) => tokenizer.decode([id]));
  return {
    input: tokenizer.decode(ids, { keepSpecial: true }),
    reference: textsOf(told.filter(({ replaced }) => replaced)),
    prediction: textsOf(told.filter(({ logit }) => logit > 0)),
    score: told.reduce((sum, one) => sum + natsOf(one), 0) / told.length,
  };
};

/** Nats per token of held-out text with replacements of its own, and how many of them are found. */
export const replacedTokens: Evaluator = {
  takes: ["predictions"],
  async measure(asked) {
    const all: Told[] = [];
    const predictions: Prediction[] = [];
    for await (const { row, ids, logits } of readWindows(asked)) {
      const replaced = ints(row, "replaced");
      const told = ids.flatMap((id, at) =>
        replaced[at]! < 0 ? [] : [{ id, replaced: replaced[at] === 1, logit: logits[at]! }],
      );
      all.push(...told);
      if (told.length > 0) predictions.push(predictionOf(asked.subject.tokenizer, ids, told));
    }
    const wrong = all.filter(({ replaced }) => replaced);
    if (wrong.length === 0) throw tooShort("replaced");
    return {
      measuredOn: `${all.length} tokens of held-out text, of which ${wrong.length} were replaced`,
      figures: {
        natsPerToken: bootstrapMean(all.map(natsOf)),
        accuracy: proportion(all.filter(hit).length, all.length),
        found: proportion(wrong.filter(hit).length, wrong.length),
      },
      predictions,
      scored: ofMean(all.map(natsOf), {
        ...{ name: "nats per token", better: "less", example: "token", ofTokens: true },
        keys: all.map(({ replaced }, i) => `${i} ${replaced}`),
      }),
    };
  },
};
