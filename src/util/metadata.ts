/** Reading typed values by key, with errors that name the file and the key. */
import { FormatError } from "./errors.ts";

/** Typed values by key. */
export interface Metadata {
  /** The file's name in errors. */
  readonly file: string;
  has(key: string): boolean;
  /** A text. Each of these is undefined where the key is absent, and throws FormatError for another type. */
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  /** A whole number from 0 on. */
  count(key: string): number | undefined;
  flag(key: string): boolean | undefined;
  texts(key: string): readonly string[] | undefined;
  numbers(key: string): readonly number[] | undefined;
  /** Throws FormatError for what is wrong with a key. */
  fail(key: string, what: string, hint?: string): never;
}

const isNumber = (x: unknown): x is number => typeof x === "number" && Number.isFinite(x);
const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
const isList =
  <T>(is: (x: unknown) => x is T) =>
  (x: unknown): x is readonly T[] =>
    Array.isArray(x) && x.every(is);
const isText = (x: unknown): x is string => typeof x === "string";
const isFlag = (x: unknown): x is boolean => typeof x === "boolean";

const shown = (x: unknown): string => {
  if (Array.isArray(x)) return `a list of ${x.length}`;
  return typeof x === "bigint" ? String(x) : JSON.stringify(x);
};

/** 64-bit numbers as numbers, where they are exact. */
const narrow = (x: unknown): unknown =>
  typeof x === "bigint" && Number.isSafeInteger(Number(x)) ? Number(x) : x;

/** A reader of `values`, whose entries hold their value in `value`. */
export const metadataOf = (
  values: ReadonlyMap<string, { readonly value: unknown }>,
  file: string,
): Metadata => {
  const fail = (field: string, what: string, hint?: string): never => {
    throw new FormatError(what, { file, field, ...(hint === undefined ? {} : { hint }) });
  };
  const reader =
    <T>(is: (x: unknown) => x is T, what: string) =>
    (key: string): T | undefined => {
      const entry = values.get(key);
      if (entry === undefined) return undefined;
      const value = narrow(entry.value);
      return is(value) ? value : fail(key, `must be ${what}, not ${shown(value)}`);
    };
  return {
    file,
    has: (key) => values.has(key),
    text: reader(isText, "a text"),
    number: reader(isNumber, "a number"),
    count: reader(isCount, "a whole number from 0 on"),
    flag: reader(isFlag, "true or false"),
    texts: reader(isList(isText), "a list of texts"),
    numbers: reader(isList(isNumber), "a list of numbers"),
    fail,
  };
};

/** A value that must be there. Throws FormatError naming the key where it is not. */
export const needed = <T>(m: Metadata, key: string, value: T | undefined, hint?: string): T =>
  value ?? m.fail(key, "is not there", hint);
