/**
 * Words as spaCy's English tokenizer cuts them (which datatrove's filters use), by a scanner of one pass:
 * white space parts chunks; punctuation, quotes and currencies at the two ends of a chunk are tokens, as
 * are ellipses and pictures anywhere; letters are parted at hyphens, slashes, commas and colons;
 * contractions lose their tail ("do n't", "it 's"). It deviates in the long lists of exceptions: emoticons,
 * slang ("gonna") and contractions without an apostrophe stay whole. Scripts without spaces are not
 * segmented: a run is one word.
 */
import { ALPHA, characterClass, DIGIT, ICON, LOWER, PUNCT, quickClass, SPACE, UPPER } from "./characters.ts";

/** Words of a text: word i is text.slice(starts[i], ends[i]). */
export interface Words {
  readonly count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

const UNITS = new Set(
  (
    "km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s " +
    "km/h kmh mph " +
    "hPa Pa mbar mb MB kb KB gb GB tb TB T G M K %"
  ).split(" "),
);

/** Abbreviations that keep their full stop. */
const ABBREVIATIONS = new Set(
  (
    "Adm Ak Ala Apr Ariz Ark Aug Bros Calif Co Colo Conn Corp D.C Dec Del Dr E.G E.g Feb Fla Ga Gen " +
    "Gov I.E I.e " +
    "Ia Id Ill Inc Ind Jan Jr Jul Jun Kan Kans Ky La Ltd Mar Mass Md Messrs Mich Minn Miss Mo Mont " +
    "Mr Mrs Ms Mt " +
    "N.C N.D N.H N.J N.M N.Y Neb Nebr Nev Nov Oct Okla Ore Pa Ph.D Prof Rep Rev S.C Sen Sep Sept St " +
    "Tenn Va " +
    "Wash Wis a.m co e.g i.e p.m v.s vs"
  ).split(" "),
);
const LONGEST_ABBREVIATION = 7;

/** Heads of "n't", and of the other tails. */
const NEGATED = new Set(
  (
    "ai are ca could dare did do does had has have is may might must need ought sha should was were wo " +
    "would"
  ).split(" "),
);
const CONTRACTED = new Set(
  (
    "i you he she it we they that this these those there who what when where why how could might " +
    "must should " +
    "would"
  ).split(" "),
);
const TAILS = new Set(["'m", "'d", "'ll", "'re", "'ve"]);
const ADDRESS = /^[a-z][a-z0-9+.-]{1,9}:\/\/[^\s/]{1,200}\.[a-z]{2,}(?:[:/?#].*)?$/i;

/** Length of "cannot", the one plain word that has two parts. */
const CANNOT = 6;

const DOT = 46;
const HYPHEN = 45;
const isQuote = (unit: number): boolean => unit === 39 || unit === 0x2019;

/** Collects the words of one text; the arrays grow with it. */
class Scanner {
  readonly text: string;
  count = 0;
  starts: Int32Array;
  ends: Int32Array;
  /** The next "://". */
  address = -1;
  /** Starts of the tokens cut from the end of a chunk, last first. */
  readonly tail: number[] = [];

  constructor(text: string) {
    this.text = text;
    const room = (text.length >> 2) + 16;
    this.starts = new Int32Array(room);
    this.ends = new Int32Array(room);
  }

  push(start: number, end: number): void {
    if (this.count === this.starts.length) {
      const grow = (old: Int32Array): Int32Array => {
        const next = new Int32Array(old.length * 2);
        next.set(old);
        return next;
      };
      this.starts = grow(this.starts);
      this.ends = grow(this.ends);
    }
    this.starts[this.count] = start;
    this.ends[this.count++] = end;
  }

  chunk(start: number, end: number): void {
    const first = this.prefix(start, end);
    const tail = this.tail;
    tail.length = 0;
    let last = end;
    for (;;) {
      const cut = last > first ? this.suffix(first, last) : last;
      if (cut === last) break;
      tail.push(cut);
      last = cut;
    }
    if (last > first) {
      if (last - first > 8 && last - first < 2048 && this.isAddress(first, last)) this.push(first, last);
      else this.middle(first, last);
    }
    for (let i = tail.length - 1; i >= 0; i--) this.push(tail[i]!, i === 0 ? end : tail[i - 1]!);
  }

  /** Pushes the punctuation at the head; returns where the rest begins. */
  prefix(start: number, end: number): number {
    const { text } = this;
    let at = start;
    while (at < end) {
      const unit = text.charCodeAt(at);
      let next = at + 1;
      if (unit === DOT) {
        while (next < end && text.charCodeAt(next) === DOT) next++;
        if (next - at < 2) break;
      } else {
        const bits = characterClass(text, at);
        if ((bits & (ALPHA | DIGIT)) !== 0) break;
        const sign = unit === 43 && (next === end || (characterClass(text, next) & DIGIT) === 0);
        if ((bits & (PUNCT | ICON)) === 0 && !sign && unit !== 37 && unit !== 61 && unit !== 0xa7) break;
        if (isQuote(unit) && next + 1 === end && (text.charCodeAt(next) | 32) === 115) return at;
        if ((unit & 0xfc00) === 0xd800 && next < end) next++;
      }
      this.push(at, next);
      at = next;
    }
    return at;
  }

  /** Where the last token of [first, last) begins that splits off; `last` where none does. */
  suffix(first: number, last: number): number {
    const { text } = this;
    const at = last - 1;
    const unit = text.charCodeAt(at);
    const bits = characterClass(text, at);
    if (unit === DOT) return this.stop(first, last);
    if ((bits & ICON) !== 0) return (unit & 0xfc00) === 0xdc00 && at > first ? at - 1 : at;
    if ((bits & PUNCT) !== 0) return at;
    if ((unit | 32) === 115 && at > first && isQuote(text.charCodeAt(at - 1))) return at - 1;
    const digit = characterClass(text, first) & DIGIT;
    return digit !== 0 && (bits & DIGIT) === 0 ? this.unit(first, last) : last;
  }

  /** The full stop, or the ellipsis, at the end. */
  stop(first: number, last: number): number {
    const { text } = this;
    let at = last - 1;
    while (at > first && text.charCodeAt(at - 1) === DOT) at--;
    if (last - at > 1 || at === first) return at;
    const before = characterClass(text, at - 1);
    if (at - first === 1 && (before & LOWER) !== 0) return last;
    if (at - first <= LONGEST_ABBREVIATION && ABBREVIATIONS.has(text.slice(first, at))) return last;
    if ((before & UPPER) === 0) return at;
    return at - first > 1 && (characterClass(text, at - 2) & UPPER) !== 0 ? at : last;
  }

  /** The unit after a number: "10km". */
  unit(first: number, last: number): number {
    let at = last;
    while (at > first && last - at < 4 && (characterClass(this.text, at - 1) & DIGIT) === 0) at--;
    const found = at > first && (characterClass(this.text, at - 1) & DIGIT) !== 0;
    return found && UNITS.has(this.text.slice(at, last)) ? at : last;
  }

  /** What is left between head and tail: parted at the characters that part words. */
  middle(first: number, last: number): void {
    const { text } = this;
    let start = first;
    let before = characterClass(text, first);
    for (let at = first + 1; at < last; ) {
      const bits = characterClass(text, at);
      if ((bits & (ALPHA | DIGIT)) !== 0) {
        before = bits;
        at++;
        continue;
      }
      const end = this.infix(at, last, before, bits);
      if (end > at) {
        if (at > start) this.push(start, at);
        this.push(at, end);
        start = end;
      }
      const run = at;
      at = Math.max(end, at + 1);
      // A longer row of hyphens parts nothing anywhere in it.
      if (end === run)
        while (at < last && text.charCodeAt(run) === HYPHEN && text.charCodeAt(at) === HYPHEN) at++;
      before = characterClass(text, at - 1);
    }
    if (start < last) this.word(start, last);
  }

  /** End of the token at `at` that parts a word; `at` where none does. */
  infix(at: number, last: number, before: number, bits: number): number {
    const { text } = this;
    const unit = text.charCodeAt(at);
    let end = at + 1;
    if ((bits & ICON) !== 0) return (unit & 0xfc00) === 0xd800 ? at + 2 : end;
    if (unit === 0x2026) return end;
    while (end < last && text.charCodeAt(end) === unit && (unit === DOT || unit === HYPHEN)) end++;
    if (unit === DOT && end - at > 1) return end;
    if (end >= last) return at;
    const after = characterClass(text, end);
    const alnum = (before & (ALPHA | DIGIT)) !== 0;
    if (unit === DOT) return (before & LOWER) !== 0 && (after & UPPER) !== 0 ? end : at;
    if (unit === 44) return (before & ALPHA) !== 0 && (after & ALPHA) !== 0 ? end : at;
    if (unit === HYPHEN || unit === 0x2013 || unit === 0x2014 || unit === 126) {
      if (end - at > 3) return at;
      if (alnum && (after & ALPHA) !== 0) return end;
    }
    if (unit === 58 || unit === 60 || unit === 62 || unit === 61 || unit === 47) {
      return alnum && (after & ALPHA) !== 0 ? end : at;
    }
    const sign = unit === HYPHEN || unit === 43 || unit === 42 || unit === 94;
    return sign && end === at + 1 && (before & DIGIT) !== 0 && (after & DIGIT) !== 0 ? end : at;
  }

  /** A word, without the tail of a contraction. */
  word(start: number, end: number): void {
    const cut = this.contraction(start, end);
    if (cut > start) this.push(start, cut);
    if (cut < end) this.push(cut, end);
  }

  /** Where the tail of a contraction begins; `end` where there is none. */
  contraction(start: number, end: number): number {
    const { text } = this;
    const length = end - start;
    if (length > 12) return end;
    if (length === 6 && (text.charCodeAt(start) | 32) === 99) {
      return text.slice(start, end).toLowerCase() === "cannot" ? end - 3 : end;
    }
    const one = length > 2 && isQuote(text.charCodeAt(end - 2));
    if (!one && !(length > 3 && isQuote(text.charCodeAt(end - 3)))) return end;
    const word = text.slice(start, end).toLowerCase().replace("\u2019", "'");
    if (word.endsWith("n't")) return NEGATED.has(word.slice(0, -3)) ? end - 3 : end;
    const cut = end - (one ? 2 : 3);
    return TAILS.has(word.slice(cut - start)) && CONTRACTED.has(word.slice(0, cut - start)) ? cut : end;
  }

  /** A rest that is an address stays whole. */
  isAddress(first: number, last: number): boolean {
    // Looked for once for each place that has one: a search for each word would read the text as often.
    while (this.address < first) {
      const next = this.text.indexOf("://", Math.max(first, this.address + 1));
      this.address = next < 0 ? Number.POSITIVE_INFINITY : next;
    }
    return this.address > first && this.address < last && ADDRESS.test(this.text.slice(first, last));
  }
}

/** The words of `text`, in order. */
export const splitWords = (text: string): Words => {
  const scanner = new Scanner(text);
  let start = 0;
  // What the characters of the chunk before the last have in common, and the last one.
  let common = -1;
  let last = -1;
  for (let i = 0; i <= text.length; i++) {
    const bits = i < text.length ? quickClass(text, i) : SPACE;
    if ((bits & SPACE) === 0) {
      common &= last;
      last = bits;
      continue;
    }
    if (i > start) {
      const length = i - start;
      // Most chunks are a word, or a word and a comma: these need no closer look.
      if ((common & last & ALPHA) !== 0 && length !== CANNOT) scanner.push(start, i);
      else if ((common & ALPHA) !== 0 && (last & PUNCT) !== 0 && length > CANNOT + 1) {
        scanner.push(start, i - 1);
        scanner.push(i - 1, i);
      } else scanner.chunk(start, i);
    }
    start = i + 1;
    common = -1;
    last = -1;
  }
  return { count: scanner.count, starts: scanner.starts, ends: scanner.ends };
};
