/**
 * A decoder's cache of keys and values in int8: what a step of each channel is, by the largest number that
 * stands there on some texts. Channels of keys differ a hundredfold in strength, and those of values less
 * (KIVI: Liu et al. 2024, https://arxiv.org/abs/2402.02750): each has a step of its own.
 */
import type { Engine } from "../engine/engine.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { headOf } from "../models/head.ts";
import type { CacheScales, Model } from "../models/model.ts";
import { decoder } from "../serve/decode/decoding.ts";
import { ConfigError } from "../util/errors.ts";
import type { Ids } from "./probe.ts";

/** Other texts may go a little further than those that are looked at; beyond it numbers are cut off. */
const ROOM = 1.1;

/** Tokens that are read at most: the largest of a channel is soon found. */
const MOST = 4096;

/** Throws ConfigError for a model that reads on from no cache, or from an encoder's. */
const requireDecoder = ({ arch, config }: Model): void => {
  if (arch.kind === "decoder" && headOf(arch, config) === "causal-lm") return;
  throw new ConfigError(`${arch.name} has no cache of its own that could be int8`, {
    field: "cache",
    hint: "leave --cache out: it is for language models that generate",
  });
};

/** Texts of at most `positions` tokens, as many as have `MOST` together. */
const someOf = (texts: Ids, positions: number): Ids => {
  let left = MOST;
  return texts.flatMap((ids) => {
    const own = ids.slice(0, Math.min(positions, left));
    left -= own.length;
    return own.length > 0 ? [own] : [];
  });
};

/** Raises each channel's `most` [heads * width] to what stands in a cache [1, heads, capacity, width]. */
const raise = (most: Float64Array, { data, shape }: Tensor, filled: number): void => {
  const [, heads, capacity, width] = shape as readonly [number, number, number, number];
  for (let h = 0; h < heads; h++) {
    for (let s = 0; s < filled; s++) {
      const from = (h * capacity + s) * width;
      for (let i = 0; i < width; i++) {
        const at = h * width + i;
        most[at] = Math.max(most[at]!, Math.abs(Number(data[from + i])));
      }
    }
  }
};

const stepsOf = (most: Float64Array): Tensor =>
  tensor(
    "float32",
    [most.length],
    Float32Array.from(most, (v) => Math.max((ROOM * v) / 127, 1e-8)),
  );

/**
 * The steps of a dense decoder's cache in int8, by texts of token ids. Throws ConfigError for a model that
 * has none, and where there are no texts.
 */
export const cacheScales = async (engine: Engine, model: Model, texts: Ids): Promise<CacheScales[]> => {
  requireDecoder(model);
  const { positions, layers } = model.arch.cache(model.config);
  const read = someOf(texts, positions);
  if (read.length === 0) {
    throw new ConfigError("there is no text by which a cache could be measured", { field: "cache" });
  }
  const capacity = Math.max(...read.map(({ length }) => length));
  const own = await decoder(engine, model);
  try {
    const cache = own.cache(capacity);
    const most = new Map<string, Float64Array>();
    for (const ids of read) {
      await own.step(cache, ids, 0);
      for (const [name, t] of Object.entries(cache.feeds)) {
        const found = most.get(name) ?? new Float64Array(t.shape[1]! * t.shape[3]!);
        raise(found, t, ids.length);
        most.set(name, found);
      }
    }
    const at = (layer: number, part: string): Tensor =>
      stepsOf(most.get(`past_key_values.${layer}.${part}`)!);
    return Array.from({ length: layers }, (_, i) => ({ key: at(i, "key"), value: at(i, "value") }));
  } finally {
    await own.dispose();
  }
};
