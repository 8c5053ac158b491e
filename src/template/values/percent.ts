/** Text % values (https://docs.python.org/3/library/stdtypes.html#printf-style-string-formatting). */
import { valueFault } from "./iterate.ts";
import { fixedText, formatFloat, padded } from "./numbers.ts";
import { repr, str } from "./printed.ts";
import { Dict, Tuple, typeFault, typeName, type Value } from "./values.ts";

const PIECE = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)/gs;

const toInt = (value: Value): bigint => {
  if (typeof value === "bigint" || typeof value === "boolean") return BigInt(value);
  if (typeof value === "number") return BigInt(Math.trunc(value));
  return typeFault(`%d format: a real number is required, not ${typeName(value)}`);
};

const toFloat = (value: Value): number =>
  typeof value === "bigint" || typeof value === "boolean" || typeof value === "number"
    ? Number(value)
    : typeFault(`must be real number, not ${typeName(value)}`);

const signed = (text: string, flags: string): string =>
  text.startsWith("-") ? text : (flags.includes("+") ? "+" : flags.includes(" ") ? " " : "") + text;

const integer = (value: Value, radix: number, prefix: string, flags: string): string => {
  const whole = toInt(value);
  const digits = (whole < 0n ? -whole : whole).toString(radix);
  return signed((whole < 0n ? "-" : "") + (flags.includes("#") ? prefix : "") + digits, flags);
};

const converted = (kind: string, value: Value, flags: string, precision: number | undefined): string => {
  const cut = (text: string) => (precision === undefined ? text : fixedText(text, precision));
  if (kind === "s") return cut(str(value));
  if (kind === "r" || kind === "a") return cut(repr(value));
  if ("diu".includes(kind)) {
    const text = integer(value, 10, "", "");
    const digits = text.replace("-", "").padStart(precision ?? 0, "0");
    return signed((text.startsWith("-") ? "-" : "") + digits, flags);
  }
  if (kind === "x") return integer(value, 16, "0x", flags);
  if (kind === "X") return integer(value, 16, "0x", flags).toUpperCase();
  if (kind === "o") return integer(value, 8, "0o", flags);
  if (kind === "c") return typeof value === "string" ? value : String.fromCodePoint(Number(toInt(value)));
  if ("eEfFgG".includes(kind)) return signed(formatFloat(toFloat(value), kind, precision ?? 6), flags);
  return valueFault(`unsupported format character '${kind}'`);
};

/** The text that `format % values` makes. */
export const percent = (format: string, values: Value): string => {
  const list = values instanceof Tuple ? values.items : [values];
  let at = 0;
  const take = (): Value => {
    if (at >= list.length) return typeFault("not enough arguments for format string");
    return list[at++]!;
  };
  let named = false;
  const size = (text: string | undefined): number | undefined => {
    if (text === undefined) return undefined;
    return Number(text === "*" ? toInt(take()) : text);
  };
  const text = format.replace(PIECE, (piece, key, flags: string, width, precision, kind: string) => {
    if (kind === "%") return "%";
    if (key !== undefined) {
      named = true;
      if (!(values instanceof Dict)) return typeFault("format requires a mapping");
      const value = values.get(key) ?? (values.has(key) ? null : valueFault(`KeyError: '${key}'`));
      return padded(converted(kind, value, flags, size(precision)), size(width) ?? 0, flags);
    }
    const wide = size(width) ?? 0;
    const digits = size(precision) ?? (/\.[hlL]?.$/s.test(piece) ? 0 : undefined);
    return padded(converted(kind, take(), flags, digits), wide, flags);
  });
  if (!named && at < list.length && !(values instanceof Dict || Array.isArray(values))) {
    return typeFault("not all arguments converted during string formatting");
  }
  return text;
};
