/** Vectors of any texts, in batches of like length. */
import { byShape } from "../../engine/byShape.ts";
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { tensor } from "../../ir/tensor.ts";
import { readsTokenTypes } from "../../models/encoders/encoder.ts";
import type { Model, ModelConfig } from "../../models/model.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import { asConstants } from "../../nn/param.ts";
import { batchOutputs } from "../objective.ts";
import { batchFeeds, typesOf } from "../scores.ts";
import { poolingOf } from "./neighbours.ts";

// B batch, T time, C channels

/** Rows of a batch and their width. */
interface RowsShape {
  readonly batch: number;
  readonly width: number;
}

/**
 * Texts as rows [B, T] behind one another, padded with `pad`; a row beyond them reads one token of padding.
 */
export const textRows = (
  texts: readonly (ArrayLike<number> | undefined)[],
  { batch, width }: RowsShape,
  { config, pad }: { readonly config: ModelConfig; readonly pad: number },
): Feeds => {
  const ids = new Int32Array(batch * width).fill(pad);
  const mask = new Int32Array(batch * width);
  for (let b = 0; b < batch; b++) {
    const text = texts[b];
    mask.fill(1, b * width, b * width + Math.max(1, text?.length ?? 1));
    if (text !== undefined) ids.set(Array.from(text), b * width);
  }
  const shape = [batch, width];
  return {
    inputIds: tensor("int32", shape, ids),
    attentionMask: tensor("int32", shape, mask),
    ...(readsTokenTypes(config) ? { tokenTypeIds: tensor("int32", shape, new Int32Array(ids.length)) } : {}),
  };
};

/** Widths are multiples of this, so that few graphs are compiled. */
const STEP = 16;

/** Texts that are embedded at once. */
const BATCH = 32;

/** The vector of each text of token ids, of length 1: [C] each. */
export const embedTexts = async (
  engine: Engine,
  model: Model,
  texts: readonly ArrayLike<number>[],
  { pad, signal }: { readonly pad: number; readonly signal?: AbortSignal },
): Promise<readonly Float32Array[]> => {
  const order = Array.from(texts.keys()).sort((a, b) => texts[a]!.length - texts[b]!.length || a - b);
  const sessions = byShape((like) => {
    const program = trace({ batch: typesOf([like]) }, ({ batch }) => {
      const { hidden } = batchOutputs(model, asConstants(model.weights), batch);
      const pooling = { ...poolingOf(model), normalize: true };
      return { vectors: sentenceEmbedding(hidden, batch.attentionMask!, pooling) };
    });
    return compile(engine, program, { idle: "sleep" });
  });
  const { positions } = model.arch.cache(model.config);
  const vectors: Float32Array[] = [];
  try {
    for (let at = 0; at < order.length; at += BATCH) {
      signal?.throwIfAborted();
      const rows = order.slice(at, at + BATCH);
      const longest = texts[rows.at(-1)!]!.length;
      const width = Math.min(positions, STEP * Math.ceil(longest / STEP));
      const batch = { batch: BATCH, width };
      const feeds = textRows(
        rows.map((i) => texts[i]!),
        batch,
        { config: model.config as ModelConfig, pad },
      );
      const { vectors: made } = await (await sessions.at(feeds)).run(batchFeeds(feeds));
      const size = made!.data.length / BATCH;
      for (const [k, i] of rows.entries()) {
        vectors[i] = Float32Array.from(made!.data.slice(k * size, (k + 1) * size) as Float32Array);
      }
    }
  } finally {
    await sessions.dispose();
  }
  return vectors;
};
