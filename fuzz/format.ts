/** What is fuzzed, and what counts as a fault. */
import { AnnealError } from "../src/util/errors.ts";
import { type Rng, rng } from "../src/util/rng.ts";

/** One format: valid inputs, what is changed in them, and the reader that must hold. */
export interface Format {
  /** Valid inputs, small. */
  readonly seeds: readonly Uint8Array[];
  /** A changed input. */
  mutate(seed: Uint8Array, random: Rng, seeds: readonly Uint8Array[]): Uint8Array;
  /** Reads an input to its end. */
  read(bytes: Uint8Array): unknown;
  /** Faults that the reader's caller makes typed errors of. */
  readonly typed?: (error: unknown) => boolean;
}

export interface Fault {
  readonly case: number;
  readonly what: string;
  readonly input: Uint8Array;
}

/** Most processor time of one case, seconds. */
export const MAX_SECONDS = 2;

/** Most memory that one case leaves behind: 64 times the input, and this many bytes. */
const MAX_GROWTH = 256 * 2 ** 20;

/** The input of a case: a pure function of format, seed and number. */
export const inputOf = (name: string, format: Format, seed: number, number: number): Uint8Array => {
  const random = rng(seed, `${name} ${number}`);
  let bytes = format.seeds[random.int(format.seeds.length)]!;
  for (let left = 1 + random.int(3); left > 0; left--) bytes = format.mutate(bytes, random, format.seeds);
  return bytes;
};

const used = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** What is wrong with how a format takes an input; undefined where it is read, or refused as it should be. */
export const faultOf = async (format: Format, input: Uint8Array): Promise<string | undefined> => {
  const [memory, start] = [used(), cpuSeconds()];
  try {
    await format.read(input);
  } catch (error) {
    const typed = error instanceof AnnealError || format.typed?.(error) === true;
    if (!typed) return error instanceof Error ? (error.stack ?? String(error)) : `throws ${String(error)}`;
  }
  const seconds = cpuSeconds() - start;
  if (seconds > MAX_SECONDS) return `takes ${seconds.toFixed(1)} s`;
  const grown = used() - memory;
  if (grown > MAX_GROWTH + 64 * input.length) return `takes ${Math.round(grown / 2 ** 20)} MiB`;
  return undefined;
};
