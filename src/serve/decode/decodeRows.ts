/** Decoding rows one token at a time by the same settings: the likeliest token, or one that is drawn. */
import type { LogitsSettings } from "../../models/generation.ts";
import { rng } from "../../util/rng.ts";
import { logitsChain } from "../logits/index.ts";
import { choose } from "./sample.ts";

/** A token of one of the rows. */
export interface RowToken {
  readonly row: number;
  readonly id: number;
}

/** A row before its first new token. */
export interface RowStart {
  /** What the decoder reads first: a prompt, or the id that starts a target. */
  readonly ids: ArrayLike<number>;
  /** What the encoder reads; of a decoder alone, its prompt. */
  readonly source: ArrayLike<number>;
}

/** How long rows grow, what ends them, and how their tokens are chosen. */
export interface DecodeOptions extends LogitsSettings {
  /** Most new tokens of a row. */
  readonly maxTokens: number;
  /** Ids that end a row; they are given out. */
  readonly eos: readonly number[];
  /** What rows are fed that have ended. */
  readonly pad: number;
  /** Of row 0; each row draws for itself. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Appends one id to each row and gives the logits of the next, [rows, V]. */
export type Step = (ids: readonly number[]) => Promise<Float32Array>;

/** New tokens of rows as they are chosen, row by row; `first` [rows, V] are the logits behind the starts. */
export async function* decodeRows(
  step: Step,
  first: Float32Array,
  starts: readonly RowStart[],
  options: DecodeOptions,
): AsyncGenerator<RowToken> {
  const { maxTokens, eos, pad, seed = 1, temperature = 1, signal } = options;
  const draws = temperature > 0;
  const rows = starts.map(({ ids, source }, row) => {
    const promptTokens = ids.length;
    const start = { promptTokens, maxLength: promptTokens + maxTokens, eos, source, leastKept: 1 };
    return {
      ids: Array.from(ids),
      change: logitsChain(options, start, draws),
      random: draws ? rng(seed + row, "sample") : undefined,
      going: true,
    };
  });
  const vocab = first.length / rows.length;
  let logits = first;
  for (let made = 1; ; made++) {
    for (const [row, own] of rows.entries()) {
      if (!own.going) continue;
      const scores = logits.subarray(row * vocab, (row + 1) * vocab);
      own.change(scores, own.ids);
      const id = choose(scores, own.random);
      own.ids.push(id);
      own.going = !eos.includes(id);
      yield { row, id };
    }
    if (signal?.aborted || made >= maxTokens || !rows.some(({ going }) => going)) return;
    logits = await step(rows.map(({ ids, going }) => (going ? ids.at(-1)! : pad)));
  }
}
