/**
 * Stars of near-duplicates: each document that goes is like one that stays. Bands alone make chains, in which
 * the first may have little in common with the last: records of one form, each like some others, would go for
 * one of them.
 */
import { keyTable } from "./keyTable.ts";

/** Most kept documents that one is compared with: of one form there may be any number. */
const MOST = 1000;

/** Rows of band keys and sketches, one a document. */
export interface StarRows {
  /** Of each document 2 words a band, then the sketch. [n * words] */
  readonly rows: Uint32Array;
  readonly words: number;
  readonly bands: number;
}

/** How alike documents are, and from when on one goes. */
export interface StarOptions {
  /** Similarity of two documents, 0 to 1. */
  readonly similarity: (a: number, b: number) => number;
  /** The least at which the one goes for the other. */
  readonly least: number;
}

/** Which documents that stay each bucket knows of: its own, and those that its others went for. */
const bucketsOf = (members: Uint32Array, { rows, words, bands }: StarRows) => {
  const buckets = new Uint32Array(members.length * bands);
  for (let band = 0; band < bands; band++) {
    const table = keyTable(2, members.length);
    for (const [i, document] of members.entries()) {
      const first = table.put(rows, document * words + 2 * band, i);
      buckets[i * bands + band] = (first < 0 ? i : first) * bands + band;
    }
  }
  const heads = new Int32Array(members.length * bands).fill(-1);
  const next: number[] = [];
  const kept: number[] = [];
  /** Calls `see` with those of one bucket, the latest first, until it says that it is enough. */
  const each = (bucket: number, see: (member: number) => boolean): void => {
    for (let node = heads[bucket]!; node >= 0 && !see(kept[node]!); ) node = next[node]!;
  };
  return {
    /** Calls `see` with what the buckets of member `i` know, some several times. */
    around(i: number, see: (member: number) => boolean): void {
      for (let band = 0; band < bands; band++) each(buckets[i * bands + band]!, see);
    },
    /** Tells the buckets of member `i` which member it went for, itself where it stays. */
    tell(i: number, member: number): void {
      for (let band = 0; band < bands; band++) {
        const bucket = buckets[i * bands + band]!;
        let known = false;
        each(bucket, (other) => {
          known = other === member;
          return known;
        });
        if (known) continue;
        next.push(heads[bucket]!);
        heads[bucket] = kept.push(member) - 1;
      }
    },
  };
};

/**
 * Of documents that are linked by bands, the one that each goes for, itself where it stays. `members` are in
 * the order in which they would stay, and each is compared with those that stay before it and share a band
 * with it, or with one that went for them; it goes for the most similar (the first of equals) if that is
 * similar enough.
 */
export const stars = (
  members: Uint32Array,
  rows: StarRows,
  { similarity, least }: StarOptions,
): Uint32Array => {
  const buckets = bucketsOf(members, rows);
  const asked = new Int32Array(members.length).fill(-1);
  return Uint32Array.from(members, (document, i) => {
    let [best, most, compared] = [i, 0, 0];
    buckets.around(i, (other) => {
      if (asked[other] === i) return false;
      asked[other] = i;
      const s = similarity(document, members[other]!);
      if (s >= least && (s > most || (s === most && other < best))) [best, most] = [other, s];
      return ++compared >= MOST;
    });
    buckets.tell(i, best);
    return members[best]!;
  });
};
