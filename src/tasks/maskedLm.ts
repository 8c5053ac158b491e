/** Masked language modelling (Devlin et al. 2019, https://arxiv.org/abs/1810.04805): hidden tokens are filled in. */

import { type EncoderInputs, encoderInputs, int32 } from "./encoderInputs.ts";
import { type MaskedForm, maskedHeldOut, maskedLesson } from "./maskedText.ts";
import { atPlaces, labelsType, labelTotals, type Objective } from "./objective.ts";
import { meanOf, perplexity, tokenScores } from "./scores.ts";
import type { Task } from "./task.ts";
import { tokenTeaching } from "./teaching/distillation.ts";

// B batch, T context

/** Inputs of masked language modelling besides ids and labels. */
export interface MaskedLmInputs extends EncoderInputs {
  /** Most labels of a row, where a batch names their places in the rows: `places` int32 [B, asked]. */
  readonly asked?: number;
}

/**
 * Cross-entropy of the tokens that were masked: labels int32 [B * T] say them, -100 elsewhere; `maskTokens`
 * makes them. Where the batch names their places, the head reads no other token.
 */
export const maskedLanguageModelling = (options: MaskedLmInputs = {}): Objective => ({
  name: "mlm",
  inputs: (shape) => ({
    ...encoderInputs(shape, options),
    labels: labelsType(shape),
    ...(options.asked === undefined ? {} : { places: int32(shape.batch, options.asked) }),
  }),
  totals: (outputs, { labels, places }) => {
    if (places === undefined) return labelTotals(outputs, labels!);
    return labelTotals(...atPlaces(outputs, labels!, places));
  },
});

const form: MaskedForm = { task: "masked-lm", fate: "mask", objective: maskedLanguageModelling };

/** Filling in hidden tokens; judged by the loss on held-out ones. */
export const maskedLm: Task = {
  name: "masked-lm",
  pipeline: "fill-mask",
  heads: ["masked-lm"],
  textTokens: 256,
  reads: ["text"],
  criterion: {
    name: "nats per masked token",
    unit: "nats per masked token",
    example: "masked token",
    better: "less",
    of: meanOf,
  },
  metrics: [perplexity("masked token")],
  lesson: (material, options) => maskedLesson(material, options, form),
  heldOut: (material, options) => maskedHeldOut(material, options, form),
  teaching: (taught, options) => tokenTeaching(taught.objective, options),
  scorer: async (engine, held) => (model) => tokenScores(engine, model, held),
};
