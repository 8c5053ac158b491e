/**
 * MinHash (Broder 1997, https://doi.org/10.1109/SEQUEN.1997.666900): two documents agree in a row of their
 * signatures with the probability of their Jaccard similarity. A permutation is h -> a h + b modulo 2^32 with
 * odd a, over shingle hashes that are already well mixed: a multiplication in place of a division by a prime.
 */
import { ConfigError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { type Banding, type BandingOptions, banding, bandKeys } from "./bands.ts";
import { shingler } from "./shingles.ts";
import { sketch, sketchWords } from "./sketches.ts";

/** The banding, and the seed of the permutations. */
export interface SignerOptions extends BandingOptions {
  /** Seed of the permutations; documents are comparable only under the same one. */
  readonly seed?: number;
}

/** Makes signatures and band keys of texts. */
export interface Signer extends Banding {
  /** The least value of each permutation, [bands * rows]. */
  signature(text: string): Uint32Array;
  /**
   * Two words (64 bits) for each band, [2 * bands]; written into `into` where given. All are 0 of a text of
   * fewer words than a shingle has: there is too little in it to call it like another.
   */
  keys(text: string, into?: Uint32Array): Uint32Array;
  /** The keys, and behind them the text's sketch, [2 * bands + sketchWords]; zeros likewise. */
  keysAndSketch(text: string, into: Uint32Array): void;
}

const GREATEST = 0x7fffffff;

/** Permutations are taken four at a time: a shingle is loaded once for the four. */
const LANES = 4;

/** Lowers `least` [permutations, a multiple of 4] to the values of `count` shingles. */
const lower = (
  least: Int32Array,
  factors: Int32Array,
  offsets: Int32Array,
  shingles: Int32Array,
  count: number,
): void => {
  for (let p = 0; p < least.length; p += LANES) {
    const [a0, a1, a2, a3] = [factors[p]!, factors[p + 1]!, factors[p + 2]!, factors[p + 3]!];
    const [b0, b1, b2, b3] = [offsets[p]!, offsets[p + 1]!, offsets[p + 2]!, offsets[p + 3]!];
    let [m0, m1, m2, m3] = [least[p]!, least[p + 1]!, least[p + 2]!, least[p + 3]!];
    for (let i = 0; i < count; i++) {
      const h = shingles[i]!;
      const x0 = (Math.imul(h, a0) + b0) | 0;
      const x1 = (Math.imul(h, a1) + b1) | 0;
      const x2 = (Math.imul(h, a2) + b2) | 0;
      const x3 = (Math.imul(h, a3) + b3) | 0;
      if (x0 < m0) m0 = x0;
      if (x1 < m1) m1 = x1;
      if (x2 < m2) m2 = x2;
      if (x3 < m3) m3 = x3;
    }
    least[p] = m0;
    least[p + 1] = m1;
    least[p + 2] = m2;
    least[p + 3] = m3;
  }
};

/** A maker of signatures and band keys; it works in buffers of its own, so that a text costs no garbage. */
export const signer = ({ seed = 1, ...options }: SignerOptions = {}): Signer => {
  const layout = banding(options);
  const permutations = layout.bands * layout.rows;
  const padded = Math.ceil(permutations / LANES) * LANES;
  const random = rng(seed, "minhash");
  const factors = new Int32Array(padded);
  const offsets = new Int32Array(padded);
  for (let i = 0; i < permutations; i++) {
    factors[i] = random.word() | 1;
    offsets[i] = random.word();
  }
  const least = new Int32Array(padded);
  const shingles = shingler(layout.ngram);
  /** Whether there was anything to sign. */
  const sign = (text: string): boolean => {
    least.fill(GREATEST);
    let total = 0;
    shingles(text, (block, count) => {
      total += count;
      lower(least, factors, offsets, block, count);
    });
    return total > 0;
  };
  return {
    ...layout,
    signature(text) {
      sign(text);
      return new Uint32Array(least.slice(0, permutations).buffer);
    },
    keys(text, into = new Uint32Array(2 * layout.bands)) {
      if (into.length !== 2 * layout.bands)
        throw new ConfigError(`keys take ${2 * layout.bands} words, not ${into.length}`, { field: "into" });
      if (sign(text)) bandKeys(least, layout, into);
      else into.fill(0);
      return into;
    },
    keysAndSketch(text, into) {
      const words = 2 * layout.bands + sketchWords(layout);
      if (into.length !== words)
        throw new ConfigError(`keys and sketch take ${words} words, not ${into.length}`, { field: "into" });
      if (!sign(text)) return void into.fill(0);
      bandKeys(least, layout, into.subarray(0, 2 * layout.bands));
      sketch(least, permutations, into.subarray(2 * layout.bands));
    },
  };
};

/** Estimated Jaccard similarity of two documents: the rows in which their signatures agree, 0 to 1. */
export const similarity = (a: Uint32Array, b: Uint32Array): number => {
  if (a.length !== b.length || a.length === 0)
    throw new ConfigError(`signatures of ${a.length} and ${b.length} rows are not comparable`, {
      hint: "Sign both with the same bands and rows.",
    });
  let same = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) same++;
  return same / a.length;
};
