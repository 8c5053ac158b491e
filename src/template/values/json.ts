/** JSON as Python's json.dumps writes it (https://docs.python.org/3/library/json.html#json.dumps). */
import { toIndex, valueFault } from "./iterate.ts";
import { truth } from "./operators.ts";
import { reprFloat, str } from "./printed.ts";
import { Dict, Tuple, typeFault, typeName, type Value } from "./values.ts";

/** How JSON is laid out. */
export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** What a level is set in by; null for one line. */
  readonly indent: string | null;
  readonly item: string;
  readonly key: string;
  readonly sorted: boolean;
}

const MOST_DEEP = 200;

const text = (own: string, ascii: boolean): string => {
  const quoted = JSON.stringify(own);
  if (!ascii) return quoted;
  return quoted.replace(/[\x7f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
};

const float = (x: number): string =>
  Number.isFinite(x) ? reprFloat(x) : Number.isNaN(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";

const simple = (value: Value): string | undefined => {
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "bigint") return String(value);
  return typeof value === "number" ? float(value) : undefined;
};

const keyText = (key: Value): string => {
  if (typeof key === "string") return key;
  return simple(key) ?? typeFault(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
};

/** A value as JSON. Throws TypeError for what JSON has no form for. */
export const json = (value: Value, options: JsonOptions, depth = 0): string => {
  const { ensureAscii, indent, item, key: colon, sorted } = options;
  if (typeof value === "string") return text(value, ensureAscii);
  const written = simple(value);
  if (written !== undefined) return written;
  if (depth > MOST_DEEP) return valueFault("too deep for JSON");
  const wrap = (open: string, inside: readonly string[], close: string): string => {
    if (inside.length === 0) return open + close;
    if (indent === null) return open + inside.join(item) + close;
    const line = `\n${indent.repeat(depth + 1)}`;
    return `${open}${line}${inside.join(item + line)}\n${indent.repeat(depth)}${close}`;
  };
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items !== undefined)
    return wrap(
      "[",
      items.map((one) => json(one, options, depth + 1)),
      "]",
    );
  if (!(value instanceof Dict)) {
    return typeFault(`Object of type ${typeName(value)} is not JSON serializable`);
  }
  const entries = value.entries().map(([key, one]) => [keyText(key), one] as const);
  const inOrder = sorted ? entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) : entries;
  const pairs = inOrder.map(([key, one]) => text(key, ensureAscii) + colon + json(one, options, depth + 1));
  return wrap("{", pairs, "}");
};

/** The filter of transformers: HTML is not escaped. */
export const tojson = (
  value: Value,
  ascii: Value,
  indent: Value,
  separators: Value,
  sorted: Value,
): string => {
  const level = indent === null ? null : typeof indent === "string" ? indent : " ".repeat(toIndex(indent));
  const given = separators instanceof Tuple || Array.isArray(separators) ? separators : null;
  const [item, key] = given === null ? [level === null ? ", " : ",", ": "] : [...partsOf(given)];
  return json(value, {
    ensureAscii: truth(ascii),
    indent: level,
    item: item ?? ", ",
    key: key ?? ": ",
    sorted: truth(sorted),
  });
};

const partsOf = (separators: Tuple | Value[]): string[] =>
  (Array.isArray(separators) ? separators : separators.items).map(str);
