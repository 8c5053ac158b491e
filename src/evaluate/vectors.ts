/** Sentence vectors from a graph, whoever made it: one that does not pool has it done here. */
import type { Session } from "../engine/engine.ts";
import type { Pooling, PoolingMode } from "../models/model.ts";
import { RunError } from "../util/errors.ts";
import { asFloat32 } from "./parity/agreement.ts";
import { textFeeds } from "./speed.ts";

// T tokens, C channels

/** Rows [T, C] of one text, none of them padding, as one vector [C]. */
const poolings: Readonly<Record<PoolingMode, (rows: readonly Float32Array[]) => Float32Array>> = {
  mean: (rows) => rows[0]!.map((_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length),
  max: (rows) => rows[0]!.map((_, c) => rows.reduce((most, row) => Math.max(most, row[c]!), -Infinity)),
  cls: (rows) => rows[0]!,
  lasttoken: (rows) => rows.at(-1)!,
};

/** A vector of length 1; zeros stay. */
export const unit = (vector: Float32Array): Float32Array => {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return vector.map((x) => x / Math.max(length, 1e-12));
};

/** The vector of a text of `ids`, of length 1. Throws RunError where the graph gives no features. */
export const sentenceVector = async (
  session: Session,
  ids: readonly number[],
  { mode }: Pick<Pooling, "mode">,
): Promise<Float32Array> => {
  const { sentence_embedding: pooled, last_hidden_state: hidden } = await session.run(
    textFeeds(session, ids),
  );
  if (pooled !== undefined) return unit(asFloat32(pooled.data));
  if (hidden === undefined) {
    throw new RunError("the graph has no output sentence_embedding or last_hidden_state");
  }
  const all = asFloat32(hidden.data);
  const width = hidden.shape.at(-1)!;
  return unit(poolings[mode](ids.map((_, t) => all.slice(t * width, (t + 1) * width))));
};

/** The cosine of two vectors of length 1. */
export const cosineOf = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, x, c) => sum + x * b[c]!, 0);
