/**
 * Sentence embeddings: a text becomes a vector whose neighbours are the texts that mean the like (Reimers and
 * Gurevych 2019, https://arxiv.org/abs/1908.10084).
 */

import { meanOf } from "../scores.ts";
import type { Task } from "../task.ts";
import { groupHeldOut, groupLesson } from "./groupLesson.ts";
import { fits, read, wants } from "./groupRecords.ts";
import { withHardNegatives } from "./mined.ts";
import { rankAgreements, vectorsOf } from "./neighbours.ts";
import { heldOutTexts, textLesson, vectorTeaching } from "./texts.ts";

const scorer: Task["scorer"] = async (engine, held, reference) => {
  const agreements = rankAgreements(await vectorsOf(engine, reference, held));
  return async (model) => agreements(await vectorsOf(engine, model, held));
};

/**
 * Making vectors of texts: by records that say which belong together, or as a larger model makes them of any
 * text. Models are compared by how alike they and the first of them rank texts.
 */
export const embedding: Task = {
  name: "embedding",
  pipeline: "feature-extraction",
  heads: ["features"],
  textTokens: 128,
  reads: ["text", "examples"],
  records: {
    ...{ fits, wants, read },
    takes: [
      ...(["loss", "scale", "margin", "dims", "pooling"] as const),
      ...(["hardNegatives", "negativeMargin", "negativeRangeMin"] as const),
    ],
  },
  taught: true,
  lossUnit: "",
  criterion: {
    name: "rank agreement",
    unit: "of rank agreement",
    example: "text",
    better: "more",
    of: meanOf,
  },
  lesson: (material, options) =>
    material.kind === "examples" ? groupLesson(material, options) : textLesson(material, options),
  heldOut: (material, options) =>
    material.kind === "examples" ? groupHeldOut(material, options) : heldOutTexts(material, options),
  prepare: withHardNegatives,
  teaching: vectorTeaching,
  scorer,
};
