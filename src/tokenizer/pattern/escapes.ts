/** Escapes of a pattern: of one character, of a kind of characters. */
import type { CodeTest } from "./codeSet.ts";
import { bareTest, posixTest } from "./properties.ts";
import { refusePattern, type Scanner } from "./scanner.ts";

const controls: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, f: 12, v: 11, a: 7, e: 27 };

const kinds: Readonly<Record<string, string>> = { d: "digit", w: "word", s: "space", h: "xdigit" };

/** Every code point but those of `test`. */
export const negated =
  (test: CodeTest): CodeTest =>
  (code) =>
    !test(code);

/** Finds a property by its name: one in brackets, or one that stands alone. */
type Find = (name: string) => CodeTest | undefined;

const property = (scan: Scanner, not: boolean, find: Find): CodeTest => {
  const braced = scan.match(/\{(\^?)([^}]*)\}/y);
  if (braced === null) return refusePattern(scan.source, "has a \\p without {name}");
  const test = find(braced[2]!);
  if (test === undefined)
    return refusePattern(scan.source, `names the property ${braced[2]}, which is not known here`);
  return not !== (braced[1] === "^") ? negated(test) : test;
};

/** The test of the kind of characters that an escape of `letter` names; undefined for others. */
export const kindEscape = (scan: Scanner, letter: string, find: Find = bareTest): CodeTest | undefined => {
  if ((letter === "p" || letter === "P") && scan.peek() === "{") return property(scan, letter === "P", find);
  const kind = kinds[letter.toLowerCase()];
  if (kind === undefined) return undefined;
  const test = find(kind)!;
  return letter === letter.toLowerCase() ? test : negated(test);
};

const numbered = (scan: Scanner, letter: string): number | undefined => {
  const { source } = scan;
  const hex = (pattern: RegExp): number | undefined => {
    const found = scan.match(pattern);
    return found === null ? undefined : Number.parseInt(found[1]!, 16);
  };
  if (letter === "x") {
    const code = hex(/\{\s*([\da-fA-F]{1,8})\s*\}/y) ?? hex(/([\da-fA-F]{1,2})/y);
    if (code === undefined || scan.source[scan.at - 1] === "{")
      return refusePattern(source, "has a broken \\x");
    return code;
  }
  if (letter === "u") return hex(/([\da-fA-F]{4})/y) ?? refusePattern(source, "has a broken \\u");
  if (letter === "0") return Number.parseInt(`0${scan.match(/[0-7]{0,2}/y)![0]}`, 8);
  return undefined;
};

/** Escapes that are not known here: back references, calls, what is kept, clusters, keys. */
const FOREIGN = /[1-9kgKGXyYcCM]/;

/** The code point of an escape of `letter`. Throws FormatError for what is not known here. */
export const codeEscape = (scan: Scanner, letter: string): number => {
  if (letter === "") return refusePattern(scan.source, "ends in a backslash");
  const code = controls[letter] ?? numbered(scan, letter);
  if (code !== undefined) {
    if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return code;
    return refusePattern(scan.source, `names the character ${code.toString(16)}`);
  }
  if (FOREIGN.test(letter)) return refusePattern(scan.source, `has \\${letter}, which is not known here`);
  return letter.codePointAt(0)!;
};

/** The test of a `[:name:]` that comes next; undefined where none does. */
export const posixBracket = (scan: Scanner): CodeTest | undefined => {
  const found = scan.match(/\[:(\^?)(\w{1,20}):\]/y);
  if (found === null) return undefined;
  const test = posixTest(found[2]!);
  if (test === undefined) return refusePattern(scan.source, `has [:${found[2]}:], which does not exist`);
  return found[1] === "^" ? negated(test) : test;
};
