/**
 * SentencePiece's compiled character map (Kudo & Richardson 2018, https://arxiv.org/abs/1808.06226): a Darts
 * double-array trie over UTF-8 bytes whose values are places in a block of zero-ended texts. It is applied as
 * the Rust tokenizers library does, which takes the shortest match of a short grapheme, not the longest.
 */
import { refuse } from "../json.ts";

const bytesOfBase64 = (text: string): Uint8Array => {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return refuse("has a precompiled_charsmap that is not base64");
  }
};

interface CharsMap {
  readonly units: Uint32Array;
  readonly texts: Uint8Array;
}

const parse = (blob: Uint8Array): CharsMap => {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const size = blob.length >= 4 ? view.getUint32(0, true) : -1;
  if (size < 0 || size % 4 !== 0 || 4 + size > blob.length)
    return refuse(`has a precompiled_charsmap of ${blob.length} bytes whose trie has ${size}`);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + i * 4, true));
  return { units, texts: blob.subarray(4 + size) };
};

const offsetOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;

/** Place of the text of the shortest key that `key` begins with, or -1. */
const shortest = ({ units }: CharsMap, key: Uint8Array): number => {
  let at = offsetOf(units[0] ?? 0);
  for (const byte of key) {
    if (byte === 0) return -1;
    at = (at ^ byte) >>> 0;
    const unit = units[at];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return -1;
    at = (at ^ offsetOf(unit)) >>> 0;
    if ((unit & 0x100) !== 0) return (units[at] ?? 0) & 0x7fffffff;
  }
  return -1;
};

/** Segmenters take time that grows with the square of a text: they are given this many characters at once. */
const WINDOW = 256;

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

/** Calls `emit` with the graphemes of a text. The last one of a window may go on in the next. */
const graphemesOf = (segmenter: Intl.Segmenter, text: string, emit: (grapheme: string) => void): void => {
  let size = WINDOW;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    if (end < text.length && isHigh(text.charCodeAt(end - 1))) end++;
    const found = Array.from(segmenter.segment(text.slice(start, end)), ({ segment }) => segment);
    if (end < text.length) found.pop();
    for (const grapheme of found) {
      emit(grapheme);
      start += grapheme.length;
    }
    size = found.length === 0 ? size * 2 : WINDOW;
  }
};

/** Most bytes that a few characters may become. */
const MAX_BYTES = 1024;

/** Graphemes of fewer bytes are looked up as a whole. */
const SHORT = 6;

/** The normalizer of a base64 `precompiled_charsmap`. Throws FormatError where it is torn. */
export const precompiled = (charsmap: string): ((text: string) => string) => {
  if (charsmap === "") return (text) => text;
  const map = parse(bytesOfBase64(charsmap));
  const utf8 = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  const known = new Map<string, string | undefined>();
  const find = (chunk: string): string | undefined => {
    const start = shortest(map, utf8.encode(chunk));
    if (start < 0) return undefined;
    const found = map.texts.indexOf(0, start);
    const end = found < 0 ? map.texts.length : found;
    if (end - start > MAX_BYTES)
      refuse(`has a precompiled_charsmap that makes ${end - start} bytes of one text`);
    return decoder.decode(map.texts.subarray(start, end));
  };
  const lookUp = (chunk: string): string | undefined => {
    if (known.has(chunk)) return known.get(chunk);
    if (known.size > 1 << 16) known.clear();
    const found = find(chunk);
    known.set(chunk, found);
    return found;
  };
  const isShort = (grapheme: string): boolean =>
    grapheme.length < SHORT && (grapheme.length < 2 || utf8.encode(grapheme).length < SHORT);
  return (text) => {
    let out = "";
    graphemesOf(segmenter, text, (grapheme) => {
      const whole = isShort(grapheme) ? lookUp(grapheme) : undefined;
      if (whole !== undefined) out += whole;
      else for (const char of grapheme) out += lookUp(char) ?? char;
    });
    return out;
  };
};
