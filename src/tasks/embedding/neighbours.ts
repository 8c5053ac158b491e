/** Vectors of texts, and whether their neighbours are those that another model finds. */
import type { Engine } from "../../engine/engine.ts";
import { rankCorrelation } from "../../metrics/numbers/rankCorrelation.ts";
import type { Model } from "../../models/model.ts";
import { sentenceEmbedding, usualPooling } from "../../models/pooling.ts";
import { saidOf } from "../scores.ts";
import type { HeldOut, LessonOptions } from "../task.ts";

/** How a model's texts become vectors: as it says, else as is usual. */
export const poolingOf = ({ pooling }: Pick<LessonOptions["model"], "pooling">) => pooling ?? usualPooling;

/** The vectors of all texts of the windows, scaled to length 1; rows that stand for none are left out. */
export const vectorsOf = async (
  engine: Engine,
  model: Model,
  { windows }: HeldOut,
): Promise<readonly Float32Array[]> => {
  const pooling = { ...poolingOf(model), normalize: true };
  const said = await saidOf(engine, model, windows, ({ hidden }, { attentionMask }) => ({
    vectors: sentenceEmbedding(hidden, attentionMask!, pooling),
  }));
  const all: Float32Array[] = [];
  for (const [w, { vectors }] of said.entries()) {
    const { present } = windows[w]!;
    const [rows, width] = vectors!.shape as readonly [number, number];
    const data = vectors!.data as Float32Array;
    for (let i = 0; i < rows; i++) {
      if (present === undefined || Number(present.data[i]) === 1)
        all.push(data.slice(i * width, (i + 1) * width));
    }
  }
  return all;
};

/** Cosines of a vector with each of the others. */
const similarities = (vectors: readonly Float32Array[], i: number): number[] => {
  const own = vectors[i]!;
  const others = vectors.filter((_, k) => k !== i);
  return others.map((other) => other.reduce((dot, x, c) => dot + x * own[c]!, 0));
};

/**
 * Rank agreement with vectors that are `known` of the same texts, all of length 1: for each text, how nearly
 * its cosines with the others are in their order.
 */
export const rankAgreements = (
  known: readonly Float32Array[],
): ((vectors: readonly Float32Array[]) => Float32Array) => {
  const ranked = known.map((_, i) => similarities(known, i));
  return (vectors) =>
    Float32Array.from(vectors, (_, i) => rankCorrelation(similarities(vectors, i), ranked[i]!));
};
