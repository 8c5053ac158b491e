/** Vectors of texts, and whether their neighbours are those that another model finds. */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { rankCorrelation } from "../../metrics/numbers/rankCorrelation.ts";
import type { Model } from "../../models/model.ts";
import { sentenceEmbedding, usualPooling } from "../../models/pooling.ts";
import { asConstants } from "../../nn/param.ts";
import { batchOutputs } from "../objective.ts";
import { batchFeeds, typesOf } from "../scores.ts";
import type { HeldOut, LessonOptions } from "../task.ts";

/** How a model's texts become vectors: as it says, else as is usual. */
export const poolingOf = ({ pooling }: Pick<LessonOptions["model"], "pooling">) => pooling ?? usualPooling;

/** The vectors of all texts of the windows, scaled to length 1. */
export const vectorsOf = async (
  engine: Engine,
  model: Model,
  { windows }: HeldOut,
): Promise<readonly Float32Array[]> => {
  const program = trace({ batch: typesOf(windows) }, ({ batch }) => {
    const { hidden } = batchOutputs(model, asConstants(model.weights), batch);
    const pooling = { ...poolingOf(model), normalize: true };
    return { vectors: sentenceEmbedding(hidden, batch.attentionMask!, pooling) };
  });
  const session = await compile(engine, program);
  try {
    const all: Float32Array[] = [];
    for (const window of windows) {
      const { vectors } = await session.run(batchFeeds(window));
      const [rows, width] = vectors!.shape as readonly [number, number];
      const data = vectors!.data as Float32Array;
      for (let i = 0; i < rows; i++) all.push(data.slice(i * width, (i + 1) * width));
    }
    return all;
  } finally {
    await session.dispose();
  }
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
