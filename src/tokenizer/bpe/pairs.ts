/** What each mergeable pair becomes, in an open-addressing table of typed arrays: no object a pair. */

/** Rank of a pair that does not merge. */
export const NO_RANK = 0x7fffffff;

/** The pair (`left`, `right`), which becomes `id`; pairs of lower rank merge first. */
export interface PairMerge {
  readonly left: number;
  readonly right: number;
  readonly rank: number;
  readonly id: number;
}

/** Ranks and results of the pairs that merge. */
export interface PairTable {
  /** Place of a pair in `ranks` and `ids`. */
  find(left: number, right: number): number;
  /** NO_RANK where a pair does not merge. */
  readonly ranks: Int32Array;
  readonly ids: Int32Array;
}

const hash = (left: number, right: number): number => {
  const mixed = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca77);
  return mixed ^ (mixed >>> 15);
};

/** The table of `merges`; the first of two merges of one pair counts. */
export const pairTable = (merges: readonly PairMerge[]): PairTable => {
  let size = 16;
  while (size < 2 * merges.length) size *= 2;
  const mask = size - 1;
  const [lefts, rights, ids] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
  const ranks = new Int32Array(size).fill(NO_RANK);
  const find = (left: number, right: number): number => {
    let place = hash(left, right) & mask;
    while (ranks[place] !== NO_RANK && (lefts[place] !== left || rights[place] !== right))
      place = (place + 1) & mask;
    return place;
  };
  for (const { left, right, rank, id } of merges) {
    const place = find(left, right);
    if (ranks[place] !== NO_RANK) continue;
    lefts[place] = left;
    rights[place] = right;
    ranks[place] = rank;
    ids[place] = id;
  }
  return { find, ranks, ids };
};
