/**
 * Byte-pair encoding of one word (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909): the pair of lowest
 * rank is merged until none is left, the leftmost first. Short words look at all their pairs each time; for
 * longer ones a heap keeps it n log n.
 */

import { heap } from "./heap.ts";
import { NO_RANK, type PairTable } from "./pairs.ts";

/** A pair of token ids as one number; ids stay below 2^26. */
export const pairKey = (a: number, b: number): number => a * 0x4000000 + b;
/** The ids of a `pairKey`. */
export const pairOf = (key: number): [a: number, b: number] => [Math.floor(key / 0x4000000), key % 0x4000000];

/** Longest word that is merged without a heap, symbols. */
const SHORT = 40;

/** Merges the first `count` of `ids` in place, and returns how many are left. */
export type Merger = (ids: Int32Array, count: number) => number;

const shortMerger = ({ find, ranks, ids: joined }: PairTable): Merger => {
  /** Place in the table of each symbol with the next. */
  const places = new Int32Array(SHORT);
  return (ids, count) => {
    let n = count;
    for (let i = 0; i + 1 < n; i++) places[i] = find(ids[i]!, ids[i + 1]!);
    while (n > 1) {
      let lowest = NO_RANK;
      let at = 0;
      for (let i = 0; i + 1 < n; i++) {
        const rank = ranks[places[i]!]!;
        if (rank < lowest) {
          lowest = rank;
          at = i;
        }
      }
      if (lowest === NO_RANK) break;
      ids[at] = joined[places[at]!]!;
      n--;
      for (let i = at + 1; i < n; i++) {
        ids[i] = ids[i + 1]!;
        places[i] = places[i + 1]!;
      }
      if (at > 0) places[at - 1] = find(ids[at - 1]!, ids[at]!);
      if (at + 1 < n) places[at] = find(ids[at]!, ids[at + 1]!);
    }
    return n;
  };
};

/** The symbols of a word as a linked list: what follows and precedes each, from 0 on; `n` ends it. */
const linked = (n: number) => {
  const [next, previous] = [new Int32Array(n), new Int32Array(n)];
  for (let i = 0; i < n; i++) {
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  return { next, previous };
};

const longMerger = ({ find, ranks, ids: joined }: PairTable): Merger => {
  return (ids, n) => {
    const { next, previous } = linked(n);
    const queue = heap(n);
    const offer = (i: number): void => {
      if (i < 0 || next[i]! >= n) return;
      const rank = ranks[find(ids[i]!, ids[next[i]!]!)]!;
      if (rank !== NO_RANK) queue.push(rank, i);
    };
    for (let i = 0; i + 1 < n; i++) offer(i);
    while (queue.pop()) {
      const i = queue.second;
      // An entry is stale when either side has been merged since; what stands there then has an entry of its
      // own.
      if (ids[i]! < 0 || next[i]! >= n) continue;
      const gone = next[i]!;
      const place = find(ids[i]!, ids[gone]!);
      if (ranks[place] !== queue.first) continue;
      ids[i] = joined[place]!;
      ids[gone] = -1;
      next[i] = next[gone]!;
      if (next[gone]! < n) previous[next[gone]!] = i;
      offer(previous[i]!);
      offer(i);
    }
    let left = 0;
    for (let i = 0; i < n; i = next[i]!) ids[left++] = ids[i]!;
    return left;
  };
};

/** The merger of a table's pairs. */
export const merger = (table: PairTable): Merger => {
  const [short, long] = [shortMerger(table), longMerger(table)];
  return (ids, count) => (count <= SHORT ? short(ids, count) : long(ids, count));
};
