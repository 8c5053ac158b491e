/**
 * Sentence embeddings: a text becomes a vector whose neighbours are the texts that mean the like (Reimers and
 * Gurevych 2019, https://arxiv.org/abs/1908.10084).
 */

import { meanOf } from "../scores.ts";
import type { Task } from "../task.ts";
import { rankAgreements, vectorsOf } from "./neighbours.ts";
import { heldOutTexts, textLesson, vectorTeaching } from "./texts.ts";

const scorer: Task["scorer"] = async (engine, held, reference) => {
  const agreements = rankAgreements(await vectorsOf(engine, reference, held));
  return async (model) => agreements(await vectorsOf(engine, model, held));
};

/** Making vectors of texts as a larger model makes them; judged by how alike the two rank texts. */
export const embedding: Task = {
  name: "embedding",
  pipeline: "feature-extraction",
  heads: ["features"],
  textTokens: 128,
  reads: ["text"],
  taught: true,
  criterion: {
    name: "rank agreement",
    unit: "of rank agreement",
    example: "text",
    better: "more",
    of: meanOf,
  },
  lesson: textLesson,
  heldOut: heldOutTexts,
  teaching: vectorTeaching,
  scorer,
};
