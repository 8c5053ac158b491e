/** Properties of characters by the names that Oniguruma has for them, in Unicode 16. */
import { isNewer } from "../unicode16.ts";
import type { CodeTest } from "./codeSet.ts";

/** JavaScript's properties, but of Unicode 16: what was unassigned there has none. */
const unicode = (classed: string): CodeTest => {
  const pattern = new RegExp(`^[${classed}]$`, "u");
  const ofUnassigned = pattern.test("\u0378");
  return (code) => (isNewer(code) ? ofUnassigned : pattern.test(String.fromCodePoint(code)));
};

/** Those that Oniguruma defines itself. */
const own: Readonly<Record<string, string>> = {
  alnum: "\\p{Alphabetic}\\p{Nd}",
  alpha: "\\p{Alphabetic}",
  ascii: "\\0-\\x7f",
  blank: "\\p{Zs}\\t",
  cntrl: "\\p{Cc}",
  digit: "\\p{Nd}",
  graph: "\\P{White_Space}",
  print: "\\P{Cc}",
  punct: "\\p{P}",
  space: "\\p{White_Space}",
  word: "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}",
  xdigit: "0-9a-fA-F",
  lower: "\\p{Lowercase}\\u0295",
  lowercase: "\\p{Lowercase}\\u0295",
  upper: "\\p{Uppercase}",
  any: "\\s\\S",
  // Unicode 17 made U+0295 a letter without case.
  ll: "\\p{Ll}\\u0295",
  lowercaseletter: "\\p{Ll}\\u0295",
  lc: "\\p{LC}\\u0295",
  casedletter: "\\p{LC}\\u0295",
  cased: "\\p{Cased}\\u0295",
};

const OTHER_LETTER: ReadonlySet<string> = new Set(["lo", "otherletter"]);
/** What is left out besides. */
const excepted: Readonly<Record<string, string>> = {
  graph: "\\p{Cc}\\p{Cn}\\p{Cs}",
  print: "\\p{Cc}\\p{Cn}\\p{Cs}\\p{Zl}\\p{Zp}",
};

/** Properties whose members changed with Unicode 17 in ways that are not known here. */
const CHANGED: ReadonlySet<string> = new Set(["extendedpictographic", "diacritic"]);

const except =
  (all: CodeTest, none: CodeTest): CodeTest =>
  (code) =>
    all(code) && !none(code);

const isLate = (code: number): boolean => code === 0x295;

/** JavaScript is strict about how the names are written. */
const spellings = (name: string): string[] => {
  const words = name
    .split(/[ _-]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1).toLowerCase());
  const id = words.join("_").replace(/^Id_/, "ID_").replace(/^Xid_/, "XID_");
  return [id, name, name.toUpperCase()].flatMap((word) => [word, `Script=${word}`]);
};

/**
 * The test of the property `name`; undefined where there is none or it differs between versions of Unicode.
 */
export const propertyTest = (name: string): CodeTest | undefined => {
  const plain = name.toLowerCase().replace(/[ _-]/g, "");
  if (CHANGED.has(plain) || !/^[\w -]+$/.test(name)) return undefined;
  const classed = Object.hasOwn(own, plain) ? own[plain] : undefined;
  if (classed !== undefined) {
    const test = unicode(classed);
    const none = excepted[plain];
    return none === undefined ? test : except(test, unicode(none));
  }
  for (const spelling of spellings(name)) {
    try {
      const test = unicode(`\\p{${spelling}}`);
      return OTHER_LETTER.has(plain) ? except(test, isLate) : test;
    } catch {
      // Another spelling may do.
    }
  }
  return undefined;
};

/** The test of a POSIX bracket `[:name:]`; undefined where there is none. */
export const posixTest = (name: string): CodeTest | undefined => {
  if (name === "punct") return unicode("\\p{P}\\p{S}");
  return /^(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|space|upper|word|xdigit)$/.test(name)
    ? propertyTest(name)
    : undefined;
};

/** Superscripts and fractions of Latin-1 are of words outside of brackets alone. */
const LATIN_NUMBERS: ReadonlySet<number> = new Set([0xb2, 0xb3, 0xb9, 0xbc, 0xbd, 0xbe]);

/** The test of a property where it stands alone, not in brackets. */
export const bareTest = (name: string): CodeTest | undefined => {
  const test = propertyTest(name);
  if (test === undefined || name.toLowerCase() !== "word") return test;
  return (code) => LATIN_NUMBERS.has(code) || test(code);
};
