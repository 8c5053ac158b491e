/** Generating tokens one by one, for one prompt or a batch of unequal ones. */

import { ConfigError } from "../../util/errors.ts";
import { type BeamOptions, type BeamText, beamSearch } from "./beam.ts";
import { decodeRows, type RowToken } from "./decodeRows.ts";
import { type Decoder, reorderCache } from "./decoding.ts";
import type { SampleOptions } from "./sample.ts";

/** How many tokens, how they are chosen, and what ends them. */
export interface GenerateOptions extends SampleOptions {
  /** Most tokens to generate; the model's positions end it in any case. */
  readonly maxTokens?: number;
  /** Token ids that end the text (and are not given out). */
  readonly stopIds?: readonly number[];
  /** The id that ends the text is given out too. */
  readonly keepStop?: boolean;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

type Prompt = ArrayLike<number>;

/** Prompts of one length, with `filler` on the left of the shorter ones. */
const padded = (prompts: readonly Prompt[], filler: number) => {
  const empty = prompts.findIndex((p) => p.length === 0);
  if (empty >= 0 || prompts.length === 0) {
    throw new ConfigError(prompts.length > 1 ? `prompt ${empty} has no tokens` : "the prompt has no tokens", {
      hint: "start from the end-of-text token",
    });
  }
  const width = Math.max(...prompts.map((p) => p.length));
  const pads = prompts.map((p) => width - p.length);
  const ids = prompts.flatMap((p, i) => [...new Array<number>(pads[i]!).fill(filler), ...Array.from(p)]);
  return { ids, pads, width };
};

/**
 * Token ids that continue each of `prompts` (at least one id each), as they are made, row by row. A row's
 * tokens are those that its prompt alone would get with the seed `seed + row`, up to rounding.
 */
export async function* generateBatch(
  decoder: Decoder,
  prompts: readonly Prompt[],
  options: GenerateOptions = {},
): AsyncGenerator<RowToken> {
  const { maxTokens: most = 128, stopIds: eos = [], keepStop = false } = options;
  const pad = eos[0] ?? 0;
  const { ids, pads, width } = padded(prompts, pad);
  const maxTokens = Math.min(most, decoder.shape.positions - width + 1);
  const cache = decoder.cache(width + maxTokens, pads);
  const first = await decoder.step(cache, ids, 0);
  let past = width;
  const step = (next: readonly number[]) => decoder.step(cache, next, past++);
  const starts = prompts.map((prompt) => ({ ids: prompt, source: prompt }));
  for await (const token of decodeRows(step, first, starts, { ...options, maxTokens, eos, pad })) {
    if (keepStop || !eos.includes(token.id)) yield token;
  }
}

/** Token ids that continue `prompt` (at least one id), as they are made. */
export async function* generate(
  decoder: Decoder,
  prompt: Prompt,
  options: GenerateOptions = {},
): AsyncGenerator<number> {
  for await (const { id } of generateBatch(decoder, [prompt], options)) yield id;
}

/** Beam search over a decoder: the best continuations of one prompt, best first. */
export const generateBeams = async (
  decoder: Decoder,
  prompt: Prompt,
  options: Omit<BeamOptions, "start" | "context" | "sources" | "sourceIds">,
): Promise<readonly BeamText[]> => {
  const { ids } = padded([prompt], 0);
  const { positions } = decoder.shape;
  const maxTokens = Math.min(options.maxTokens, positions - ids.length + 1);
  const rows = new Array<number>(options.beams).fill(0);
  const cache = decoder.cache(ids.length + maxTokens, rows);
  // Everything before the last id; that one is the first that the search steps with.
  const before = ids.slice(0, -1);
  let past = before.length;
  if (past > 0) {
    const copies = rows.flatMap(() => before);
    await decoder.step(cache, copies, 0);
  }
  const step = (next: ArrayLike<number>) => decoder.step(cache, next, past++);
  const reorder = (from: readonly number[]) => reorderCache(cache, from);
  const start = ids.at(-1)!;
  const [best] = await beamSearch(
    { step, reorder },
    { ...options, maxTokens, context: before, start, sourceIds: [ids] },
  );
  return best!;
};
