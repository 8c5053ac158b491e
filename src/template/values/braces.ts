/** Text.format (https://docs.python.org/3/library/string.html#format-string-syntax). */
import { lengthOfText, valueFault } from "./iterate.ts";
import { fixedText, formatFloat } from "./numbers.ts";
import { repr, reprFloat, str } from "./printed.ts";
import { type Given, TemplateFault, typeFault, typeName, type Value } from "./values.ts";

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([bcdeEfFgGnosxX%])?$/u;

interface Spec {
  readonly fill: string;
  readonly align: string | undefined;
  readonly sign: string;
  readonly width: number;
}

const aligned = (body: string, prefix: string, { fill, align, width }: Spec, usual: string): string => {
  const missing = Math.max(0, width - lengthOfText(prefix + body));
  const side = align ?? usual;
  if (side === "=") return prefix + fill.repeat(missing) + body;
  const left = side === "<" ? 0 : side === "^" ? missing >> 1 : missing;
  return fill.repeat(left) + prefix + body + fill.repeat(missing - left);
};

const grouped = (digits: string, by: string | undefined, size = 3): string =>
  by === undefined
    ? digits
    : digits.replace(new RegExp(`\\B(?=(?:[\\da-f]{${size}})+(?![\\da-f]))`, "gi"), by);

const radixes: Readonly<Record<string, readonly [number, string]>> = {
  ...{ b: [2, "0b"], o: [8, "0o"], x: [16, "0x"], X: [16, "0X"], d: [10, ""], n: [10, ""] },
};

/** The digits of a number without its sign, and what stands before them. */
const number = (value: bigint | number, kind: string | undefined, precision: number | undefined) => {
  if (typeof value === "bigint" && (kind === undefined || Object.hasOwn(radixes, kind))) {
    const [radix, prefix] = radixes[kind ?? "d"]!;
    const digits = value.toString(radix).replace("-", "");
    return { digits: kind === "X" ? digits.toUpperCase() : digits, prefix, negative: value < 0n, radix };
  }
  const x = Number(value);
  const text =
    kind === undefined
      ? precision === undefined
        ? reprFloat(x)
        : formatFloat(x, "g", precision)
      : formatFloat(x, kind === "n" ? "g" : kind, precision ?? 6);
  return { digits: text.replace(/^-/, ""), prefix: "", negative: text.startsWith("-"), radix: 10 };
};

/** A value in the form that a spec asks for. */
export const formatted = (value: Value, spec: string): string => {
  if (spec === "") return str(value);
  const found = SPEC.exec(spec);
  if (found === null) return valueFault(`Invalid format specifier '${spec}'`);
  const [, fill, align, sign = "-", alternate, zero, width = "0", group, digits, kind] = found;
  const precision = digits === undefined ? undefined : Number(digits);
  const given = { fill: fill ?? (zero ? "0" : " "), sign, width: Number(width) };
  const own = typeof value === "boolean" && kind !== undefined && kind !== "s" ? BigInt(value) : value;
  if (typeof own !== "bigint" && typeof own !== "number") {
    if (typeof own !== "string" && typeof own !== "boolean") {
      return typeFault(`unsupported format string passed to ${typeName(own)}.__format__`);
    }
    const text = str(own);
    const cut = precision === undefined ? text : fixedText(text, precision);
    return aligned(cut, "", { ...given, align }, "<");
  }
  if (kind === "c") return aligned(String.fromCodePoint(Number(own)), "", { ...given, align }, "<");
  const parts = number(own, kind, precision);
  const before = (parts.negative ? "-" : sign === "-" ? "" : sign) + (alternate ? parts.prefix : "");
  const [whole, ...rest] = parts.digits.split(".");
  const body = [grouped(whole!, group, parts.radix === 10 ? 3 : 4), ...rest].join(".");
  return aligned(body, before, { ...given, align: align ?? (zero ? "=" : undefined) }, ">");
};

const FIELD = /^([^.[!:]*)((?:\.[^.[!:]+|\[[^\]]*\])*)(?:!([rsa]))?(?::([\s\S]*))?$/;

/** Attributes and items, as a template reaches them. */
export interface Access {
  attribute(own: Value, name: string): Value;
  item(own: Value, key: Value): Value;
}

/** The text that str.format makes. */
export const braces = (format: string, { args, named }: Given, access: Access): string => {
  let automatic = 0;
  const start = (name: string): Value => {
    if (name !== "" && !/^\d+$/.test(name)) {
      const value = named.get(name);
      return value === undefined ? valueFault(`KeyError: '${name}'`) : value;
    }
    const value = args[name === "" ? automatic++ : Number(name)];
    if (value !== undefined) return value;
    throw new TemplateFault("IndexError: Replacement index out of range for positional args tuple");
  };
  const field = (inside: string): string => {
    const [, name = "", path = "", conversion, spec = ""] = FIELD.exec(inside) ?? valueFault(`'{${inside}}'`);
    let value = start(name);
    for (const [, attr, key] of path.matchAll(/\.([^.[]+)|\[([^\]]*)\]/g)) {
      value =
        attr === undefined
          ? access.item(value, /^\d+$/.test(key!) ? BigInt(key!) : key!)
          : access.attribute(value, attr);
    }
    const own = conversion === undefined ? value : conversion === "s" ? str(value) : repr(value);
    return formatted(
      own,
      spec.replace(/\{([^{}]*)\}/g, (_, inner: string) => field(inner)),
    );
  };
  return format.replace(/\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]/g, (piece, inside?: string) => {
    if (inside !== undefined) return field(inside);
    return piece.length === 2 ? piece[0]! : valueFault(`Single '${piece}' encountered in format string`);
  });
};
