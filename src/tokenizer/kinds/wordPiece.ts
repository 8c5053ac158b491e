/**
 * WordPiece (Schuster & Nakajima 2012; Wu et al. 2016, https://arxiv.org/abs/1609.08144): a word is cut into
 * the longest pieces from its left; and WordLevel, whose words are tokens whole.
 */
import { type ModelIds, type PieceEncoder, unknownOf } from "../bpe/anyBpe.ts";
import { type Fields, refuse, show } from "../json.ts";

/** Finds the unknown token, which both kinds name. */
const needed = (model: Fields, ids: ModelIds, type: string): (() => number) => {
  const unknown = unknownOf(model, ids.all);
  if (model.unk_token === undefined || model.unk_token === null)
    return refuse(`has a ${type} model without unk_token`);
  return () => unknown()!;
};

/** The encoder of a WordLevel `model`. Throws FormatError where it has no unknown token. */
export const wordLevelEncoder = (model: Fields, ids: ModelIds): PieceEncoder => {
  const unknown = needed(model, ids, "WordLevel");
  return (word, push) => push(ids.text.get(word) ?? unknown());
};

const MAX_WORD = 100;

/** Whether `at` halves a character. */
const isInside = (word: string, at: number): boolean => {
  const [high, low] = [word.charCodeAt(at - 1), word.charCodeAt(at)];
  return high >= 0xd800 && high <= 0xdbff && low >= 0xdc00 && low <= 0xdfff;
};

/** Last place before `end` that does not halve a character. */
const back = (word: string, end: number): number => {
  const low = word.charCodeAt(end - 1);
  return low >= 0xdc00 && low <= 0xdfff && end >= 2 ? end - 2 : end - 1;
};

/** The encoder of a WordPiece `model`. Throws FormatError where it has no unknown token. */
export const wordPieceEncoder = (model: Fields, ids: ModelIds): PieceEncoder => {
  const unknown = needed(model, ids, "WordPiece");
  const { max_input_chars_per_word: longest = MAX_WORD, continuing_subword_prefix: prefix = "##" } = model;
  if (typeof longest !== "number" || typeof prefix !== "string")
    return refuse(`has a WordPiece model of ${show(longest)} characters a word with ${show(prefix)}`);
  const widest = [...ids.text.keys()].reduce((most, token) => Math.max(most, token.length), 0);
  const split = (word: string): number[] | undefined => {
    const out: number[] = [];
    for (let start = 0; start < word.length; ) {
      let end = Math.min(word.length, start + widest);
      if (isInside(word, end)) end++;
      let id: number | undefined;
      for (; end > start; end = back(word, end)) {
        id = ids.text.get((start > 0 ? prefix : "") + word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      out.push(id);
      start = end;
    }
    return out;
  };
  return (word, push) => {
    const tooLong = word.length > longest && [...word].length > longest;
    const found = tooLong ? undefined : split(word);
    if (found === undefined) push(unknown());
    else for (const id of found) push(id);
  };
};
