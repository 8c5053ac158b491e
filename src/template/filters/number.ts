/** Filters of numbers, and of what is not there. */
import { toIndex } from "../values/iterate.ts";
import { rounded } from "../values/numbers.ts";
import { truth } from "../values/operators.ts";
import { stripped } from "../values/textMethods.ts";
import { typeFault, typeName, Undefined, type Value } from "../values/values.ts";
import { type Filters, filter } from "./filter.ts";

const DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz";
const PREFIX: Readonly<Record<string, number>> = { "0b": 2, "0o": 8, "0x": 16 };

/** An int of a text in a base, undefined where it is none. */
const parsed = (text: string, base: number): bigint | undefined => {
  const whole = stripped(text, null, "both")
    .toLowerCase()
    .replace(/(?<=[\da-z])_(?=[\da-z])/g, "");
  const sign = whole.startsWith("-") ? -1n : 1n;
  const digits = whole.replace(/^[-+]/, "");
  const prefixed = PREFIX[digits.slice(0, 2)];
  const radix = base === 0 ? (prefixed ?? 10) : base;
  const body = prefixed === radix ? digits.slice(2) : digits;
  if (body === "") return undefined;
  let value = 0n;
  for (const c of body) {
    const digit = DIGITS.indexOf(c);
    if (digit < 0 || digit >= radix) return undefined;
    value = value * BigInt(radix) + BigInt(digit);
  }
  return sign * value;
};

const FLOAT = /^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[-+]?\d+)?$/i;
const SPECIAL: Readonly<Record<string, number>> = { inf: Infinity, infinity: Infinity, nan: Number.NaN };

/** A float of a value, undefined where it stands for none. */
export const toFloat = (value: Value): number | undefined => {
  if (value instanceof Undefined) return value.fail();
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (typeof value !== "string") return undefined;
  const text = stripped(value, null, "both");
  const special = SPECIAL[text.toLowerCase().replace(/^[-+]/, "")];
  if (special !== undefined) return text.startsWith("-") ? -special : special;
  return FLOAT.test(text) ? Number(text.replaceAll("_", "")) : undefined;
};

const toInt = (value: Value, fallback: Value, base: Value): Value => {
  const whole = typeof value === "string" ? parsed(value, toIndex(base)) : undefined;
  if (whole !== undefined) return whole;
  if (typeof value === "bigint") return value;
  const float = toFloat(value);
  return float === undefined || !Number.isFinite(float) ? fallback : BigInt(Math.trunc(float));
};

const round = (value: Value, precision: Value, method: Value): Value => {
  const digits = toIndex(precision);
  if (method !== "common" && method !== "ceil" && method !== "floor") {
    return typeFault("method must be common, ceil or floor");
  }
  if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "boolean") {
    if (value instanceof Undefined) return value.fail();
    return typeFault(`type ${typeName(value)} doesn't define __round__ method`);
  }
  if (method === "common") {
    if (typeof value === "number") return rounded(value, digits);
    return digits >= 0 ? BigInt(value) : BigInt(rounded(Number(value), digits));
  }
  return Math[method](Number(value) * 10 ** digits) / 10 ** digits;
};

const abs = (value: Value): Value => {
  if (typeof value === "number") return Math.abs(value);
  if (typeof value === "bigint" || typeof value === "boolean") {
    const whole = BigInt(value);
    return whole < 0n ? -whole : whole;
  }
  return value instanceof Undefined
    ? value.fail()
    : typeFault(`bad operand type for abs(): '${typeName(value)}'`);
};

const otherwise = filter(
  [
    ["default_value", ""],
    ["boolean", false],
  ],
  (value, fallback, falsy) =>
    value instanceof Undefined || (truth(falsy!) && !truth(value)) ? fallback! : value,
);

/** Filters of numbers, and of what is not there. */
export const numberFilters: Filters = {
  abs: filter([], abs),
  int: filter(
    [
      ["default", 0n],
      ["base", 10n],
    ],
    (value, fallback, base) => toInt(value, fallback!, base!),
  ),
  float: filter([["default", 0]], (value, fallback) => toFloat(value) ?? fallback!),
  round: filter(
    [
      ["precision", 0n],
      ["method", "common"],
    ],
    (value, digits, method) => round(value, digits!, method!),
  ),
  default: otherwise,
  d: otherwise,
};
