/**
 * Learning to turn one text into another: the decoder reads the target shifted to the right and says each
 * next token of it (Sutskever et al. 2014, https://arxiv.org/abs/1409.3215).
 */

import { meanOf, perplexity, tokenScores } from "../scores.ts";
import { type Task, textOf } from "../task.ts";
import { tokenTeaching } from "../teaching/distillation.ts";
import { heldOutPairs, materialPairs, pairLesson } from "./pairLesson.ts";
import { pairRecords } from "./pairRecords.ts";
import { heldOutOfText, spanLesson } from "./spanLesson.ts";

/**
 * Turning one text into another: of pairs, or the spans that running text lacks; judged by the loss on
 * targets.
 */
export const seq2seqLm: Task = {
  name: "seq2seq-lm",
  pipeline: "text2text-generation",
  heads: ["seq2seq-lm"],
  lossUnit: "nats per target token",
  textTokens: 128,
  reads: ["pairs", "text", "examples"],
  records: pairRecords,
  criterion: {
    name: "nats per target token",
    unit: "nats per target token",
    example: "target token",
    better: "less",
    of: meanOf,
  },
  metrics: [perplexity("target token")],
  lesson: (material, options) =>
    material.kind === "text"
      ? spanLesson(textOf(material, "seq2seq-lm"), options)
      : pairLesson(material, options),
  heldOut: (material, options) =>
    material.kind === "text"
      ? heldOutOfText(textOf(material, "seq2seq-lm"), options)
      : heldOutPairs(materialPairs(material).validation, options),
  teaching: (lesson, options) => tokenTeaching(lesson.objective, options),
  scorer: async (engine, heldOut) => (model) => tokenScores(engine, model, heldOut),
};
