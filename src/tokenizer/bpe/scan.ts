/**
 * The pre-tokenizer patterns of GPT-2, and of GPT-4, Llama 3 and Qwen 2, as scans of UTF-8: they cut exactly
 * where the patterns match, without a match object or a string a word. White space is Unicode's White_Space,
 * as the library tokenizers has it: with U+0085 and without U+FEFF, unlike JavaScript's `\s`.
 */

import { isNewer } from "../unicode16.ts";

/** End of the word that starts at byte `at` of well-formed UTF-8, where the text ends at byte `end`. */
export type Scan = (bytes: Uint8Array, at: number, end: number) => number;

const LETTER = 1;
const NUMBER = 2;
const SPACE = 3;
const OTHER = 4;

const APOSTROPHE = 0x27;
const BLANK = 0x20;
const CR = 0x0d;
const LF = 0x0a;

const classOf = (code: number): number => {
  if (isNewer(code)) return OTHER;
  const char = String.fromCodePoint(code);
  if (/\p{L}/u.test(char)) return LETTER;
  if (/\p{N}/u.test(char)) return NUMBER;
  return /\p{White_Space}/u.test(char) ? SPACE : OTHER;
};

/** Bytes of the character that starts with `lead`. */
const sizeOf = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

const codeAt = (bytes: Uint8Array, i: number): number => {
  const lead = bytes[i]!;
  if (lead < 0x80) return lead;
  const second = bytes[i + 1]! & 63;
  if (lead < 0xe0) return ((lead & 31) << 6) | second;
  const third = bytes[i + 2]! & 63;
  if (lead < 0xf0) return ((lead & 15) << 12) | (second << 6) | third;
  return ((lead & 7) << 18) | (second << 12) | (third << 6) | (bytes[i + 3]! & 63);
};

const classes = () => {
  // By code point, looked up once each; 0 is not looked up yet.
  const known = new Uint8Array(0x110000);
  for (let code = 0; code < 128; code++) known[code] = classOf(code);
  const lookUp = (code: number): number => {
    const found = classOf(code);
    known[code] = found;
    return found;
  };
  const at = (bytes: Uint8Array, i: number): number => {
    const lead = bytes[i]!;
    if (lead < 0x80) return known[lead]!;
    const code = codeAt(bytes, i);
    return known[code]! || lookUp(code);
  };
  /** End of the run of class `kind` from `from` on. */
  const run = (bytes: Uint8Array, from: number, end: number, kind: number): number => {
    let i = from;
    while (i < end) {
      const lead = bytes[i]!;
      if (lead < 0x80) {
        if (known[lead] !== kind) break;
        i++;
      } else {
        const code = codeAt(bytes, i);
        if ((known[code]! || lookUp(code)) !== kind) break;
        i += sizeOf(lead);
      }
    }
    return i;
  };
  return { at, run };
};

/** The last space before a word belongs to the word: `\s+(?!\S)|\s+`. */
const spacesEnd = (bytes: Uint8Array, at: number, runEnd: number, end: number): number => {
  if (runEnd === end) return runEnd;
  let last = runEnd - 1;
  while ((bytes[last]! & 0xc0) === 0x80) last--;
  return last > at ? last : runEnd;
};

/** Length of a contraction with the letters `a`, `b` after its apostrophe, or 0; of small letters. */
const contraction = (a: number, b: number): number => {
  if (a === 0x73 || a === 0x74 || a === 0x6d || a === 0x64) return 2;
  return (b === 0x65 && (a === 0x72 || a === 0x76)) || (a === 0x6c && b === 0x6c) ? 3 : 0;
};

const small = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte);

/** Scans as GPT-2's pattern cuts: `WORDS`. */
export const gpt2Scan = (): Scan => {
  const { at: kindAt, run } = classes();
  return (bytes, at, end) => {
    const first = bytes[at]!;
    if (first === APOSTROPHE) {
      const length = contraction(at + 1 < end ? bytes[at + 1]! : 0, at + 2 < end ? bytes[at + 2]! : 0);
      if (length > 0) return at + length;
    }
    const kind = kindAt(bytes, at);
    if (kind !== SPACE) return run(bytes, at + sizeOf(first), end, kind);
    if (first === BLANK && at + 1 < end) {
      const after = kindAt(bytes, at + 1);
      if (after !== SPACE) return run(bytes, at + 1 + sizeOf(bytes[at + 1]!), end, after);
    }
    return spacesEnd(bytes, at, run(bytes, at + sizeOf(first), end, SPACE), end);
  };
};

/** As `contraction`, of letters of either case and of U+017F, whose small letter is s. */
const anyContraction = (bytes: Uint8Array, at: number, end: number): number => {
  const a = at + 1 < end ? bytes[at + 1]! : 0;
  const b = at + 2 < end ? bytes[at + 2]! : 0;
  if (a === 0xc5 && b === 0xbf) return 3;
  return contraction(small(a), small(b));
};

const newlines = (bytes: Uint8Array, from: number, end: number): number => {
  let i = from;
  while (i < end && (bytes[i] === CR || bytes[i] === LF)) i++;
  return i;
};

/** `\s*[\r\n]+|\s+(?!\S)|\s+` */
const linesEnd = (bytes: Uint8Array, at: number, runEnd: number, end: number): number => {
  for (let i = runEnd - 1; i >= at; i--) if (bytes[i] === LF || bytes[i] === CR) return i + 1;
  return spacesEnd(bytes, at, runEnd, end);
};

/** Scans as the pattern of GPT-4 and Llama 3 cuts (numbers of at most 3 digits), or Qwen 2's (of 1). */
export const gpt4Scan = (maxDigits: number): Scan => {
  const { at: kindAt, run } = classes();
  const digits = (bytes: Uint8Array, at: number, end: number): number => {
    let i = at;
    for (let n = 0; n < maxDigits && i < end && kindAt(bytes, i) === NUMBER; n++) i += sizeOf(bytes[i]!);
    return i;
  };
  return (bytes, at, end) => {
    const first = bytes[at]!;
    if (first === APOSTROPHE) {
      const length = anyContraction(bytes, at, end);
      if (length > 0) return at + length;
    }
    const kind = kindAt(bytes, at);
    const next = at + sizeOf(first);
    if (kind === LETTER) return run(bytes, next, end, LETTER);
    if (kind === NUMBER) return digits(bytes, at, end);
    const after = next < end ? kindAt(bytes, next) : 0;
    if (after === LETTER && first !== CR && first !== LF) return run(bytes, next, end, LETTER);
    if (kind === OTHER || (first === BLANK && after === OTHER)) {
      return newlines(bytes, run(bytes, next, end, OTHER), end);
    }
    return linesEnd(bytes, at, run(bytes, next, end, SPACE), end);
  };
};

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";
const gpt4Pattern = (numbers: string): string =>
  `(?i:${CONTRACTIONS})|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${numbers}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*` +
  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const scans: ReadonlyMap<string, () => Scan> = new Map([
  [`${CONTRACTIONS}| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`, gpt2Scan],
  [gpt4Pattern("\\p{N}{1,3}"), () => gpt4Scan(3)],
  [gpt4Pattern("\\p{N}"), () => gpt4Scan(1)],
]);

/** The scan that cuts as a pattern of the Oniguruma kind does; undefined where there is none. */
export const scanOf = (pattern: string): Scan | undefined => scans.get(pattern)?.();
