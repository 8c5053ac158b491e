/**
 * The graph of an encoder, with the inputs and outputs that transformers.js expects; running it on texts of
 * unequal length; and what makes one vector of a text's hidden states.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, type TensorType, tensor, tensorOf } from "../ir/tensor.ts";
import { type EncoderConfig, readsTokenTypes } from "../models/encoder.ts";
import { headOf } from "../models/head.ts";
import type { Model } from "../models/model.ts";
import { asConstants } from "../nn/param.ts";
import { ConfigError, ShapeError } from "../util/errors.ts";

// B batch, T time, C channels

interface EncoderInputs {
  readonly input_ids: Value;
  readonly attention_mask: Value;
  readonly token_type_ids?: Value;
}

const spec = (model: Model) => {
  const ids: TensorType = { dtype: "int64", shape: ["batch_size", "sequence_length"] };
  const types = readsTokenTypes(model.config) ? { token_type_ids: ids } : {};
  return { input_ids: ids, attention_mask: ids, ...types };
};

/** The name of what an encoder's graph gives: hidden states where no head stands on it. */
const outputOf = (model: Model): "logits" | "last_hidden_state" =>
  headOf(model.arch, model.config) === "features" ? "last_hidden_state" : "logits";

/**
 * input_ids, attention_mask, and token_type_ids where the model tells types apart, all [B, T] -> logits
 * [B, T, V], [B, labels] or [B, T, labels], or last_hidden_state [B, T, C].
 */
export const encoderProgram = (model: Model): Program =>
  trace(spec(model), (given) => {
    const { input_ids, attention_mask, token_type_ids } = given as unknown as EncoderInputs;
    const types = token_type_ids === undefined ? {} : { tokenTypeIds: token_type_ids };
    const inputs = { inputIds: input_ids, attentionMask: attention_mask, ...types };
    const { logits } = model.arch.forward(asConstants(model.weights), inputs, model.config);
    return { [outputOf(model)]: logits };
  }) as unknown as Program;

/** A text as token ids, with the type of each (0 unless told). */
export interface EncodedText {
  readonly ids: ArrayLike<number>;
  readonly types?: ArrayLike<number>;
}

export interface Encoded {
  /** The graph's result: see `encoderProgram`. */
  readonly output: Tensor;
  /** [B, T] int64: 1 where a token counts, 0 where there is padding. */
  readonly mask: Tensor;
}

/** An encoder that runs. */
export interface Encoder {
  /**
   * Runs texts as one batch, padded on the right. Throws ConfigError for none, an empty or a too long one.
   */
  run(texts: readonly EncodedText[]): Promise<Encoded>;
  dispose(): Promise<void>;
}

const checkTexts = (texts: readonly EncodedText[], most: number): void => {
  if (texts.length === 0) throw new ConfigError("there are no texts to encode");
  for (const [i, { ids, types }] of texts.entries()) {
    if (ids.length === 0) throw new ConfigError(`text ${i} has no tokens`);
    if (ids.length > most) {
      throw new ConfigError(`text ${i} has ${ids.length} tokens, more than the model's ${most} positions`, {
        hint: `cut texts to ${most} tokens`,
      });
    }
    if (types !== undefined && types.length !== ids.length) {
      throw new ConfigError(`text ${i} has ${ids.length} tokens but ${types.length} types`);
    }
  }
};

/** Compiles the graph of `model` for `engine`. */
export const encoderOf = async (engine: Engine, model: Model): Promise<Encoder> => {
  const session = await compile(engine, encoderProgram(model));
  const config = model.config as EncoderConfig;
  const { positions } = model.arch.cache(config);
  return {
    async run(texts) {
      checkTexts(texts, positions);
      const width = Math.max(...texts.map(({ ids }) => ids.length));
      const grid = (at: (text: EncodedText, t: number) => number, filler: number): Tensor => {
        const rows = texts.flatMap((text) =>
          Array.from({ length: width }, (_, t) => (t < text.ids.length ? at(text, t) : filler)),
        );
        return tensorOf("int64", [texts.length, width], rows);
      };
      const mask = grid(() => 1, 0);
      const types = readsTokenTypes(config)
        ? { token_type_ids: grid(({ types }, t) => types?.[t] ?? 0, 0) }
        : {};
      const input_ids = grid(({ ids }, t) => ids[t]!, config.pad_token_id);
      const out = await session.run({ input_ids, attention_mask: mask, ...types });
      return { output: out[outputOf(model)]!, mask };
    },
    dispose: () => session.dispose(),
  };
};

/** hidden [B, T, C], mask [B, T] -> [B, C]: a vector for each text. Throws ShapeError where they differ. */
export type Pooling = (hidden: Tensor, mask: Tensor) => Tensor;

const dimsOf = (hidden: Tensor, mask: Tensor): readonly [b: number, t: number, c: number] => {
  const [b, t, c] = hidden.shape;
  if (hidden.shape.length !== 3 || mask.shape[0] !== b || mask.shape[1] !== t) {
    throw new ShapeError(`pooling: hidden [${hidden.shape}] and mask [${mask.shape}] do not fit`);
  }
  return [b!, t!, c!];
};

/** The mean over the tokens that count; zeros where none does. */
const mean: Pooling = (hidden, mask) => {
  const [b, t, c] = dimsOf(hidden, mask);
  const out = new Float32Array(b * c);
  for (let row = 0; row < b; row++) {
    const sums = new Float64Array(c);
    let count = 0;
    for (let at = row * t; at < (row + 1) * t; at++) {
      if (Number(mask.data[at]) === 0) continue;
      count++;
      for (let k = 0; k < c; k++) sums[k]! += hidden.data[at * c + k] as number;
    }
    out.set(
      sums.map((s) => s / Math.max(count, 1)),
      row * c,
    );
  }
  return tensor("float32", [b, c], out);
};

/** The first token. */
const cls: Pooling = (hidden, mask) => {
  const [b, t, c] = dimsOf(hidden, mask);
  const out = new Float32Array(b * c);
  const data = hidden.data as Float32Array;
  for (let row = 0; row < b; row++) out.set(data.subarray(row * t * c, row * t * c + c), row * c);
  return tensor("float32", [b, c], out);
};

/** Ways from hidden states to one vector a text. */
export const poolings = { mean, cls } as const;

/** Rows of [B, C] scaled to Euclidean length 1, so that a dot product is their cosine; zeros stay zeros. */
export const unitRows = (vectors: Tensor): Tensor => {
  const [b, c] = vectors.shape as [number, number];
  const out = Float32Array.from(vectors.data as Float32Array);
  for (let row = 0; row < b; row++) {
    const own = out.subarray(row * c, (row + 1) * c);
    const length = Math.sqrt(own.reduce((s, x) => s + x * x, 0));
    own.forEach((x, k) => {
      own[k] = x / Math.max(length, 1e-12);
    });
  }
  return tensor("float32", [b, c], out);
};
