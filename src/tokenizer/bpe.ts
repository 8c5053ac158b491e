/**
 * Byte-pair encoding of one word (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909): the pair of lowest
 * rank is merged until none is left, the leftmost first. A heap keeps it n log n for words of any length.
 */
import { heap } from "./heap.ts";

/** A pair of token ids as one number; ids stay below 2^26. */
export const pairKey = (a: number, b: number): number => a * 0x4000000 + b;
/** The ids of a `pairKey`. */
export const pairOf = (key: number): [a: number, b: number] => [Math.floor(key / 0x4000000), key % 0x4000000];

export interface Merge {
  readonly rank: number;
  readonly id: number;
}
/** What each mergeable pair becomes. */
export type Merges = ReadonlyMap<number, Merge>;

/** Merges the symbols of a word and returns what remains. */
export const mergeWord = (symbols: Int32Array, merges: Merges): Uint32Array => {
  const n = symbols.length;
  const ids = new Int32Array(symbols);
  if (n < 2) return new Uint32Array(ids);
  const next = new Int32Array(n);
  const previous = new Int32Array(n);
  for (let i = 0; i < n; i++) [next[i], previous[i]] = [i + 1, i - 1];
  const queue = heap(n);
  const at = (i: number): Merge | undefined => merges.get(pairKey(ids[i]!, ids[next[i]!]!));
  const offer = (i: number): void => {
    if (i < 0 || next[i]! >= n) return;
    const merge = at(i);
    if (merge !== undefined) queue.push(merge.rank, i);
  };
  for (let i = 0; i + 1 < n; i++) offer(i);
  let left = n;
  while (queue.pop()) {
    const i = queue.second;
    // An entry is stale when either side has been merged since; what stands there then has an entry of its
    // own.
    if (ids[i]! < 0 || next[i]! >= n) continue;
    const merge = at(i);
    if (merge === undefined || merge.rank !== queue.first) continue;
    const gone = next[i]!;
    ids[i] = merge.id;
    ids[gone] = -1;
    next[i] = next[gone]!;
    if (next[gone]! < n) previous[next[gone]!] = i;
    left--;
    offer(previous[i]!);
    offer(i);
  }
  const out = new Uint32Array(left);
  for (let i = 0, k = 0; i < n; i = next[i]!) out[k++] = ids[i]!;
  return out;
};
