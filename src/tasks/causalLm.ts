/** Causal language modelling: each token is to be said from those before it. */
import { batches, evalBatches } from "../data/batch/batches.ts";
import { windowBatches } from "../data/batch/windows.ts";
import type { Feeds } from "../engine/engine.ts";
import { tensor } from "../ir/tensor.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { ConfigError } from "../util/errors.ts";
import { documentFeeds, documentModelling, languageModelling } from "./languageModelling.ts";
import { meanOf, perplexity, tokenScores } from "./scores.ts";
import {
  type BatchSource,
  type HeldOut,
  type LessonOptions,
  type Material,
  type Task,
  type TokenText,
  textOf,
} from "./task.ts";
import { tokenTeaching } from "./teaching/distillation.ts";

interface WindowOptions {
  readonly batch: number;
  readonly context: number;
  readonly seed: number;
}

/** Windows as a batch's feeds. */
const feedsOf = (
  { inputIds, labels }: { readonly inputIds: Int32Array; readonly labels: Int32Array },
  { batch, context }: Omit<WindowOptions, "seed">,
): Feeds => ({
  inputIds: tensor("int32", [batch, context], inputIds),
  labels: tensor("int32", [batch * context], labels),
});

/** Micro-batches of the training stream. Throws ConfigError where it was packed for another context. */
export const windowSource = (
  { train, packed }: Pick<TokenText, "train" | "packed">,
  options: WindowOptions,
): BatchSource => {
  const { batch, context, seed } = options;
  if (packed !== undefined && packed.window !== context + 1) {
    throw new ConfigError(`is ${context}, and the data was packed for ${packed.window - 1}`, {
      field: "model.n_positions",
      hint: `give --context ${packed.window - 1}, or pack the data anew`,
    });
  }
  if (packed === undefined) {
    const at = batches({ tokens: train, batch, context, seed });
    return (index) => feedsOf(at(index), options);
  }
  const at = windowBatches({ ...packed, batch, context, seed });
  return (index) => {
    const { documents, ...said } = at(index);
    const apart = packed.documentMask ? documentFeeds(documents, [batch, context]) : {};
    return { ...feedsOf(said, options), ...apart };
  };
};

/** Held-out windows, at most `limit` tokens of them, with the bytes of the text that is said in them. */
export const heldOutWindows = (
  validation: Uint32Array,
  tokenizer: Pick<Tokenizer, "bytesOf">,
  { batch, context, limit }: { readonly batch: number; readonly context: number; readonly limit: number },
): HeldOut & { readonly bytes: number } => {
  const tokens = validation.subarray(0, Math.min(validation.length, limit + 1));
  const windows = evalBatches({ tokens, batch, context }).map((each) => feedsOf(each, { batch, context }));
  const bytes = tokens.subarray(1).reduce((sum, id) => sum + tokenizer.bytesOf(id).length, 0);
  return { windows, bytes };
};

const heldOut = (material: Material, { tokenizer, heldOutTokens: limit, ...shape }: LessonOptions): HeldOut =>
  heldOutWindows(textOf(material, "causal-lm").validation, tokenizer, { ...shape, limit });

/** Saying each next token; judged by the bits that a byte of held-out text takes. */
export const causalLm: Task = {
  name: "causal-lm",
  pipeline: "text-generation",
  heads: ["causal-lm"],
  textTokens: 512,
  reads: ["text"],
  criterion: {
    name: "bits per byte",
    unit: "nats per token",
    example: "token",
    better: "less",
    block: 64, // a text that is hard at one token is so at the next
    of: (scores, { bytes = Number.NaN }) => (meanOf(scores) * scores.length) / Math.LN2 / bytes,
  },
  metrics: [perplexity("token", 64)],
  lesson: (material, options: LessonOptions) => {
    const text = textOf(material, "causal-lm");
    return {
      objective: text.packed?.documentMask ? documentModelling : languageModelling,
      context: options.context,
      source: windowSource(text, options),
      heldOut: heldOut(material, options),
    };
  },
  heldOut,
  teaching: (lesson, options) => tokenTeaching(lesson.objective, options),
  scorer: async (engine, heldOut) => (model) => tokenScores(engine, model, heldOut),
};
