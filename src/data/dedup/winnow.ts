/**
 * Winnowing (Schleimer et al. 2003, https://doi.org/10.1145/872757.872770): of the hashes of all `gram`
 * characters in a row, the least of every `window` in a row. Two texts with gram + window - 1 characters in
 * common have a chosen hash in common, at the same place in what they share.
 */
import { mix } from "./repeats.ts";

/** Triples: place of the gram in the text, and two words of its hash. `length` counts the words in use. */
export interface Fingerprints {
  readonly words: Uint32Array;
  readonly length: number;
}

const B1 = 0x01000193;
const B2 = 0x9e3779b1;

const powerOf = (base: number, exponent: number): number => {
  let power = 1;
  for (let i = 0; i < exponent; i++) power = Math.imul(power, base);
  return power;
};

/** The places waiting to be the least of their window: a ring, whose hashes grow from its head. */
const ringOf = (window: number) => {
  const size = 2 ** Math.ceil(Math.log2(window + 1));
  return {
    mask: size - 1,
    place: new Uint32Array(size),
    order: new Uint32Array(size),
    other: new Int32Array(size),
  };
};

/**
 * A function from text to fingerprints, in time linear in the text; its result lies in memory that the next
 * call reuses.
 */
export const winnower = (gram: number, window: number): ((text: string) => Fingerprints) => {
  const [out1, out2] = [powerOf(B1, gram), powerOf(B2, gram)];
  const { mask, place, order, other } = ringOf(window);
  let words = new Uint32Array(3 * 256);
  const emit = (length: number, at: number, rank: number, raw: number): void => {
    if (length === words.length) {
      const larger = new Uint32Array(2 * length);
      larger.set(words);
      words = larger;
    }
    words[length] = at;
    words[length + 1] = rank;
    words[length + 2] = mix(raw + rank);
  };
  return (text) => {
    let [a, b, head, tail, length, last] = [0, 0, 0, 0, 0, -1];
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i) + 1;
      a = (Math.imul(a, B1) + c) | 0;
      b = (Math.imul(b, B2) + c) | 0;
      const at = i - gram + 1;
      if (at < 0) continue;
      if (at > 0) {
        const gone = text.charCodeAt(at - 1) + 1;
        a = (a - Math.imul(gone, out1)) | 0;
        b = (b - Math.imul(gone, out2)) | 0;
      }
      const rank = mix(a ^ Math.imul(b, 0x2545f491));
      if (head !== tail && place[head & mask]! <= at - window) head++;
      // Of equals the last is chosen, which depends on the window's text alone.
      while (head !== tail && order[(tail - 1) & mask]! >= rank) tail--;
      place[tail & mask] = at;
      order[tail & mask] = rank;
      other[tail++ & mask] = b;
      const least = head & mask;
      if (at < window - 1 || place[least] === last) continue;
      last = place[least]!;
      emit(length, last, order[least]!, other[least]!);
      length += 3;
    }
    return { words, length };
  };
};
