/** How values print: Python's str and repr. */
import {
  Callable,
  Dict,
  DictView,
  Group,
  Lazy,
  Namespace,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** A float as Python writes it: with its point, with an exponent below 1e-4 and from 1e16 on. */
export const reprFloat = (x: number): string => {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "-0.0";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return x.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  }
  const text = String(x);
  if (text.includes("e")) return x.toFixed(20).replace(/0+$/, "");
  return text.includes(".") ? text : `${text}.0`;
};

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

const escaped = (character: string): string => {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0)!;
  const [letter, width] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${letter}${code.toString(16).padStart(width as number, "0")}`;
};

/** A text as Python's literal: in single quotes unless only those are in it, what cannot be seen escaped. */
export const reprText = (text: string): string => {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/\\|[\p{C}\p{Z}]/gu, (c) => (c === " " ? c : escaped(c)));
  return quote + (quote === "'" ? inner.replaceAll("'", "\\'") : inner) + quote;
};

const listed = (items: readonly Value[]): string => items.map(repr).join(", ");

/** Python's repr. */
export function repr(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return reprFloat(value);
  if (typeof value === "string") return reprText(value);
  if (Array.isArray(value)) return `[${listed(value)}]`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Tuple) return tuple(value);
  if (value instanceof Dict) {
    return `{${value
      .entries()
      .map(([key, item]) => `${repr(key)}: ${repr(item)}`)
      .join(", ")}}`;
  }
  if (value instanceof DictView) return `dict_${value.kind}([${listed(value.list())}])`;
  if (value instanceof Range) {
    const { start, stop, step } = value;
    return step === 1n ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
  }
  if (value instanceof Lazy) return "<generator>";
  if (value instanceof Callable) return `<function ${value.name}>`;
  if (value instanceof Namespace)
    return `<Namespace {${[...value.attributes].map(([k, v]) => `${reprText(k)}: ${repr(v)}`).join(", ")}}>`;
  return `<${typeName(value)}>`;
}

const tuple = (value: Tuple): string => {
  const { items } = value;
  if (value instanceof Group) return `(${listed(items)})`;
  return items.length === 1 ? `(${repr(items[0]!)},)` : `(${listed(items)})`;
};

/** Python's str. */
export const str = (value: Value): string => {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : repr(value);
};
