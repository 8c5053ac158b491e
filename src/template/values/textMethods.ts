/** The methods of texts (https://docs.python.org/3/library/stdtypes.html#string-methods). */
import { callable, type Parameter } from "../functions.ts";
import { SPACE } from "../syntax/lexer.ts";
import { characters, iterate, lengthOfText, toIndex, valueFault } from "./iterate.ts";
import { type Callable, Tuple, typeFault, typeName, type Value } from "./values.ts";

/** A value that is a text. Throws TypeError for any other. */
export const text = (value: Value): string =>
  typeof value === "string" ? value : typeFault(`expected str instance, ${typeName(value)} found`);

const LEFT = new RegExp(`^${SPACE}+`);
const RIGHT = new RegExp(`${SPACE}+$`);

/** Without the characters of `set` (white space where it is null) at the ends that are named. */
export const stripped = (own: string, set: Value, ends: "left" | "right" | "both"): string => {
  if (set === null) {
    const start = ends === "right" ? own : own.replace(LEFT, "");
    return ends === "left" ? start : start.replace(RIGHT, "");
  }
  const unwanted = new Set(text(set));
  const all = characters(own);
  let [from, to] = [0, all.length];
  if (ends !== "right") while (from < to && unwanted.has(all[from]!)) from++;
  if (ends !== "left") while (to > from && unwanted.has(all[to - 1]!)) to--;
  return all.slice(from, to).join("");
};

const spaced = (own: string): string[] =>
  stripped(own, null, "both")
    .split(new RegExp(`${SPACE}+`))
    .filter((word) => word !== "");

/** From the left, at most `most` cuts; below 0 all. */
const splitLeft = (own: string, by: Value, most: number): string[] => {
  if (by === null) {
    if (most < 0) return spaced(own);
    const out: string[] = [];
    let rest = stripped(own, null, "left");
    for (; rest !== "" && out.length < most; rest = stripped(rest, null, "left")) {
      const end = rest.search(new RegExp(SPACE));
      if (end < 0) break;
      out.push(rest.slice(0, end));
      rest = rest.slice(end);
    }
    return rest === "" ? out : [...out, rest];
  }
  const cut = text(by);
  if (cut === "") return valueFault("empty separator");
  const all = own.split(cut);
  return most < 0 || all.length <= most + 1 ? all : [...all.slice(0, most), all.slice(most).join(cut)];
};

const mirrored = (own: string): string => characters(own).reverse().join("");

const splitRight = (own: string, by: Value, most: number): string[] =>
  splitLeft(mirrored(own), by === null ? null : mirrored(text(by)), most)
    .map(mirrored)
    .reverse();

const LINE_END = "\\r\\n|[\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029]";
const LINES = new RegExp(LINE_END);

/** Python's str.splitlines. */
export const splitLines = (own: string, keep = false): string[] => {
  const lines: string[] = [];
  let rest = own;
  for (let end = LINES.exec(rest); end !== null; end = LINES.exec(rest)) {
    lines.push(rest.slice(0, end.index) + (keep ? end[0] : ""));
    rest = rest.slice(end.index + end[0].length);
  }
  return rest === "" ? lines : [...lines, rest];
};

/** From `start` to `end`, counted from behind where negative. */
const window = (own: string, start: Value, end: Value): { text: string; from: number } => {
  const all = characters(own);
  const at = (value: Value, fallback: number) => {
    if (value === null) return fallback;
    const index = toIndex(value);
    return index < 0 ? Math.max(0, all.length + index) : Math.min(index, all.length);
  };
  const from = at(start, 0);
  return { text: all.slice(from, at(end, all.length)).join(""), from };
};

const found = (own: string, part: Value, bounds: readonly Value[], last: boolean): bigint => {
  const { text: inside, from } = window(own, bounds[0]!, bounds[1]!);
  const at = last ? inside.lastIndexOf(text(part)) : inside.indexOf(text(part));
  return at < 0 ? -1n : BigInt(from + lengthOfText(inside.slice(0, at)));
};

const affixed = (own: string, affix: Value, bounds: readonly Value[], end: boolean): boolean => {
  const inside = window(own, bounds[0]!, bounds[1]!).text;
  const all = affix instanceof Tuple ? affix.items : [affix];
  return all.some((one) => (end ? inside.endsWith(text(one)) : inside.startsWith(text(one))));
};

/** Python's str.replace, `most` times at most; -1 means always. */
export const replaced = (own: string, from: string, to: string, most = -1): string => {
  if (most < 0) return own.replaceAll(from, () => to);
  const parts = from === "" ? ["", ...characters(own), ""] : own.split(from);
  const cuts = Math.min(most, parts.length - 1);
  return (
    parts
      .slice(0, cuts)
      .map((part) => part + to)
      .join("") + parts.slice(cuts).join(from)
  );
};

const cut = (own: string, by: Value, last: boolean): Value => {
  const at = last ? own.lastIndexOf(text(by)) : own.indexOf(text(by));
  if (at < 0) return new Tuple(last ? ["", "", own] : [own, "", ""]);
  return new Tuple([own.slice(0, at), by, own.slice(at + text(by).length)]);
};

const titled = (own: string): string =>
  own.replace(
    /(\p{L})((?:\p{L}|\p{M})*)/gu,
    (_, first: string, rest: string) => first.toUpperCase() + rest.toLowerCase(),
  );

const capitalized = (own: string): string => {
  const [first = "", ...rest] = characters(own);
  return first.toUpperCase() + rest.join("").toLowerCase();
};

