/** Held-out text as the batches of a task, one row each, as a user's texts come. */
import type { Feeds } from "../../engine/engine.ts";
import { asFloat32 } from "../../evaluate/parity/agreement.ts";
import { textFeeds } from "../../evaluate/speed.ts";
import { IGNORE } from "../../nn/loss.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { HeldOut, Material, TokenText } from "../../tasks/task.ts";
import { DataError, RunError } from "../../util/errors.ts";
import { userData } from "../data/read.ts";
import type { Asked } from "./evaluation.ts";

/** Most held-out tokens that are measured. */
const TOKENS = 32_768;

/** The user's text as tokens. Throws DataError as `corpus`. */
export const textMaterial = async ({ subject, options, hooks }: Asked): Promise<TokenText> => {
  const { tokenizer } = subject;
  const { material } = await userData(options, hooks, { task: { reads: ["text"] }, tokenizer });
  return material as TokenText;
};

/** Held-out batches of one row of at most `context` tokens. Throws as the task's `heldOut`. */
export const rowsOf = (
  { subject, options }: Asked,
  material: Material,
  { context, tokens = TOKENS }: { readonly context: number; readonly tokens?: number },
): HeldOut["windows"] =>
  subject.task.heldOut(material, {
    ...{ model: subject, tokenizer: subject.tokenizer },
    ...{ batch: 1, context, seed: options.seed + 1, heldOutTokens: tokens },
  }).windows;

/** An input of a batch of one row. */
export const ints = (row: Feeds, name: string): number[] => Array.from(row[name]!.data, Number);

/** How many tokens of a row are not padding. */
export const readTokens = (row: Feeds): number => ints(row, "attentionMask").filter((x) => x === 1).length;

/** How many tokens of a row are to be said. */
export const saidCount = (row: Feeds): number => ints(row, "labels").filter((x) => x !== IGNORE).length;

/** A held-out text, and what an encoder's graph says of it. */
export interface ReadWindow {
  readonly row: Feeds;
  /** Without padding. */
  readonly ids: readonly number[];
  /** [T, V] or [T], of the tokens and maybe of padding. */
  readonly logits: Float32Array;
}

/** Longest text of an encoder, tokens. */
const LONGEST = 512;

/** An encoder's graph on the held-out windows, one by one. Throws RunError where it gives no logits. */
export async function* readWindows(asked: Asked): AsyncGenerator<ReadWindow> {
  const { engine, subject, hooks } = asked;
  const context = Math.min(subject.arch.cache(subject.config).positions, LONGEST);
  const session = await loadAsIs(engine, subject.graphs.model!);
  try {
    const windows = rowsOf(asked, await textMaterial(asked), { context });
    const progress = hooks.ui.task("measuring", windows.length);
    for (const [i, row] of windows.entries()) {
      hooks.signal?.throwIfAborted();
      const ids = ints(row, "inputIds").slice(0, readTokens(row));
      const { logits } = await session.run(textFeeds(session, ids));
      if (logits === undefined) throw new RunError("the graph has no output logits");
      yield { row, ids, logits: asFloat32(logits.data) };
      progress.update(i + 1);
    }
    progress.done(`measured ${windows.length} texts`);
  } finally {
    await session.dispose();
  }
}

/** The error of a text in which a task found nothing to ask. */
export const tooShort = (what: string): DataError =>
  new DataError(`the held-out text is so short that none of its tokens was ${what}`, {
    hint: "give more text, or hold more of it out (--validation-share)",
  });
