/** Words as pieces of a tokenizer, each with the word that it is of. */
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Sentence } from "./words.ts";

/** Token ids of a sentence, between the marks of a text. */
export interface Pieces {
  readonly ids: readonly number[];
  /** The word that each id is of; -1 of a mark. */
  readonly words: readonly number[];
  /** Whether words lost their place. */
  readonly cut: boolean;
}

const startsWith = (all: ArrayLike<number>, part: readonly number[], at: number): boolean =>
  part.every((id, i) => all[at + i] === id);

/**
 * The pieces of each word as they are in its text, where a word is read alone as it is there: with the space
 * before it, or without for tokenizers that make one themselves.
 */
const piecesOf = (sentence: Sentence, tokenizer: Tokenizer, whole: ArrayLike<number>, marks: number) => {
  const { text, words } = sentence;
  const make = (spaced: boolean): number[][] =>
    words.map(({ text: word, start }) => {
      const before = spaced && start > 0 && /\s/.test(text[start - 1]!) ? " " : "";
      return Array.from(tokenizer.encode(before + word));
    });
  const fits = (pieces: readonly number[][]): boolean => {
    const flat = pieces.flat();
    if (flat.length + marks !== whole.length) return false;
    return Array.from({ length: marks + 1 }, (_, at) => startsWith(whole, flat, at)).includes(true);
  };
  const spaced = make(true);
  if (fits(spaced)) return spaced;
  const bare = make(false);
  return fits(bare) ? bare : spaced;
};

/** A sentence's pieces, cut to `context`. */
export const sentencePieces = (sentence: Sentence, tokenizer: Tokenizer, context: number): Pieces => {
  const frame = Array.from(tokenizer.encodeInputs("").ids);
  const whole = tokenizer.encodeInputs(sentence.text).ids;
  const { cls = -1, bos = -1 } = tokenizer.specials;
  const first = frame.length > 0 && (frame[0] === cls || frame[0] === bos) ? 1 : 0;
  const all = piecesOf(sentence, tokenizer, whole, frame.length).flatMap((ids, word) =>
    ids.map((id) => [id, word] as const),
  );
  const kept = all.slice(0, Math.max(0, context - frame.length));
  return {
    ids: [...frame.slice(0, first), ...kept.map(([id]) => id), ...frame.slice(first)],
    words: [
      ...frame.slice(0, first).map(() => -1),
      ...kept.map(([, word]) => word),
      ...frame.slice(first).map(() => -1),
    ],
    cut: kept.length < all.length,
  };
};
