/** Numbers written and rounded as Python does. */
import { characters } from "./iterate.ts";

/** The first `length` characters. */
export const fixedText = (text: string, length: number): string => characters(text).slice(0, length).join("");

const exponent = (text: string): string => text.replace(/e([+-])(\d)$/, "e$10$2");

/** Whether x lies exactly between two numbers of `digits` digits behind the point. */
const halfway = (x: number, digits: number): boolean => {
  if (digits < 0 || digits > 30 || Math.abs(x) >= 1e21) return false;
  return /^50*$/.test(Math.abs(x).toFixed(100).split(".")[1]!.slice(digits));
};

/** x with so many digits behind the point; what lies halfway goes to the even one. */
export const toFixed = (x: number, digits: number): string => {
  const text = x.toFixed(digits);
  if (!halfway(x, digits)) return text;
  const last = Number(text.replace(/\D/g, "").at(-1));
  if (last % 2 === 0) return text;
  const step = 10 ** -digits * Math.sign(x);
  return (Number(text) - step).toFixed(digits);
};

/** Python's round(x, digits). */
export const rounded = (x: number, digits: number): number => {
  if (!Number.isFinite(x)) return x;
  if (digits >= 0) return Number(toFixed(x, Math.min(digits, 100)));
  const scale = 10 ** -digits;
  return Number(toFixed(x / scale, 0)) * scale;
};

/** The shorter of fixed and exponential form with `precision` digits, without zeros at its end. */
const general = (x: number, precision: number): string => {
  const digits = Math.max(1, precision);
  const scientific = x.toExponential(digits - 1);
  const power = Number(scientific.split("e")[1]);
  const trimmed = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < digits) return trimmed(toFixed(x, digits - 1 - power));
  const [mantissa, end] = scientific.split("e") as [string, string];
  return exponent(`${trimmed(mantissa)}e${end}`);
};

/** A float in the form `kind`: e, f, g or %. */
export const formatFloat = (x: number, kind: string, precision: number): string => {
  if (!Number.isFinite(x)) {
    const text = Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
    return kind === kind.toUpperCase() && kind !== "%" ? text.toUpperCase() : text;
  }
  if (kind === "%") return `${toFixed(100 * x, precision)}%`;
  const lower = kind.toLowerCase();
  const text =
    lower === "f"
      ? toFixed(x, precision)
      : lower === "e"
        ? exponent(x.toExponential(precision))
        : general(x, precision);
  return kind === lower ? text : text.toUpperCase();
};

/** A text made `width` characters wide: on the left with a minus, with zeros behind the sign with a 0. */
export const padded = (text: string, width: number, flags: string): string => {
  const missing = Math.max(0, width - characters(text).length);
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0") || !/^[-+ ]?[\d.]/.test(text)) return " ".repeat(missing) + text;
  const sign = /^[-+ ]/.test(text) ? text[0]! : "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
};
