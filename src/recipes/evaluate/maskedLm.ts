/** Encoders that fill in masks: how probable they find the hidden tokens, and how many they get right. */
import { type Said, saidTokens } from "../../evaluate/said.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Evaluator, Prediction } from "./evaluation.ts";
import { ints, readWindows, tooShort } from "./heldOut.ts";
import { ofMean } from "./scored.ts";

/** A window with what was hidden in it; its score is the nats per hidden token. */
const predictionOf = (tokenizer: Tokenizer, ids: readonly number[], said: readonly Said[]): Prediction => ({
  input: tokenizer.decode(ids, { keepSpecial: true }),
  reference: said.map(({ id }) => tokenizer.decode([id])),
  prediction: said.map(({ likeliest }) => tokenizer.decode([likeliest])),
  score: said.reduce((sum, { nats }) => sum + nats, 0) / said.length,
});

/** Nats per masked token of held-out text, and the share of them that is filled in right. */
export const maskedLm: Evaluator = {
  takes: ["predictions"],
  async measure(asked) {
    const found: Said[] = [];
    const predictions: Prediction[] = [];
    for await (const { row, ids, logits } of readWindows(asked)) {
      const said = saidTokens(logits, ints(row, "labels").slice(0, ids.length));
      found.push(...said);
      if (said.length > 0) predictions.push(predictionOf(asked.subject.tokenizer, ids, said));
    }
    if (found.length === 0) throw tooShort("masked");
    const hits = found.filter(({ id, likeliest }) => id === likeliest).length;
    return {
      measuredOn: `${found.length} masked tokens of held-out text`,
      figures: {
        natsPerMaskedToken: bootstrapMean(found.map(({ nats }) => nats)),
        filledIn: proportion(hits, found.length),
      },
      predictions,
      scored: ofMean(
        found.map(({ nats }) => nats),
        {
          ...{ name: "nats per masked token", better: "less", example: "masked token", ofTokens: true },
          keys: found.map(({ id }, i) => `${i} ${id}`),
        },
      ),
    };
  },
};
