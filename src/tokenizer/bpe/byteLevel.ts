/**
 * The byte-level alphabet and pre-tokenizer of GPT-2 (Radford et al. 2019): every byte stands as a printable
 * character, so that no text is unknown, and words are cut before merging.
 */

import { patternOf } from "../pattern/pattern.ts";
import { gpt2Scan, type Scan } from "./scan.ts";
import { wordsBy } from "./window.ts";

/**
 * Contractions, words, numbers, punctuation and white space, each with one space before it where there is
 * one; `\s` of the original is Unicode's white space.
 */
export const WORDS = patternOf(
  "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
);

/** Cuts texts into words: calls `emit` with each, in order; together they are the whole text. */
export interface Splitter {
  (text: string, emit: (word: string) => void): void;
  /** The same cut in UTF-8, where there is a scan that does it. */
  readonly scan?: Scan;
  /** A space is put before a text that does not begin with one; `scan` itself does not. */
  readonly prefixSpace?: boolean;
}

/** The splitter that cuts as `scan` does. */
export const scanSplitter = (scan: Scan): Splitter => Object.assign(wordsBy(scan), { scan });

/** Cuts exactly as `WORDS` does. */
export const gpt2Splitter = (): Splitter => scanSplitter(gpt2Scan());

/** A text with a space before it, where it is not empty and has none. */
export const withPrefixSpace = (text: string): string =>
  text === "" || text.startsWith(" ") ? text : ` ${text}`;

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
