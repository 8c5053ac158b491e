/**
 * Sentences in running text that is tokens already: what ends one is told by the text of a token. Texts that
 * are compared are mostly whole sentences, and vectors of pieces that begin and end anywhere are not theirs.
 */
import type { Tokenizer } from "../../tokenizer/index.ts";

/** What ends a sentence, with what closes behind it, or a line. */
const END = /[.!?。！？…]["'”’»)\]]*\s*$|\n/u;

/** What closes a sentence that has ended, alone in a token. */
const CLOSES = /^["'”’»)\]]+$/u;

/** The text of a token, which is asked for again and again. */
const writer = (tokenizer: Tokenizer): ((id: number | undefined) => string) => {
  const known = new Map<number, string>();
  return (id) => {
    if (id === undefined) return "";
    const text = known.get(id) ?? tokenizer.decode([id], { keepSpecial: true });
    known.set(id, text);
    return text;
  };
};

/** Token ids of a text, and whether it begins and ends there or goes on beyond. */
export interface Piece {
  readonly ids: readonly number[];
  readonly begins: boolean;
  readonly ends: boolean;
}

/** A sentence: from which token up to which. */
export interface Sentence {
  readonly start: number;
  readonly end: number;
}

/** The whole sentences of a piece: those of which both ends are seen, without white space at the end. */
export const sentencesBy = (tokenizer: Tokenizer): ((piece: Piece) => Sentence[]) => {
  const text = writer(tokenizer);
  return ({ ids, begins, ends }) => {
    const found: Sentence[] = [];
    let start = begins ? 0 : -1;
    const take = (end: number): void => {
      let last = end;
      while (last > start && text(ids[last - 1]).trim() === "") last--;
      if (start >= 0 && last > start) found.push({ start, end: last });
    };
    for (let i = 0; i < ids.length; i++) {
      // Digits behind a point are of one number with those before it.
      if (!END.test(text(ids[i])) || /^\d/.test(text(ids[i + 1]))) continue;
      while (CLOSES.test(text(ids[i + 1]))) i++;
      take(i + 1);
      start = i + 1;
    }
    if (ends) take(ids.length);
    return found;
  };
};
