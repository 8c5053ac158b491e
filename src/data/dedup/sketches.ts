/**
 * Sketches: 4 bits of each hash of a MinHash signature, eight a word (b-bit minwise hashing, Li and König
 * 2010, https://arxiv.org/abs/0910.3349). Band keys say which documents to compare, sketches how alike they are.
 */
import type { Banding } from "./bands.ts";

const BITS = 4;
const PER_WORD = 32 / BITS;
/** Probability that the bits of two different hashes agree. */
const CHANCE = 2 ** -BITS;

/** Words of a sketch. */
export const sketchWords = ({ bands, rows }: Pick<Banding, "bands" | "rows">): number =>
  Math.ceil((bands * rows) / PER_WORD);

/** Writes the sketch of a signature's first `hashes` values into `out` [sketchWords]. */
export const sketch = (signature: Int32Array, hashes: number, out: Uint32Array): void => {
  out.fill(0);
  // A signature holds least values, whose high bits say little: the low ones are even.
  for (let i = 0; i < hashes; i++)
    out[(i / PER_WORD) | 0]! |= (signature[i]! & 15) << (BITS * (i % PER_WORD));
};

/**
 * One word of the sketch of a sequence of texts, from that of those before and the next one's: each hash of
 * it agrees where those of all texts do.
 */
export const sketchOfBoth = (before: number, next: number): number => {
  const low = 5 * (before & 0x0f0f0f0f) + (next & 0x0f0f0f0f);
  const high = 5 * ((before >>> 4) & 0x0f0f0f0f) + ((next >>> 4) & 0x0f0f0f0f);
  return (low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4);
};

/** Bits that are 1, of a word. */
const ones = (word: number): number => {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};

/** Estimated Jaccard similarity of the documents whose sketches stand at `a` and `b` of `rows`, 0 to 1. */
export const sketchSimilarity = (
  rows: Uint32Array,
  a: number,
  b: number,
  { hashes }: { readonly hashes: number },
): number => {
  let other = 0;
  for (let i = 0; i < Math.ceil(hashes / PER_WORD); i++) {
    let x = rows[a + i]! ^ rows[b + i]!;
    x |= x >>> 2;
    other += ones((x | (x >>> 1)) & 0x11111111);
  }
  return Math.max(0, (1 - other / hashes - CHANCE) / (1 - CHANCE));
};
