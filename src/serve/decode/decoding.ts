/** A decoding graph as something that takes steps: rows of tokens against a cache written in place. */
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import { type DType, type Tensor, tensor, zeros } from "../../ir/tensor.ts";
import type { CacheShape, Model } from "../../models/model.ts";
import { ConfigError } from "../../util/errors.ts";
import { decoderProgram } from "../graphs/decoder.ts";

// B rows, n new tokens, V vocabulary

/** The cache of some rows: the same tensors are fed as past and fetched as present. */
export interface Cache {
  readonly capacity: number;
  /** How many tokens of padding each row has on its left. */
  readonly pads: readonly number[];
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly fetches: Readonly<Record<string, Tensor>>;
}

/** A decoder that runs against a cache. */
export interface Decoder {
  readonly shape: CacheShape;
  /** A cache for up to `capacity` tokens of one row for each of `pads`, one without padding unless told. */
  cache(capacity?: number, pads?: readonly number[]): Cache;
  /**
   * Appends `ids`, [B, n] row by row, at `past` and returns the logits of the last `keep` tokens of each row,
   * [B, keep, V]; `keep` 0 means all. Throws ConfigError where they do not fit the model's positions.
   */
  step(cache: Cache, ids: ArrayLike<number>, past: number, keep?: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Zeros in the dtype that the graph's cache has. */
const cacheOf = (shape: CacheShape, capacity: number, pads: readonly number[], dtype: DType): Cache => {
  const feeds: Record<string, Tensor> = {};
  const fetches: Record<string, Tensor> = {};
  for (let layer = 0; layer < shape.layers; layer++) {
    for (const part of ["key", "value"]) {
      const dims = [pads.length, shape.kvHeads, capacity, shape.headWidth];
      const buffer = zeros({ dtype, shape: dims });
      feeds[`past_key_values.${layer}.${part}`] = buffer;
      fetches[`present.${layer}.${part}`] = buffer;
    }
  }
  return { capacity, pads, feeds, fetches };
};

/** Row i of the cache becomes what row from[i] was. */
export const reorderCache = ({ pads, feeds }: Cache, from: readonly number[]): void => {
  if (from.every((row, i) => row === i)) return;
  for (const { data } of Object.values(feeds)) {
    const before = data.slice();
    const size = data.length / pads.length;
    from.forEach((row, i) => {
      data.set(before.subarray(row * size, (row + 1) * size) as never, i * size);
    });
  }
};

/** The graph's small inputs: ids, the mask over everything so far, positions counted behind the padding. */
const smallInputs = (pads: readonly number[], ids: ArrayLike<number>, past: number, keep: number) => {
  const rows = pads.length;
  const n = ids.length / rows;
  const mask = new BigInt64Array(rows * (past + n)).fill(1n);
  const positions = new BigInt64Array(rows * n);
  pads.forEach((pad, row) => {
    mask.fill(0n, row * (past + n), row * (past + n) + pad);
    for (let i = 0; i < n; i++) positions[row * n + i] = BigInt(Math.max(0, past + i - pad));
  });
  return {
    input_ids: tensor("int64", [rows, n], BigInt64Array.from(Array.from(ids), BigInt)),
    attention_mask: tensor("int64", [rows, past + n], mask),
    position_ids: tensor("int64", [rows, n], positions),
    num_logits_to_keep: tensor("int64", [], BigInt64Array.of(BigInt(keep))),
  };
};

/** A decoder over a loaded decoding graph (see `decoderProgram`), whoever made the file. */
export const decoderOf = (session: Session, shape: CacheShape): Decoder => ({
  shape,
  cache: (capacity = shape.positions, pads = [0]) =>
    cacheOf(shape, capacity, pads, session.inputTypes["past_key_values.0.key"]?.dtype ?? "float32"),
  step: async (cache, ids, past, keep = 1) => {
    const rows = cache.pads.length;
    const n = ids.length / rows;
    const longest = past + n - Math.min(...cache.pads);
    if (longest > shape.positions) {
      throw new ConfigError(`${longest} tokens do not fit the model's ${shape.positions} positions`);
    }
    const kept = keep === 0 ? n : Math.min(keep, n);
    const logits = zeros({ dtype: "float32", shape: [rows, kept, shape.vocab] });
    const feeds = { ...smallInputs(cache.pads, ids, past, keep), ...cache.feeds };
    await session.run(feeds, { ...cache.fetches, logits });
    return logits.data as Float32Array;
  },
  dispose: () => session.dispose(),
});

/** Compiles a model's decoding graph. */
export const decoder = async (engine: Engine, model: Model): Promise<Decoder> =>
  decoderOf(await compile(engine, decoderProgram(model), { inPlace: true }), model.arch.cache(model.config));
