/**
 * Bands of a MinHash signature (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3.4): two
 * documents are candidates where all rows of any one band agree, which those of Jaccard similarity s do with
 * the probability 1 - (1 - s^rows)^bands.
 */
import { ConfigError } from "../../util/errors.ts";

/** How a signature is cut into bands. */
export interface Banding {
  /** Bands of which one must agree. */
  readonly bands: number;
  /** Hashes in a band, all of which must agree. */
  readonly rows: number;
  /** Words in a shingle. */
  readonly ngram: number;
}

/** The bandings of published corpora, by name. */
export const bandings = {
  // Penedo et al. 2024, https://arxiv.org/abs/2406.17557: even odds at s = 0.72.
  fineweb: { bands: 14, rows: 8, ngram: 5 },
  // Soboleva et al. 2023, https://huggingface.co/datasets/cerebras/SlimPajama-627B: even odds at s = 0.82.
  slimpajama: { bands: 9, rows: 13, ngram: 13 },
  // Penedo et al. 2023, https://arxiv.org/abs/2306.01116: even odds at s = 0.72, and steeper.
  refinedweb: { bands: 450, rows: 20, ngram: 5 },
} as const satisfies Record<string, Banding>;

/** The name of a banding that the field uses. */
export type BandingName = keyof typeof bandings;

/** A preset by name, whose numbers may be changed one by one, or numbers of one's own (rest: fineweb's). */
export interface BandingOptions extends Partial<Banding> {
  readonly preset?: BandingName;
}

const LIMITS = { bands: 1024, rows: 256, ngram: 256 } as const satisfies Banding;

/** The banding that options name, checked; throws ConfigError naming the field. */
export const banding = ({ preset = "fineweb", ...own }: BandingOptions = {}): Banding => {
  if (!Object.hasOwn(bandings, preset))
    throw new ConfigError(`no preset is named "${preset}"`, {
      field: "preset",
      hint: `Take one of ${Object.keys(bandings).join(", ")}.`,
    });
  const base: Banding = bandings[preset];
  const result = {
    bands: own.bands ?? base.bands,
    rows: own.rows ?? base.rows,
    ngram: own.ngram ?? base.ngram,
  };
  for (const field of ["bands", "rows", "ngram"] as const) {
    const value = result[field];
    if (!Number.isInteger(value) || value < 1 || value > LIMITS[field])
      throw new ConfigError(`${value} is no number of ${field}`, {
        field,
        hint: `Take a whole number from 1 to ${LIMITS[field]}.`,
      });
  }
  return result;
};

/** The probability that documents of the Jaccard similarity `s` (0 to 1) become candidates. */
export const candidateProbability = (s: number, { bands, rows }: Pick<Banding, "bands" | "rows">): number =>
  1 - (1 - s ** rows) ** bands;

/** The similarity at which that probability is a half. */
export const evenOdds = ({ bands, rows }: Pick<Banding, "bands" | "rows">): number =>
  (1 - 0.5 ** (1 / bands)) ** (1 / rows);

/** Folds word `x` into the state `h`: one step of MurmurHash3 (32 bits). */
const fold = (h: number, x: number, multiplier: number): number => {
  const k = Math.imul(x, multiplier);
  const t = h ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((t << 13) | (t >>> 19), 5) + 0xe6546b64) | 0;
};

const finish = (x: number): number => {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
};

/**
 * Writes 2 words (64 bits) for each band of a signature [bands * rows] into `keys` [2 * bands]. Keys of
 * different bands differ, so one table may hold them all.
 */
export const bandKeys = (signature: Int32Array, { bands, rows }: Banding, keys: Uint32Array): void => {
  for (let band = 0; band < bands; band++) {
    let low = finish(band + 1);
    let high = finish(band + 0x40000001);
    for (let i = band * rows; i < (band + 1) * rows; i++) {
      low = fold(low, signature[i]!, 0xcc9e2d51);
      high = fold(high, signature[i]!, 0x9e3779b1);
    }
    keys[2 * band] = finish(low);
    keys[2 * band + 1] = finish(high);
  }
};
