/** Running a sequence-to-sequence model: a batch of sources is encoded once, then rows decode together. */
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import { type Tensor, tensor, tensorOf } from "../../ir/tensor.ts";
import type { CacheShape, Model, Seq2SeqArchitecture } from "../../models/model.ts";
import { ConfigError } from "../../util/errors.ts";
import { mergedDecoderProgram, sourceEncoderProgram } from "../graphs/seq2seq.ts";
import type { Rows } from "./beam.ts";
import { type DecodeOptions, decodeRows, type RowToken } from "./decodeRows.ts";

/** The two loaded graphs. */
export interface Seq2SeqSessions {
  readonly encoder: Session;
  readonly decoder: Session;
}

/** Rows over encoded sources: source s has the rows s * copies to (s + 1) * copies. */
export interface EncodedRows extends Rows {
  readonly count: number;
}

/** A sequence-to-sequence model that runs. */
export interface Seq2SeqDecoder {
  readonly shape: CacheShape;
  /** Encodes sources of any lengths, with `copies` rows (the beams) for each. */
  encode(sources: readonly ArrayLike<number>[], copies?: number): Promise<EncodedRows>;
  dispose(): Promise<void>;
}

const int64 = (shape: readonly number[], ids: ArrayLike<number>): Tensor =>
  tensor("int64", shape, BigInt64Array.from(Array.from(ids, BigInt)));

/** Row i of the result is row from[i] of the first axis. */
const picked = (t: Tensor, from: readonly number[]): Tensor => {
  const width = t.data.length / t.shape[0]!;
  const data = new (t.data.constructor as Float32ArrayConstructor)(width * from.length);
  for (const [i, row] of from.entries()) {
    data.set((t.data as Float32Array).subarray(row * width, (row + 1) * width), i * width);
  }
  return { dtype: t.dtype, shape: [from.length, ...t.shape.slice(1)], data };
};

/** Sources padded to the longest: ids and mask [B, S]. Throws ConfigError naming one that does not fit. */
const padded = (sources: readonly ArrayLike<number>[], pad: number, positions: number) => {
  for (const [i, { length }] of sources.entries()) {
    if (length === 0) throw new ConfigError(`source ${i} has no tokens`);
    if (length > positions) {
      throw new ConfigError(`source ${i} has ${length} tokens; the model takes ${positions}`);
    }
  }
  const longest = Math.max(...sources.map(({ length }) => length));
  const rows = sources.map((source) => Array.from({ length: longest }, (_, t) => source[t] ?? pad));
  const mask = sources.map((source) =>
    Array.from({ length: longest }, (_, t) => (t < source.length ? 1 : 0)),
  );
  const shape = [sources.length, longest];
  return { ids: int64(shape, rows.flat()), mask: int64(shape, mask.flat()) };
};

/** The cache of no tokens, in the dtype that the graph's cache has. */
const emptyPast = ({ inputTypes }: Session, shape: CacheShape, rows: number): Record<string, Tensor> => {
  const dtype = inputTypes["past_key_values.0.decoder.key"]?.dtype ?? "float32";
  const none = tensorOf(dtype, [rows, shape.kvHeads, 0, shape.headWidth], []);
  const parts = ["decoder.key", "decoder.value", "encoder.key", "encoder.value"];
  const names = Array.from({ length: shape.layers }, (_, i) => parts.map((p) => `past_key_values.${i}.${p}`));
  return Object.fromEntries(names.flat().map((name) => [name, none]));
};

interface Encoded {
  readonly hidden: Tensor;
  readonly mask: Tensor;
  readonly copies: number;
}

