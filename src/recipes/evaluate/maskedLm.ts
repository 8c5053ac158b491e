/** Encoders that fill in masks: how probable they find the hidden tokens, and how many they get right. */
import { asFloat32 } from "../../evaluate/parity/agreement.ts";
import { type Said, saidTokens } from "../../evaluate/said.ts";
import { textFeeds } from "../../evaluate/speed.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError, RunError } from "../../util/errors.ts";
import type { Evaluator, Prediction } from "./evaluation.ts";
import { ints, readTokens, rowsOf, textMaterial } from "./heldOut.ts";

/** Longest window, tokens. */
const LONGEST = 512;

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
    const { engine, subject, hooks } = asked;
    const context = Math.min(subject.arch.cache(subject.config).positions, LONGEST);
    const session = await loadAsIs(engine, subject.graphs.model!);
    try {
      const windows = rowsOf(asked, await textMaterial(asked), { context });
      const progress = hooks.ui.task("measuring", windows.length);
      const found: Said[] = [];
      const predictions: Prediction[] = [];
      for (const [i, row] of windows.entries()) {
        hooks.signal?.throwIfAborted();
        const ids = ints(row, "inputIds").slice(0, readTokens(row));
        const { logits } = await session.run(textFeeds(session, ids));
        if (logits === undefined) throw new RunError("the graph has no output logits");
        const said = saidTokens(asFloat32(logits.data), ints(row, "labels").slice(0, ids.length));
        found.push(...said);
        if (said.length > 0) predictions.push(predictionOf(subject.tokenizer, ids, said));
        progress.update(i + 1);
      }
      progress.done(`measured ${found.length} masked tokens`);
      if (found.length === 0) {
        throw new DataError("the held-out text is so short that none of its tokens was masked", {
          hint: "give more text, or hold more of it out (--validation-share)",
        });
      }
      const hits = found.filter(({ id, likeliest }) => id === likeliest).length;
      return {
        measuredOn: `${found.length} masked tokens of held-out text`,
        figures: {
          natsPerMaskedToken: bootstrapMean(found.map(({ nats }) => nats)),
          filledIn: proportion(hits, found.length),
        },
        predictions,
      };
    } finally {
      await session.dispose();
    }
  },
};
