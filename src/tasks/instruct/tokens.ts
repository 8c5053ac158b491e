/** A text as tokens, some of which are learnt. */
import type { Span } from "../../template/render.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";

/** Tokens, and which of them are learnt: 1, or 0. */
export interface LearntTokens {
  readonly ids: readonly number[];
  readonly learnt: readonly number[];
}

const encoder = new TextEncoder();

const SPACE = 0x20;

/** The bytes of a token as they stand in a text; a special token's are those of its name. */
const bytesIn = (tokenizer: Tokenizer, id: number): Uint8Array => {
  const bytes = tokenizer.bytesOf(id);
  return bytes.length > 0 ? bytes : encoder.encode(tokenizer.decode([id], { keepSpecial: true }));
};

const startsWith = (text: Uint8Array, at: number, bytes: Uint8Array): boolean =>
  bytes.every((byte, i) => text[at + i] === byte);

/** Where in a text's bytes each token ends; undefined where the tokens are of a text that was changed. */
const endsOf = (tokenizer: Tokenizer, text: Uint8Array, ids: ArrayLike<number>): number[] | undefined => {
  const ends: number[] = [];
  let at = 0;
  for (const id of Array.from(ids)) {
    const bytes = bytesIn(tokenizer, id);
    // SentencePiece writes a space before a text that has none.
    const own = bytes[0] === SPACE && text[at] !== SPACE ? bytes.subarray(1) : bytes;
    if (!startsWith(text, at, own)) return undefined;
    at += own.length;
    ends.push(at);
  }
  return at === text.length ? ends : undefined;
};

/**
 * The tokens of a text with special tokens in it; those of `spans` are learnt. A token that reaches over
 * the beginning of a span is taken apart there, as the prompt is when the model answers it.
 */
export const learntTokens = (tokenizer: Tokenizer, text: string, spans: readonly Span[]): LearntTokens => {
  const encode = (part: string) => tokenizer.encode(part, { special: true });
  const whole = encode(text);
  const ends = endsOf(tokenizer, encoder.encode(text), whole);
  const cuts = spans.flatMap(({ start, end }) => [start, end]);
  const places = cuts.map((cut) => encoder.encode(text.slice(0, cut)).length);
  const known = new Set([0, ...(ends ?? [])]);
  if (ends !== undefined && places.every((place) => known.has(place))) {
    const isIn = (end: number) => spans.some((_, i) => end > places[2 * i]! && end <= places[2 * i + 1]!);
    return { ids: Array.from(whole), learnt: ends.map((end) => Number(isIn(end))) };
  }
  const parts = [0, ...cuts, text.length];
  const pieces = parts.slice(1).map((end, i) => ({ ids: encode(text.slice(parts[i]!, end)), learnt: i % 2 }));
  return {
    ids: pieces.flatMap(({ ids }) => Array.from(ids)),
    learnt: pieces.flatMap(({ ids, learnt }) => Array.from(ids, () => learnt)),
  };
};

/**
 * A text behind another, with the token that ends texts: the second is learnt. A start token stands before
 * both where the tokenizer has one.
 */
export const completionTokens = (tokenizer: Tokenizer, prompt: string, completion: string): LearntTokens => {
  const { bos } = tokenizer.specials;
  const starts = bos !== undefined && tokenizer.encode("", { template: true })[0] === bos;
  const text = prompt + completion;
  const { ids, learnt } = learntTokens(tokenizer, text, [{ start: prompt.length, end: text.length }]);
  return {
    ids: [...(starts ? [bos] : []), ...ids, tokenizer.eos],
    learnt: [...(starts ? [0] : []), ...learnt, 1],
  };
};