const rowsOver = (session: Session, shape: CacheShape, encoded: Encoded): EncodedRows => {
  let { hidden, mask } = encoded;
  const count = hidden.shape[0]!;
  let past = emptyPast(session, shape, count);
  let length = 0;
  const step = async (ids: ArrayLike<number>): Promise<Float32Array> => {
    if (ids.length !== count)
      throw new ConfigError(`${ids.length} ids are not one for each of ${count} rows`);
    if (length >= shape.positions) {
      throw new ConfigError(`${length + 1} tokens do not fit the model's ${shape.positions} positions`);
    }
    const out = await session.run({
      encoder_attention_mask: mask,
      encoder_hidden_states: hidden,
      input_ids: int64([count, 1], ids),
      use_cache_branch: tensorOf("bool", [1], [length > 0 ? 1 : 0]),
      ...past,
    });
    // The source's keys and values come with the first step only.
    const fresh = Object.entries(out).filter(
      ([name]) => name.startsWith("present.") && (length === 0 || name.includes(".decoder.")),
    );
    const renamed = fresh.map(([name, t]) => [name.replace("present.", "past_key_values."), t] as const);
    past = { ...past, ...Object.fromEntries(renamed) };
    length++;
    return out.logits!.data as Float32Array;
  };
  const reorder = (from: readonly number[]): void => {
    if (from.length !== count || from.some((row) => !(row >= 0 && row < count))) {
      throw new ConfigError(`[${from.join(", ")}] is not a choice of ${count} rows`);
    }
    if (from.every((row, i) => row === i)) return;
    const sourceOf = (row: number): number => Math.floor(row / encoded.copies);
    // Rows of one source have the same of it.
    const moved = from.some((row, i) => sourceOf(row) !== sourceOf(i));
    const parts = Object.entries(past).map(([name, t]) => {
      return [name, moved || name.includes(".decoder.") ? picked(t, from) : t] as const;
    });
    past = Object.fromEntries(parts);
    if (moved) [hidden, mask] = [picked(hidden, from), picked(mask, from)];
  };
  return { count, step, reorder };
};

/** A decoder over loaded graphs (see `seq2seq.ts`), whoever made them; `pad` fills up shorter sources. */
export const seq2seqDecoderOf = (
  { encoder, decoder }: Seq2SeqSessions,
  shape: CacheShape,
  pad: number,
): Seq2SeqDecoder => ({
  shape,
  encode: async (sources, copies = 1) => {
    if (sources.length === 0) throw new ConfigError("there are no sources to encode");
    const { ids, mask } = padded(sources, pad, shape.positions);
    const { last_hidden_state: hidden } = await encoder.run({ input_ids: ids, attention_mask: mask });
    const from = Array.from({ length: sources.length * copies }, (_, row) => Math.floor(row / copies));
    return rowsOver(decoder, shape, { hidden: picked(hidden!, from), mask: picked(mask, from), copies });
  },
  dispose: async () => {
    await encoder.dispose();
    await decoder.dispose();
  },
});

/** Compiles a model's two graphs. */
export const seq2seqDecoder = async (engine: Engine, model: Model): Promise<Seq2SeqDecoder> => {
  const arch = model.arch as Seq2SeqArchitecture;
  const encoder = await compile(engine, sourceEncoderProgram(model));
  const decoder = await compile(engine, mergedDecoderProgram(model));
  return seq2seqDecoderOf({ encoder, decoder }, arch.cache(model.config), arch.tokens(model.config).pad);
};

/** How the target's rows are decoded. */
export interface TargetOptions extends DecodeOptions {
  /** The decoder's first id. */
  readonly start: number;
  /** What each source says, for the settings that look there. */
  readonly sourceIds?: readonly ArrayLike<number>[];
}

/** New tokens of each source's target as they are chosen, row by row, the end's included. */
export async function* decodeTargets(rows: EncodedRows, options: TargetOptions): AsyncGenerator<RowToken> {
  const { start, sourceIds = [] } = options;
  const first = await rows.step(new Array<number>(rows.count).fill(start));
  const starts = Array.from({ length: rows.count }, (_, row) => ({
    ids: [start],
    source: sourceIds[row] ?? [],
  }));
  yield* decodeRows((ids) => rows.step(ids), first, starts, options);
}

/** The likeliest ids of each row one by one, after the start, the end's included. */
export const greedySearch = async (rows: EncodedRows, options: TargetOptions): Promise<number[][]> => {
  const texts = Array.from({ length: rows.count }, (): number[] => []);
  for await (const { row, id } of decodeTargets(rows, { ...options, temperature: 0 })) texts[row]!.push(id);
  return texts;
};
