/**
 * What decides between two models, as a number for each example whose mean is the figure: so what is hard for
 * both falls out of their differences, which have a standard error (as in tasks/classification/figures.ts).
 */
import type { Tokenizer } from "../../tokenizer/index.ts";
import { streamOf } from "../../util/rng.ts";

/** The figure of a model that decides, example by example. */
export interface Scored {
  /** "bits per byte" */
  readonly name: string;
  readonly better: "less" | "more";
  /** What a number is of: "record". */
  readonly example: string;
  /** What tells each example: two models are compared on those that both have. */
  readonly keys: readonly string[];
  /** Whether examples are tokens, or chosen by them: they are the same for models of one tokenizer alone. */
  readonly ofTokens?: true;
  /** Whether it is told against a model's own weights: the other's are to be told against these too. */
  readonly ofReference?: true;
  /** Numbers of the examples at `places`, whose mean is the figure of these. */
  numbers(places: readonly number[]): Float32Array;
}

type About = Omit<Scored, "numbers">;

/** A figure that is the mean of a number an example. */
export const ofMean = (values: readonly number[], about: About): Scored => ({
  ...about,
  numbers: (places) => Float32Array.from(places, (i) => values[i]!),
});

/** A part and a whole of each example. */
export type Share = readonly [part: number, whole: number];

/** A ratio of sums r = P / W with the influence of each example: r + (p - r w) / mean(w). */
export const ofSums = (rows: readonly Share[], about: About): Scored => ({
  ...about,
  numbers: (places) => {
    const some = places.map((i) => rows[i]!);
    const [part, whole] = [0, 1].map((k) => some.reduce((sum, row) => sum + row[k]!, 0)) as [number, number];
    const ratio = part / whole;
    return Float32Array.from(some, ([p, w]) => ratio + ((p - ratio * w) * some.length) / whole);
  },
});

/** A token of a text, and what a model takes to say it. */
export interface SaidToken {
  readonly id: number;
  readonly nats: number;
}

/** Bits per byte of the tokens of each example. */
export const bitsPerByteOf = (
  examples: readonly (readonly SaidToken[])[],
  tokenizer: Pick<Tokenizer, "bytesOf">,
  about: Omit<About, "name" | "better">,
): Scored => {
  const rows = examples.map((said): Share => {
    const nats = said.reduce((sum, token) => sum + token.nats, 0);
    return [nats / Math.LN2, said.reduce((sum, { id }) => sum + tokenizer.bytesOf(id).length, 0)];
  });
  return ofSums(rows, { ...about, name: "bits per byte", better: "less" });
};

/** Bytes of running text that are an example: neighbours are hard or easy together. */
const BLOCK = 256;

/**
 * Running text as blocks of as many bytes, so that models of different tokenizers read the same ones; a token
 * is of the block that it begins in. `first` is read and not said. What is no whole block is left out where
 * there is a whole one.
 */
export const textBlocks = (
  first: number,
  said: readonly SaidToken[],
  tokenizer: Pick<Tokenizer, "bytesOf">,
): Scored => {
  const bytes: number[] = [...tokenizer.bytesOf(first)];
  const blocks: SaidToken[][] = [];
  for (const token of said) {
    const at = Math.floor(bytes.length / BLOCK);
    while (blocks.length <= at) blocks.push([]);
    blocks[at]!.push(token);
    bytes.push(...tokenizer.bytesOf(token.id));
  }
  const whole = blocks.slice(0, Math.max(1, Math.floor(bytes.length / BLOCK)));
  const keys = whole.map((_, i) => `${i} ${streamOf(bytes.slice(i * BLOCK, (i + 1) * BLOCK).join())}`);
  return bitsPerByteOf(whole, tokenizer, { keys, example: `${BLOCK} bytes of text` });
};

/** The examples that both have, by their places in each. */
export const pairsOf = (
  a: Scored,
  b: Scored,
): { readonly a: readonly number[]; readonly b: readonly number[] } => {
  const places = new Map(b.keys.map((key, i) => [key, i]));
  const own = a.keys.flatMap((key, i) => (places.has(key) ? [i] : []));
  return { a: own, b: own.map((i) => places.get(a.keys[i]!)!) };
};
