/**
 * The graph of an encoder, with the inputs and outputs that transformers.js expects, and running it on texts
 * of unequal length.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import { type Program, trace } from "../../ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../../ir/tensor.ts";
import { type EncoderConfig, readsTokenTypes } from "../../models/encoders/encoder.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import { asConstants } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";

// B batch, T time, C channels

const spec = (model: Model) => {
  const ids: TensorType = { dtype: "int64", shape: ["batch_size", "sequence_length"] };
  const types = readsTokenTypes(model.config) ? { token_type_ids: ids } : {};
  return { input_ids: ids, attention_mask: ids, ...types };
};

/** The name of what an encoder's graph gives: hidden states where no head stands on it. */
const outputOf = (model: Model): "logits" | "last_hidden_state" =>
  headOf(model.arch, model.config) === "features" ? "last_hidden_state" : "logits";

/** hidden [B, T, C], mask [B, T] -> last_hidden_state; sentence_embedding [B, C] where the model pools. */
export const features = (hidden: Value, mask: Value, { pooling }: Model) => ({
  last_hidden_state: hidden,
  ...(pooling === undefined ? {} : { sentence_embedding: sentenceEmbedding(hidden, mask, pooling) }),
});

/**
 * input_ids, attention_mask, and token_type_ids where the model tells types apart, all [B, T] -> logits
 * [B, T, V], [B, labels] or [B, T, labels], or what `features` gives.
 */
export const encoderProgram = (model: Model): Program =>
  trace(spec(model), ({ input_ids, attention_mask, token_type_ids }) => {
    const types = token_type_ids === undefined ? {} : { tokenTypeIds: token_type_ids };
    const inputs = { inputIds: input_ids, attentionMask: attention_mask, ...types };
    const { logits } = model.arch.forward(asConstants(model.weights), inputs, model.config);
    return outputOf(model) === "logits" ? { logits } : features(logits, attention_mask, model);
  });

/** A text as token ids, with the type of each (0 unless told). */
export interface EncodedText {
  readonly ids: ArrayLike<number>;
  readonly types?: ArrayLike<number>;
}

/** The result of a batch of texts, and which of its places count. */
export interface Encoded {
  /** The graph's first result: see `encoderProgram`. */
  readonly output: Tensor;
  /** `[B, C]`: a vector for each text, of a model that pools. */
  readonly sentences?: Tensor;
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
      const { sentence_embedding: sentences } = out;
      return { output: out[outputOf(model)]!, mask, ...(sentences && { sentences }) };
    },
    dispose: () => session.dispose(),
  };
};
