/** Encoders that tell replaced tokens: how sure they are of which tokens of a text were replaced. */
import { asFloat32 } from "../../evaluate/parity/agreement.ts";
import { textFeeds } from "../../evaluate/speed.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import { DataError, RunError } from "../../util/errors.ts";
import type { Evaluator, Prediction } from "./evaluation.ts";
import { ints, readTokens, rowsOf, textMaterial } from "./heldOut.ts";

/** Longest window, tokens. */
const LONGEST = 512;

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

/** Nats per token of held-out text with replacements of its own, and how many of them are found. */
export const replacedTokens: Evaluator = {
  takes: ["predictions"],
  async measure(asked) {
    const { subject, hooks } = asked;
    const context = Math.min(subject.arch.cache(subject.config).positions, LONGEST);
    const session = await loadAsIs(asked.engine, subject.graphs.model!);
    try {
      const windows = rowsOf(asked, await textMaterial(asked), { context });
      const progress = hooks.ui.task("measuring", windows.length);
      const all: Told[] = [];
      const predictions: Prediction[] = [];
      for (const [i, row] of windows.entries()) {
        hooks.signal?.throwIfAborted();
        const ids = ints(row, "inputIds").slice(0, readTokens(row));
        const { logits } = await session.run(textFeeds(session, ids));
        if (logits === undefined) throw new RunError("the graph has no output logits");
        const said = asFloat32(logits.data);
        const replaced = ints(row, "replaced");
        const told = ids.flatMap((id, at) =>
          replaced[at]! < 0 ? [] : [{ id, replaced: replaced[at] === 1, logit: said[at]! }],
        );
        all.push(...told);
        const textsOf = (some: typeof told) => some.map(({ id }) => subject.tokenizer.decode([id]));
        if (told.length > 0) {
          predictions.push({
            input: subject.tokenizer.decode(ids, { keepSpecial: true }),
            reference: textsOf(told.filter((one) => one.replaced)),
            prediction: textsOf(told.filter(({ logit }) => logit > 0)),
            score: told.reduce((sum, one) => sum + natsOf(one), 0) / told.length,
          });
        }
        progress.update(i + 1);
      }
      progress.done(`measured ${all.length} tokens`);
      const wrong = all.filter(({ replaced }) => replaced);
      if (wrong.length === 0) {
        throw new DataError("the held-out text is so short that none of its tokens was replaced", {
          hint: "give more text, or hold more of it out (--validation-share)",
        });
      }
      return {
        measuredOn: `${all.length} tokens of held-out text, of which ${wrong.length} were replaced`,
        figures: {
          natsPerToken: bootstrapMean(all.map(natsOf)),
          accuracy: proportion(all.filter(hit).length, all.length),
          found: proportion(wrong.filter(hit).length, wrong.length),
        },
        predictions,
      };
    } finally {
      await session.dispose();
    }
  },
};
