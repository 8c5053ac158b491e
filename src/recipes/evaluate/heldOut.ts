/** Held-out text as the batches of a task, one row each, as a user's texts come. */
import type { Feeds } from "../../engine/engine.ts";
import { IGNORE } from "../../nn/loss.ts";
import type { HeldOut, Material, TokenText } from "../../tasks/task.ts";
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
