/**
 * The byte-level alphabet and pre-tokenizer of GPT-2 (Radford et al. 2019): every byte stands as a printable
 * character, so that no text is unknown, and words are cut before merging.
 */

/**
 * Contractions, words, numbers, punctuation and white space, each with one space before it where there is
 * one.
 */
export const WORDS = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

const LETTER = 1;
const NUMBER = 2;
const SPACE = 3;
const OTHER = 4;

const classOf = (code: number): number => {
  const char = String.fromCodePoint(code);
  if (/\p{L}/u.test(char)) return LETTER;
  if (/\p{N}/u.test(char)) return NUMBER;
  return /\s/u.test(char) ? SPACE : OTHER;
};

/** Length of the contraction at `i` ('s 't 'm 'd 'll 've 're), or 0. */
const contraction = (text: string, i: number): number => {
  const c = text[i + 1];
  if (c === "s" || c === "d" || c === "m" || c === "t") return 2;
  const two = text.slice(i + 1, i + 3);
  return two === "ll" || two === "ve" || two === "re" ? 3 : 0;
};

/** Cuts texts into words: calls `emit` with each, in order; together they are the whole text. */
export type Splitter = (text: string, emit: (word: string) => void) => void;

/** Cuts exactly as `WORDS` does, by a scan of character classes: no match object a word. */
export const gpt2Splitter = (): Splitter => {
  // Classes by code point, looked up once each; 0 is not looked up yet.
  const classes = new Uint8Array(0x110000);
  const of = (code: number): number => {
    const known = classes[code]!;
    if (known !== 0) return known;
    classes[code] = classOf(code);
    return classes[code]!;
  };
  /** End of the run of class `kind` that starts at `i`. */
  const run = (text: string, from: number, kind: number): number => {
    let i = from;
    while (i < text.length) {
      const code = text.codePointAt(i)!;
      if (of(code) !== kind) break;
      i += code > 0xffff ? 2 : 1;
    }
    return i;
  };
  const wordEnd = (text: string, i: number): number => {
    const code = text.codePointAt(i)!;
    if (code === 39) {
      const length = contraction(text, i);
      if (length > 0) return i + length;
    }
    const kind = of(code);
    if (kind !== SPACE) return run(text, i, kind);
    if (code === 32 && i + 1 < text.length) {
      const after = of(text.codePointAt(i + 1)!);
      if (after !== SPACE) return run(text, i + 1, after);
    }
    const end = run(text, i, SPACE);
    // The last space before a word belongs to the word.
    return end < text.length && end - i > 1 ? end - 1 : end;
  };
  return (text, emit) => {
    for (let i = 0; i < text.length; ) {
      const end = wordEnd(text, i);
      emit(text.slice(i, end));
      i = end;
    }
  };
};

const printable = (byte: number): boolean =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);

/** The character of each byte. */
export const byteChars: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
})();

const bytesByChar: ReadonlyMap<string, number> = new Map(byteChars.map((char, byte) => [char, byte]));

/** The bytes of a token in the alphabet's characters; undefined where a character is outside it. */
export const tokenBytes = (token: string): Uint8Array | undefined => {
  const bytes = Array.from(token, (char) => bytesByChar.get(char));
  return bytes.includes(undefined) ? undefined : Uint8Array.from(bytes as number[]);
};

/** A token in the alphabet's characters. */
export const bytesToken = (bytes: Uint8Array): string => Array.from(bytes, (b) => byteChars[b]).join("");
