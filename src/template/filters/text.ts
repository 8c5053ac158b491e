/** Filters of texts (https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-filters). */
import {
  characters,
  isIterable,
  iterate,
  length as lengthOf,
  lengthOfText,
  toIndex,
  valueFault,
} from "../values/iterate.ts";
import { tojson } from "../values/json.ts";
import { truth } from "../values/operators.ts";
import { percent } from "../values/percent.ts";
import { repr, str } from "../values/printed.ts";
import { replaced, splitLines, stripped } from "../values/textMethods.ts";
import { Dict, Tuple, typeFault, typeName, Undefined, type Value } from "../values/values.ts";
import { type Filters, filter } from "./filter.ts";
import { toFloat } from "./number.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" },
};

/** A value that is a text already. */
const ownText = (value: Value): string => {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? value.fail() : typeFault(`expected a str, not ${typeName(value)}`);
};

const escaped = filter([], (value) => str(value).replace(/[&<>"']/g, (c) => ENTITIES[c]!));

const capitalized = (text: string): string => {
  const [first = "", ...rest] = characters(text);
  return first.toUpperCase() + rest.join("").toLowerCase();
};

const titled = (text: string): string =>
  text
    .split(/([-\s({[<]+)/)
    .map(capitalized)
    .join("");

/** Lines set in by `width` blanks or a text; the first, and empty ones, where asked. */
const indented = (text: string, width: Value, first: Value, blank: Value): string => {
  const by = typeof width === "string" ? width : " ".repeat(toIndex(width));
  const lines = splitLines(`${text}\n`);
  const all = lines.map((line, i) => (i === 0 || (line === "" && !truth(blank)) ? line : by + line));
  return (truth(first) ? by : "") + all.join("\n");
};

/** Any value with a length may be short enough; only a text is cut. */
const truncated = (value: Value, length: Value, kill: Value, end: Value, leeway: Value): Value => {
  const most = toIndex(length);
  if (Number(lengthOf(value)) <= most + (leeway === null ? 5 : toIndex(leeway))) return value;
  const all = characters(ownText(value));
  const cut = all.slice(0, most - lengthOfText(str(end))).join("");
  const word = cut.lastIndexOf(" ");
  return (truth(kill) || word < 0 ? cut : cut.slice(0, word)) + str(end);
};

const URL_SAFE = /[^A-Za-z0-9_.~/-]/gu;
const quoted = (text: string, safe: RegExp): string =>
  text.replace(safe, (c) =>
    Array.from(new TextEncoder().encode(c), (b) => `%${b.toString(16).toUpperCase().padStart(2, "0")}`).join(
      "",
    ),
  );

const urlencoded = (value: Value): string => {
  if (typeof value === "string" || !isIterable(value)) return quoted(str(value), URL_SAFE);
  const pairs =
    value instanceof Dict ? value.entries() : Array.from(iterate(value), (pair) => [...iterate(pair)]);
  const plus = (part: Value) => quoted(str(part), /[^A-Za-z0-9_.~ -]/gu).replaceAll(" ", "+");
  return pairs.map(([key, item]) => `${plus(key!)}=${plus(item!)}`).join("&");
};

const UNITS = ["k", "M", "G", "T", "P", "E", "Z", "Y"];

const fileSize = (value: Value, binary: Value): string => {
  const bytes = toFloat(value) ?? valueFault(`could not convert to float: ${repr(value)}`);
  const base = truth(binary) ? 1024 : 1000;
  if (bytes === 1) return "1 Byte";
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const unit = UNITS.findIndex((_, i) => bytes < base ** (i + 2) || i === UNITS.length - 1);
  const prefix = truth(binary) ? `${UNITS[unit]!.toUpperCase()}iB` : `${UNITS[unit]}B`;
  return `${(bytes / base ** (unit + 1)).toFixed(1)} ${prefix}`;
};

/** Filters of texts. */
export const textFilters: Filters = {
  string: filter([], str),
  safe: filter([], str),
  escape: escaped,
  e: escaped,
  forceescape: escaped,
  upper: filter([], (value) => str(value).toUpperCase()),
  lower: filter([], (value) => str(value).toLowerCase()),
  capitalize: filter([], (value) => capitalized(str(value))),
  title: filter([], (value) => titled(str(value))),
  trim: filter([["chars", null]], (value, set) => stripped(str(value), set!, "both")),
  replace: filter(["old", "new", ["count", null]], (value, from, to, most) =>
    replaced(str(value), str(from!), str(to!), most === null ? -1 : toIndex(most!)),
  ),
  indent: filter(
    [
      ["width", 4n],
      ["first", false],
      ["blank", false],
    ],
    (value, width, first, blank) => indented(ownText(value), width!, first!, blank!),
  ),
  truncate: filter(
    [
      ["length", 255n],
      ["killwords", false],
      ["end", "..."],
      ["leeway", null],
    ],
    (value, length, kill, end, leeway) => truncated(value, length!, kill!, end!, leeway!),
  ),
  center: filter([["width", 80n]], (value, width) => {
    const missing = Math.max(0, toIndex(width!) - lengthOfText(str(value)));
    const left = (missing >> 1) + (missing & toIndex(width!) & 1);
    return " ".repeat(left) + str(value) + " ".repeat(missing - left);
  }),
  wordcount: filter([], (value) => BigInt(str(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)),
  striptags: filter([], (value) =>
    stripped(str(value).replace(/<!--[\s\S]*?-->|<[^>]*>/g, ""), null, "both").replace(/\s+/g, " "),
  ),
  urlencode: filter([], urlencoded),
  filesizeformat: filter([["binary", false]], (value, binary) => fileSize(value, binary!)),
  format: (value, { args, named }) => {
    const entries = Array.from(named, ([key, item]) => [key, item] as const);
    return percent(str(value), entries.length > 0 ? new Dict(entries) : new Tuple(args));
  },
  tojson: filter(
    [
      ["ensure_ascii", false],
      ["indent", null],
      ["separators", null],
      ["sort_keys", false],
    ],
    (value, ascii, indent, separators, sorted) => tojson(value, ascii!, indent!, separators!, sorted!),
  ),
};
