/** Inference speed of a loaded decoder, as a user would feel it: one token at a time, and prompts whole. */
import type { Decoder } from "../serve/decoding.ts";
import { rng } from "../util/rng.ts";

export interface Speed {
  /** Time of one generated token, milliseconds: median and 95th percentile. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly tokensPerSec: number;
  /** Prompt tokens read per second, median over runs. */
  readonly prefillTokensPerSec: number;
}

export interface SpeedOptions {
  /** Tokens of a prompt; half the positions, at most 256, unless told. */
  readonly promptTokens?: number;
  /** Tokens generated in each run. */
  readonly tokens?: number;
  readonly runs?: number;
  readonly vocab: number;
}

/** The value below which a share `q` of `times` lies (nearest rank). */
export const percentile = (times: readonly number[], q: number): number => {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
};

/** Measures a decoder; the first run is not counted. */
export const measureSpeed = async (decoder: Decoder, options: SpeedOptions): Promise<Speed> => {
  const { positions } = decoder.shape;
  const { promptTokens = Math.min(256, positions >> 1), runs = 5, vocab } = options;
  const tokens = Math.min(options.tokens ?? 48, positions - promptTokens);
  const random = rng(1, "speed");
  const ids = Array.from({ length: promptTokens + tokens }, () => random.int(vocab));
  const prefill: number[] = [];
  const decode: number[] = [];
  const cache = decoder.cache();
  for (let run = 0; run <= runs; run++) {
    let start = performance.now();
    await decoder.step(cache, ids.slice(0, promptTokens), 0);
    const prefillMs = performance.now() - start;
    const times: number[] = [];
    for (let i = 0; i < tokens; i++) {
      start = performance.now();
      await decoder.step(cache, [ids[promptTokens + i]!], promptTokens + i);
      times.push(performance.now() - start);
    }
    if (run === 0) continue;
    prefill.push(prefillMs);
    decode.push(...times);
  }
  const p50Ms = percentile(decode, 0.5);
  return {
    p50Ms,
    p95Ms: percentile(decode, 0.95),
    tokensPerSec: 1000 / p50Ms,
    prefillTokensPerSec: (1000 * promptTokens) / percentile(prefill, 0.5),
  };
};