const filled = (own: string, width: Value, fill: Value, side: "left" | "right" | "both"): string => {
  const missing = Math.max(0, toIndex(width) - lengthOfText(own));
  if (side === "left") return text(fill).repeat(missing) + own;
  if (side === "right") return own + text(fill).repeat(missing);
  const left = (missing >> 1) + (missing & toIndex(width) & 1);
  return text(fill).repeat(left) + own + text(fill).repeat(missing - left);
};

const zeros = (own: string, width: Value): string => {
  const sign = /^[-+]/.test(own) ? own[0]! : "";
  return sign + filled(own.slice(sign.length), BigInt(toIndex(width) - sign.length), "0", "left");
};

const cased = (own: string): boolean => own.toLowerCase() !== own.toUpperCase();
const every = (pattern: RegExp) => (own: string) => own !== "" && pattern.test(own);

const tests: Readonly<Record<string, (own: string) => boolean>> = {
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(/^[\p{L}\p{N}]+$/u),
  isdigit: every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u),
  isdecimal: every(/^\p{Nd}+$/u),
  isnumeric: every(/^\p{N}+$/u),
  isspace: every(new RegExp(`^${SPACE}+$`)),
  isupper: (own) => cased(own) && own === own.toUpperCase(),
  islower: (own) => cased(own) && own === own.toLowerCase(),
  istitle: (own) => cased(own) && own === titled(own),
  isascii: (own) => !/[^\0-\x7f]/.test(own),
  isidentifier: every(/^[\p{L}_][\p{L}\p{N}\p{M}_]*$/u),
  isprintable: (own) => !/[^\P{C}]|[^\P{Z} ]/u.test(own),
};

type Method = readonly [parameters: readonly Parameter[], body: (own: string, ...values: Value[]) => Value];

const bounds: readonly Parameter[] = [
  ["start", null],
  ["end", null],
];
const split: readonly Parameter[] = [
  ["sep", null],
  ["maxsplit", -1n],
];
const strip: readonly Parameter[] = [["chars", null]];
const wide: readonly Parameter[] = ["width", ["fillchar", " "]];

const methods: Readonly<Record<string, Method>> = {
  upper: [[], (own) => own.toUpperCase()],
  lower: [[], (own) => own.toLowerCase()],
  casefold: [[], (own) => own.toLowerCase().replaceAll("ß", "ss")],
  title: [[], titled],
  capitalize: [[], capitalized],
  swapcase: [
    [],
    (own) => own.replace(/\p{L}/gu, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())),
  ],
  strip: [strip, (own, set) => stripped(own, set!, "both")],
  lstrip: [strip, (own, set) => stripped(own, set!, "left")],
  rstrip: [strip, (own, set) => stripped(own, set!, "right")],
  split: [split, (own, by, most) => splitLeft(own, by!, toIndex(most!))],
  rsplit: [split, (own, by, most) => splitRight(own, by!, toIndex(most!))],
  splitlines: [[["keepends", false]], (own, keep) => splitLines(own, keep === true)],
  startswith: [["prefix", ...bounds], (own, affix, ...ends) => affixed(own, affix!, ends, false)],
  endswith: [["suffix", ...bounds], (own, affix, ...ends) => affixed(own, affix!, ends, true)],
  find: [["sub", ...bounds], (own, part, ...ends) => found(own, part!, ends, false)],
  rfind: [["sub", ...bounds], (own, part, ...ends) => found(own, part!, ends, true)],
  index: [["sub", ...bounds], (own, part, ...ends) => existing(found(own, part!, ends, false))],
  rindex: [["sub", ...bounds], (own, part, ...ends) => existing(found(own, part!, ends, true))],
  count: [
    ["sub", ...bounds],
    (own, part, start, end) => BigInt(window(own, start!, end!).text.split(text(part!)).length - 1),
  ],
  replace: [
    ["old", "new", ["count", -1n]],
    (own, from, to, most) => replaced(own, text(from!), text(to!), toIndex(most!)),
  ],
  join: [["iterable"], (own, items) => Array.from(iterate(items!), text).join(own)],
  partition: [["sep"], (own, by) => cut(own, by!, false)],
  rpartition: [["sep"], (own, by) => cut(own, by!, true)],
  removeprefix: [
    ["prefix"],
    (own, affix) => (own.startsWith(text(affix!)) ? own.slice(text(affix!).length) : own),
  ],
  removesuffix: [
    ["suffix"],
    (own, affix) => (affix !== "" && own.endsWith(text(affix!)) ? own.slice(0, -text(affix!).length) : own),
  ],
  ljust: [wide, (own, width, fill) => filled(own, width!, fill!, "right")],
  rjust: [wide, (own, width, fill) => filled(own, width!, fill!, "left")],
  center: [wide, (own, width, fill) => filled(own, width!, fill!, "both")],
  zfill: [["width"], (own, width) => zeros(own, width!)],
  expandtabs: [[["tabsize", 8n]], (own, size) => expanded(own, toIndex(size!))],
  ...Object.fromEntries(Object.entries(tests).map(([name, test]) => [name, [[], test] as Method])),
};

const existing = (at: bigint): bigint => (at < 0n ? valueFault("substring not found") : at);

const expanded = (own: string, size: number): string =>
  own
    .split("\n")
    .map((line) => {
      let out = "";
      for (const c of line) out += c === "\t" ? " ".repeat(size > 0 ? size - (out.length % size) : 0) : c;
      return out;
    })
    .join("\n");

/** The method of a text, undefined where it has none of that name. */
export const textMethod = (own: string, name: string): Callable | undefined => {
  if (!Object.hasOwn(methods, name)) return undefined;
  const [parameters, body] = methods[name]!;
  return callable(name, parameters, (...values) => body(own, ...values));
};
