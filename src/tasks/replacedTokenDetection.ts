/** Pre-training of encoders that tell replaced tokens: ELECTRA's task (see replacedTokens.ts). */
import type { ElectraConfig } from "../models/encoders/electra.ts";
import { freshGenerator } from "../models/encoders/electraGenerator.ts";
import { readsTokenTypes } from "../models/encoders/encoder.ts";
import type { Weight } from "../nn/param.ts";
import { DataError } from "../util/errors.ts";
import type { Tree } from "../util/tree.ts";
import { type MaskedForm, maskedHeldOut, maskedLesson } from "./maskedText.ts";
import { detectionLosses, replacedTokensByGenerator, taughtDetection } from "./replacedTokens.ts";
import { meanOf, saidOf } from "./scores.ts";
import type { Task } from "./task.ts";

const form: MaskedForm = {
  task: "replaced-token-detection",
  fate: "text",
  objective: replacedTokensByGenerator,
};

/** Telling which tokens were replaced; judged by the loss on held-out text with replacements of its own. */
export const replacedTokenDetection: Task = {
  name: "replaced-token-detection",
  pipeline: "token-classification",
  heads: ["replaced-token-detection"],
  textTokens: 256,
  reads: ["text"],
  criterion: {
    ...{ name: "nats per token", unit: "nats per token", example: "token", better: "less", block: 16 },
    of: meanOf,
  },
  lesson: (material, options) => maskedLesson(material, options, form),
  heldOut: (material, options) => maskedHeldOut(material, options, form),
  pupil: (model, seed) => ({
    model: {
      ...model,
      weights: {
        ...(model.weights as object),
        ...(freshGenerator(model.config as ElectraConfig, seed) as object),
      },
    },
    finish: (trained) => {
      const { generator: _, ...weights } = trained.weights as { readonly [key: string]: Tree<Weight> };
      return { ...trained, weights };
    },
  }),
  teaching: (_, options, { config }) => ({
    objective: taughtDetection(options, { tokenTypes: readsTokenTypes(config) }),
    says: ({ logits }) => ({ teacherLogits: logits }),
  }),
  scorer:
    async (engine, { windows }) =>
    async (model) => {
      const said = await saidOf(engine, model, windows, ({ logits }, { replaced }) =>
        detectionLosses(logits, replaced!),
      );
      const found: number[] = [];
      for (const { losses, counts } of said) {
        losses!.data.forEach((loss, i) => {
          if (Number(counts!.data[i]) > 0) found.push(Number(loss));
        });
      }
      if (found.length > 0) return Float32Array.from(found);
      throw new DataError("nothing of the held-out text counts: it is all padding");
    },
};
