/** What the encoder-decoder families share: the positions and masks of a decoder, and its cache. */
import { constant, type Value } from "../../ir/op.ts";
import { type Dim, tensorOf } from "../../ir/tensor.ts";
import { paddingMask } from "../../nn/encoderBlock.ts";
import { append, countUp, dynamicSlice, lengthOf } from "../../ops/dynamic.ts";
import { add, greater, mul, where } from "../../ops/elementwise.ts";
import { reshape } from "../../ops/structure.ts";
import { ConfigError } from "../../util/errors.ts";
import type { CrossCache, Decoded, DecodeInputs, Inputs, Seq2SeqArchitecture } from "../model.ts";

// B batch, S source, U target, K keys, H heads, D head width

const int64 = (...values: number[]): Value => constant(tensorOf("int64", [values.length], values));

/** 0 .. T - 1, int64 [T], for ids [B, T]. */
export const positionsOf = (ids: Value): Value => {
  const length = ids.shape[1]!;
  return typeof length === "number"
    ? int64(...Array.from({ length }, (_, i) => i))
    : countUp(lengthOf(ids, 1), length);
};

/** The sum of the masks that are there. */
export const bothMasks = (a: Value | undefined, b: Value | undefined): Value | undefined =>
  a === undefined || b === undefined ? (a ?? b) : add(a, b);

type Pair = CrossCache["decoder"];

/** Where a decoder stands: positions, masks, and what earlier calls have left. */
export interface DecoderState {
  /** int64 [U]: positions of this call's tokens. */
  readonly queries: Value;
  /** int64 [K]: positions of all tokens so far. */
  readonly keys: Value;
  /** Additive [U, K]: no token sees a later one. */
  readonly causal: Value;
  /** Additive [B, 1, 1, S]. */
  readonly padding: Value | undefined;
  /** All keys and values [B, H, K, D] of a layer's own attention, given this call's. */
  own(layer: number, fresh: Pair): Pair;
  /** The part of the source that is not in the cache yet [B, n, C]; of the length 0 in later calls. */
  readonly unread: Value;
  /** Keys and values [B, H, S, D] of the whole source, given those of `unread`. */
  source(layer: number, fresh: Pair): Pair;
}

const causalOf = (queries: Value, keys: Value): Value => {
  const later = greater(reshape(keys, [1, keys.shape[0]!]), reshape(queries, [queries.shape[0]!, 1]));
  return where(later, -1e9, 0);
};

const joined = (past: Pair, fresh: Pair, kept: Value, names: { kept: Dim; all: Dim }): Pair => {
  const join = (before: Value, after: Value): Value => {
    const used = dynamicSlice(before, [int64(0), kept], { axis: 2, size: names.kept });
    return append(used, after, { axis: 2, size: names.all });
  };
  return { key: join(past.key, fresh.key), value: join(past.value, fresh.value) };
};

const cachedState = (inputs: DecodeInputs, past: NonNullable<DecodeInputs["past"]>): DecoderState => {
  const { decoderInputIds: ids, encoded, attentionMask } = inputs;
  const [first] = past.layers;
  // A past that is not to be used is cut to nothing here, whatever length of dummy it has.
  const kept = mul(past.use, lengthOf(first!.decoder.key, 2));
  const read = mul(past.use, lengthOf(first!.encoder.key, 2));
  const queries = add(countUp(lengthOf(ids, 1), ids.shape[1]!), kept);
  const keys = countUp(add(kept, lengthOf(ids, 1)), "total_sequence_length");
  const size = encoded.shape[1]!;
  return {
    queries,
    keys,
    causal: causalOf(queries, keys),
    padding: attentionMask && paddingMask(attentionMask),
    own: (i, fresh) =>
      joined(past.layers[i]!.decoder, fresh, kept, { kept: "kept", all: "total_sequence_length" }),
    unread: dynamicSlice(encoded, [read, lengthOf(encoded, 1)], { axis: 1, size: "unread" }),
    source: (i, fresh) => joined(past.layers[i]!.encoder, fresh, read, { kept: "read", all: size }),
  };
};

/** The state of a decoder at the beginning of a call. */
export const decoderState = (inputs: DecodeInputs): DecoderState => {
  if (inputs.past !== undefined) return cachedState(inputs, inputs.past);
  const positions = positionsOf(inputs.decoderInputIds);
  return {
    queries: positions,
    keys: positions,
    causal: causalOf(positions, positions),
    padding: inputs.attentionMask && paddingMask(inputs.attentionMask),
    own: (_, fresh) => fresh,
    unread: inputs.encoded,
    source: (_, fresh) => fresh,
  };
};

/** `forward` of an architecture from its halves. Throws ConfigError without decoderInputIds. */
export const forwardOf =
  <C>({ encode, decode }: Pick<Seq2SeqArchitecture<C>, "encode" | "decode">) =>
  (params: Parameters<typeof encode>[0], inputs: Inputs, config: C): Decoded & { present: [] } => {
    const { decoderInputIds, attentionMask, dropoutSeed } = inputs;
    if (decoderInputIds === undefined) {
      throw new ConfigError("decoder input ids are needed to train a sequence-to-sequence model");
    }
    const encoded = encode(params, inputs, config);
    const out = decode(
      params,
      {
        decoderInputIds,
        encoded,
        ...(attentionMask === undefined ? {} : { attentionMask }),
        ...(dropoutSeed === undefined ? {} : { dropoutSeed }),
        ...(inputs.recompute ? { recompute: true } : {}),
        ...(inputs.inOrder ? { inOrder: true } : {}),
      },
      config,
    );
    return { ...out, present: [] };
  };

/**
 * The layers to keep of encoder and decoder, checked. Throws ConfigError where they are not equally deep, as
 * one index must mean a layer of each, or where none is kept.
 */
export const equalDepths = (encoder: number, decoder: number, layers: readonly number[]): void => {
  if (encoder !== decoder) {
    throw new ConfigError(
      `layers are dropped from encoder and decoder alike, but they have ${encoder} and ${decoder}`,
      { field: "layers" },
    );
  }
  if (layers.length === 0 || layers.some((i) => !(Number.isInteger(i) && i >= 0 && i < encoder))) {
    throw new ConfigError(`[${layers.join(", ")}] are not layers of 0 to ${encoder - 1}`, {
      field: "layers",
    });
  }
};
