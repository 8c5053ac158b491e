/**
 * Reading tokens through decoding graphs as transformers.js does: the present outputs of one step are the
 * past inputs of the next, whatever the place and the dtype of the cache. For our own, faster way see serve/.
 */
import type { Session } from "../../engine/engine.ts";
import { type Tensor, tensor, tensorOf, zeros } from "../../ir/tensor.ts";
import type { Decoder } from "../../serve/decode/decoding.ts";
import { RunError } from "../../util/errors.ts";
import { asFloat32 } from "./agreement.ts";

// T new tokens, V vocabulary, S source tokens

/** Reads tokens, and gives the logits behind them. */
export interface Reader {
  /** Begins anew; `source` is what an encoder is to read. */
  start(source?: readonly number[]): Promise<void>;
  /** Appends `ids` and returns the logits of the last `keep` of them, [keep, V]; 0 means all. */
  read(ids: readonly number[], keep?: number): Promise<Float32Array>;
  /** Appends `ids` and returns the likeliest token behind them; of places where logits are slow to get. */
  next?(ids: readonly number[]): Promise<number>;
}

/** The graphs of a model, loaded: "model", or "encoder_model" and "decoder_model_merged". */
export type Sessions = Readonly<Record<string, Session>>;

const PAST = /^past_key_values\./;

const int64 = (values: readonly number[], shape: readonly number[] = [1, values.length]): Tensor =>
  tensor("int64", shape, BigInt64Array.from(values, BigInt));

const ones = (length: number): Tensor => int64(new Array<number>(length).fill(1));

/** The cache of one sequence before anything is read: no rows. */
const emptyCache = ({ inputNames, inputTypes }: Session): Record<string, Tensor> => {
  const names = inputNames.filter((name) => PAST.test(name));
  const cacheOf = (name: string): Tensor => {
    const type = inputTypes[name];
    if (type === undefined) throw new RunError("has no known type", { tensor: name });
    const [, heads, , width] = type.shape;
    return zeros({ dtype: type.dtype, shape: [1, heads!, 0, width!] });
  };
  return Object.fromEntries(names.map((name) => [name, cacheOf(name)]));
};

/** Of a decoder with an encoder: the cache of the encoder's part is made once, and empty in later outputs. */
const nextCache = (cache: Record<string, Tensor>, outputs: Record<string, Tensor>, first: boolean) => {
  const next = Object.keys(cache).map((name): [string, Tensor] => {
    const made = outputs[name.replace(PAST, "present.")];
    const keeps = made === undefined || (!first && name.includes(".encoder."));
    return [name, keeps ? cache[name]! : made];
  });
  return Object.fromEntries(next);
};

interface State {
  cache: Record<string, Tensor>;
  past: number;
  /** What the encoder gave, fed at each step. */
  source: Record<string, Tensor>;
}

const feedsOf = (state: State, ids: readonly number[], keep: number): Record<string, Tensor> => {
  const positions = ids.map((_, i) => state.past + i);
  return {
    input_ids: int64(ids),
    attention_mask: ones(state.past + ids.length),
    position_ids: int64(positions),
    num_logits_to_keep: int64([keep], []),
    use_cache_branch: tensorOf("bool", [1], [state.past > 0 ? 1 : 0]),
    ...state.source,
    ...state.cache,
  };
};

const encoded = async (
  sessions: Sessions,
  source: readonly number[] | undefined,
): Promise<State["source"]> => {
  const encoder = sessions.encoder_model;
  if (encoder === undefined || source === undefined) return {};
  const mask = ones(source.length);
  const { last_hidden_state: hidden } = await encoder.run({ input_ids: int64(source), attention_mask: mask });
  return { encoder_hidden_states: hidden!, encoder_attention_mask: mask };
};

/** A reader of one sequence at a time. Throws RunError where the graphs are no decoder. */
export const readerOf = (sessions: Sessions): Reader => {
  const session = sessions.decoder_model_merged ?? sessions.model;
  if (session === undefined) throw new RunError("there is no decoding graph");
  const state: State = { cache: {}, past: 0, source: {} };
  return {
    async start(source) {
      Object.assign(state, { cache: emptyCache(session), past: 0, source: await encoded(sessions, source) });
    },
    async read(ids, keep = 1) {
      const outputs = await session.run(feedsOf(state, ids, keep));
      state.cache = nextCache(state.cache, outputs, state.past === 0);
      state.past += ids.length;
      const logits = asFloat32(outputs.logits!.data);
      const vocab = outputs.logits!.shape.at(-1)!;
      return keep === 0 ? logits : logits.subarray(Math.max(0, logits.length - keep * vocab));
    },
  };
};

/** A reader of one sequence by a decoder whose cache is written in place. */
export const inPlaceReader = (decoder: Decoder): Reader => {
  const cache = decoder.cache();
  let past = 0;
  return {
    async start() {
      past = 0;
    },
    async read(ids, keep = 1) {
      const logits = await decoder.step(cache, ids, past, keep);
      past += ids.length;
      return logits;
    },
  };
};
