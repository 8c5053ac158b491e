/**
 * Values of a generation config. What transformers takes is taken: null, -1 and empty lists mean that nothing
 * is asked for; a number out of its range is left out with a note. What is no number, list or flag at all is
 * refused.
 */
import { ConfigError } from "../../util/errors.ts";

/** What a value asks for, undefined for nothing; `note` tells why one is left out. */
export type Read<T> = (value: unknown, field: string, note: (why: string) => void) => T | undefined;

const wrong = (field: string, must: string, value: unknown): never => {
  throw new ConfigError(`must be ${must}, not ${JSON.stringify(value)}`, { field });
};

const isInteger = (x: unknown): x is number => Number.isSafeInteger(x);
const isId = (x: number): boolean => x >= 0;

/** Whether a field is not there, or null. */
export const absent = (value: unknown): value is null | undefined => value === null || value === undefined;

/** Ids; of a single one, a list. */
export const ids: Read<readonly number[]> = (value, field) => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.every(isInteger) ? list.filter(isId) : wrong(field, "a token's id or a list of them", value);
};

/** Ids, where there are any. */
export const someIds: Read<readonly number[]> = (value, field, note) => {
  const list = ids(value, field, note)!;
  return list.length > 0 ? list : undefined;
};

/** One id; of a list, the first. */
export const oneId: Read<number> = (value, field, note) => ids(value, field, note)![0];

/** Lists of ids; empty ones and ids that cannot be are left out. */
export const sequences: Read<readonly (readonly number[])[]> = (value, field) => {
  const good = Array.isArray(value) && value.every((s) => Array.isArray(s) && s.every(isInteger));
  if (!good) return wrong(field, "a list of lists of ids", value);
  return (value as number[][]).filter((s) => s.length > 0 && s.every(isId));
};

/** Pairs of a list of ids and a number. */
export const biases: Read<readonly (readonly [readonly number[], number])[]> = (value, field) => {
  const pair = (entry: unknown): boolean =>
    Array.isArray(entry) &&
    entry.length === 2 &&
    Array.isArray(entry[0]) &&
    entry[0].every(isInteger) &&
    Number.isFinite(entry[1]);
  if (!Array.isArray(value) || !value.every(pair)) return wrong(field, "a list of [ids, number]", value);
  const list = (value as [number[], number][]).filter(([s]) => s.length > 0 && s.every(isId));
  return list.length > 0 ? list : undefined;
};

/** An integer of at least `min`; less asks for nothing, which is worth a note unless `off`. */
export const count =
  (min: number, off: "noted" | "off" = "noted"): Read<number> =>
  (value, field, note) => {
    if (!isInteger(value)) return wrong(field, "an integer", value);
    if (value >= min) return value;
    if (off === "noted") note(`is ${value}, less than ${min}`);
    return undefined;
  };

/** The numbers that a field may have: `least` and `most` are in it, `above` and `below` are not. */
export interface Range {
  readonly above?: number;
  readonly least?: number;
  readonly most?: number;
  readonly below?: number;
}

/** A number within the range; others ask for nothing. */
export const real =
  ({
    above = Number.NEGATIVE_INFINITY,
    least = above,
    most = Number.MAX_VALUE,
    below,
  }: Range): Read<number> =>
  (value, field, note) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return wrong(field, "a number", value);
    if (value > above && value >= least && value <= most && (below === undefined || value < below)) {
      return value;
    }
    note(`is ${value}, which is out of its range`);
    return undefined;
  };

/** A share that cuts: 1 and more ask for nothing. */
export const share =
  (range: Range): Read<number> =>
  (value, field, note) =>
    typeof value === "number" && value >= 1 ? undefined : real(range)(value, field, note);

/** true or false, or 1 or 0. */
export const flag: Read<boolean> = (value, field) =>
  typeof value === "boolean" || value === 0 || value === 1
    ? Boolean(value)
    : wrong(field, "true or false", value);

/** A flag, or "never". */
export const early: Read<boolean | "never"> = (value, field, note) =>
  value === "never" ? "never" : flag(value, field, note);

/** A first token and a factor. */
export const decay: Read<readonly [number, number]> = (value, field) => {
  if (Array.isArray(value) && value.length === 0) return undefined;
  const good = Array.isArray(value) && value.length === 2 && isInteger(value[0]) && Number.isFinite(value[1]);
  return good ? (value as [number, number]) : wrong(field, "[first token, factor]", value);
};

/** One text or several; empty ones are left out. */
export const texts: Read<readonly string[]> = (value, field) => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((text) => typeof text === "string")) return wrong(field, "a text or a list of them", value);
  const some = (list as string[]).filter((text) => text !== "");
  return some.length > 0 ? some : undefined;
};
