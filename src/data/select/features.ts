/**
 * Hashed word n-grams: a text as counts in a fixed number of buckets, so that what is known of a corpus of
 * any size is one small array, and shards of it add up. Words are runs of letters and digits, or of
 * punctuation; in scripts that are written without spaces each character counts as a word.
 */
import { ConfigError } from "../../util/errors.ts";

/** Number of buckets and length of n-grams. */
export interface FeatureOptions {
  /** Buckets that n-grams are hashed into (10,000). */
  readonly buckets?: number;
  /** Longest n-gram, in words (2). */
  readonly ngrams?: number;
}

const SPACE = 0;
const WORD = 1;
const MARK = 2;
const ALONE = 3;

type Ranges = readonly (readonly [number, number])[];

const SPACES: Ranges = [
  [0, 0x20],
  [0x7f, 0xa0],
  [0x2000, 0x200b],
  [0x2028, 0x202f],
  [0x3000, 0x3000],
];
const MARKS: Ranges = [
  [0x21, 0x2f],
  [0x3a, 0x40],
  [0x5b, 0x5e],
  [0x60, 0x60],
  [0x7b, 0x7e],
  [0xa1, 0xa9],
  [0xab, 0xb1],
  [0xb4, 0xb4],
  [0xb6, 0xb8],
  [0xbb, 0xbf],
  [0x2010, 0x2027],
  [0x2030, 0x206f],
  [0x3001, 0x303f],
  [0xff01, 0xff0f],
];
/** Kana, Han, Thai, Lao, Khmer, Burmese. */
const ALONES: Ranges = [
  [0x0e00, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x3040, 0x30ff],
  [0x3400, 0x9fff],
  [0xf900, 0xfaff],
];

/** The kind of each UTF-16 code: that of the first list that has it, else a word's. */
const kinds = new Uint8Array(0x10000).fill(WORD);
for (const [kind, ranges] of [
  [ALONE, ALONES],
  [MARK, MARKS],
  [SPACE, SPACES],
] as const) {
  for (const [from, to] of ranges) kinds.fill(kind, from, to + 1);
}

const FNV = 0x811c9dc5;
const PRIME = 0x01000193;

/** Spreads a hash's bits, so that its remainder by any number of buckets depends on all of them. */
const avalanche = (hash: number): number => {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
};

/** Calls `visit` with a 32-bit hash of each word of `text`, without regard to case. Returns how many. */
export const eachWord = (text: string, visit: (hash: number) => void): number => {
  const lower = text.toLowerCase();
  let words = 0;
  let at = 0;
  while (at < lower.length) {
    let code = lower.charCodeAt(at);
    const kind = kinds[code]!;
    if (kind === SPACE) {
      at++;
      continue;
    }
    let h = FNV;
    do {
      h = Math.imul(h ^ code, PRIME);
      code = lower.charCodeAt(++at);
    } while (kind !== ALONE && at < lower.length && kinds[code] === kind);
    visit(avalanche(h));
    words++;
  }
  return words;
};

/** Calls `visit` with a 32-bit hash of each n-gram of 1 to `n` words, and its length. Returns the words. */
export const eachNgram = (text: string, n: number, visit: (hash: number, length: number) => void): number => {
  // last[k]: hash of the k + 1 words that end at the word before.
  const last = new Uint32Array(n);
  let seen = 0;
  return eachWord(text, (word) => {
    const longest = Math.min(seen, n - 1);
    for (let k = longest; k > 0; k--) {
      last[k] = avalanche(Math.imul(last[k - 1]!, 0x9e3779b1) ^ word);
      visit(last[k]!, k + 1);
    }
    last[0] = word;
    visit(word, 1);
    seen++;
  });
};

/** How often each bucket's n-grams occur in a collection; counts of shards add up to those of the whole. */
export interface FeatureCounts {
  readonly ngrams: number;
  /** [buckets] */
  readonly counts: Float64Array;
  documents: number;
  /** Occurrences in all. */
  total: number;
}

/** Counts of nothing. Throws ConfigError for sizes that are not positive integers. */
export const featureCounts = ({ buckets = 10_000, ngrams = 2 }: FeatureOptions = {}): FeatureCounts => {
  for (const [field, value] of Object.entries({ buckets, ngrams })) {
    if (!Number.isInteger(value) || value < 1 || value > 2 ** 24) {
      throw new ConfigError(`must be an integer from 1 to 2^24, not ${value}`, { field });
    }
  }
  return { ngrams, counts: new Float64Array(buckets), documents: 0, total: 0 };
};

/** Adds a text to `into`. */
export const countText = (into: FeatureCounts, text: string): void => {
  const { counts, ngrams } = into;
  const buckets = counts.length;
  let total = 0;
  eachNgram(text, ngrams, (hash) => {
    counts[hash % buckets]!++;
    total++;
  });
  into.total += total;
  into.documents++;
};

/** Adds the counts of a shard to `into`. Throws ConfigError where they are of another kind. */
export const mergeCounts = (into: FeatureCounts, shard: FeatureCounts): void => {
  if (into.counts.length !== shard.counts.length || into.ngrams !== shard.ngrams) {
    throw new ConfigError("counts of different numbers of buckets or words do not add up", {
      field: "buckets",
    });
  }
  for (let i = 0; i < into.counts.length; i++) into.counts[i]! += shard.counts[i]!;
  into.documents += shard.documents;
  into.total += shard.total;
};

/** The counts of some texts. */
export const countTexts = (texts: Iterable<string>, options: FeatureOptions = {}): FeatureCounts => {
  const counts = featureCounts(options);
  for (const text of texts) countText(counts, text);
  return counts;
};

/**
 * A text as a unit vector [dims]: square roots of its n-gram counts under signed hashing, which leaves inner
 * products unbiased (Weinberger et al. 2009, https://arxiv.org/abs/0902.2206). All zeros without words.
 */
export const textVector = (text: string, dims: number, ngrams = 1): Float32Array => {
  const tally = new Map<number, number>();
  eachNgram(text, ngrams, (hash) => tally.set(hash, (tally.get(hash) ?? 0) + 1));
  const vector = new Float32Array(dims);
  for (const [hash, count] of tally) {
    const mixed = avalanche(hash ^ 0x5bd1e995);
    vector[hash % dims]! += (mixed & 1 ? 1 : -1) * Math.sqrt(count);
  }
  let norm = 0;
  for (const x of vector) norm += x * x;
  if (norm === 0) return vector;
  const scale = 1 / Math.sqrt(norm);
  return vector.map((x) => x * scale);
};
