/** Generating tokens one by one against a key-value cache that is written in place. */
import { compile } from "../engine/compile.ts";
import type { Engine, Session } from "../engine/engine.ts";
import { type Tensor, tensor, zeros } from "../ir/tensor.ts";
import type { CacheShape, Model } from "../models/model.ts";
import { ConfigError } from "../util/errors.ts";
import { rng } from "../util/rng.ts";
import { decoderProgram } from "./decoder.ts";
import { type SampleOptions, sample } from "./sample.ts";

const int64 = (values: readonly number[], shape: readonly number[]): Tensor =>
  tensor("int64", shape, BigInt64Array.from(values, BigInt));

/** One sequence's cache: the same tensors are fed as past and fetched as present. */
export interface Cache {
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly fetches: Readonly<Record<string, Tensor>>;
}

export interface Decoder {
  readonly shape: CacheShape;
  /** A cache for one sequence of up to `capacity` tokens. */
  cache(capacity?: number): Cache;
  /** Appends `ids` at `past` and returns the logits of the last `keep` of them, [keep, V]. */
  step(cache: Cache, ids: ArrayLike<number>, past: number, keep?: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

const cacheOf = (shape: CacheShape, capacity: number): Cache => {
  const feeds: Record<string, Tensor> = {};
  const fetches: Record<string, Tensor> = {};
  for (let layer = 0; layer < shape.layers; layer++) {
    for (const part of ["key", "value"]) {
      const buffer = zeros({ dtype: "float32", shape: [1, shape.kvHeads, capacity, shape.headWidth] });
      feeds[`past_key_values.${layer}.${part}`] = buffer;
      fetches[`present.${layer}.${part}`] = buffer;
    }
  }
  return { feeds, fetches };
};

/** A decoder over a loaded decoding graph (see `decoderProgram`), whoever made the file. */
export const decoderOf = (session: Session, shape: CacheShape): Decoder => ({
  shape,
  cache: (capacity = shape.positions) => cacheOf(shape, capacity),
  step: async (cache, ids, past, keep = 1) => {
    const n = ids.length;
    if (past + n > shape.positions) {
      throw new ConfigError(`${past + n} tokens do not fit the model's ${shape.positions} positions`);
    }
    const positions = Array.from({ length: n }, (_, i) => past + i);
    const feeds = {
      input_ids: int64(Array.from(ids), [1, n]),
      attention_mask: tensor("int64", [1, past + n], new BigInt64Array(past + n).fill(1n)),
      position_ids: int64(positions, [1, n]),
      num_logits_to_keep: int64([keep], []),
      ...cache.feeds,
    };
    const logits = zeros({ dtype: "float32", shape: [1, keep === 0 ? n : Math.min(keep, n), shape.vocab] });
    await session.run(feeds, { ...cache.fetches, logits });
    return logits.data as Float32Array;
  },
  dispose: () => session.dispose(),
});

/** Compiles a model's decoding graph. */
export const decoder = async (engine: Engine, model: Model): Promise<Decoder> =>
  decoderOf(await compile(engine, decoderProgram(model), { inPlace: true }), model.arch.cache(model.config));

export interface GenerateOptions extends SampleOptions {
  /** Most tokens to generate; the model's positions end it in any case. */
  readonly maxTokens?: number;
  /** Token ids that end the text (and are not given out). */
  readonly stopIds?: readonly number[];
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Token ids that continue `prompt` (at least one id), as they are made. */
export async function* generate(
  decoder: Decoder,
  prompt: ArrayLike<number>,
  options: GenerateOptions = {},
): AsyncGenerator<number> {
  const { maxTokens = 128, stopIds = [], seed = 1, signal } = options;
  if (prompt.length === 0)
    throw new ConfigError("the prompt has no tokens", { hint: "start from the end-of-text token" });
  const { positions } = decoder.shape;
  const random = rng(seed, "sample");
  const cache = decoder.cache(Math.min(positions, prompt.length + maxTokens));
  let logits = await decoder.step(cache, prompt, 0);
  for (let past = prompt.length, made = 0; made < maxTokens; made++, past++) {
    const id = sample(logits, options, random);
    if (stopIds.includes(id)) return;
    yield id;
    if (signal?.aborted || past >= positions || made + 1 === maxTokens) return;
    logits = await decoder.step(cache, [id], past);
  }
}
