/** Going through values, and how many there are. */
import {
  Dict,
  DictView,
  Lazy,
  Range,
  TemplateFault,
  Tuple,
  typeFault,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const ASTRAL = /[\ud800-\udfff]/;

/** A text's characters as Python counts them: code points. */
export const characters = (text: string): string[] => (ASTRAL.test(text) ? [...text] : text.split(""));

/** Code points of a text. */
export const lengthOfText = (text: string): number => (ASTRAL.test(text) ? [...text].length : text.length);

function* numbers(range: Range): Generator<Value> {
  for (let i = 0; i < range.length; i++) yield range.at(i);
}

/** The items of a value that has some. Throws TemplateFault for others. */
export const iterate = (value: Value): Iterable<Value> => {
  if (typeof value === "string") return characters(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.entries().map(([key]) => key);
  if (value instanceof DictView) return value.list();
  if (value instanceof Range) return numbers(value);
  if (value instanceof Lazy) return value;
  if (value instanceof Undefined) return [];
  return typeFault(`'${typeName(value)}' object is not iterable`);
};

/** Whether one can go through a value. */
export const isIterable = (value: Value): boolean =>
  typeof value === "string" || Array.isArray(value) || isContainer(value) || value instanceof Undefined;

const isContainer = (value: Value): boolean =>
  value instanceof Tuple ||
  value instanceof Dict ||
  value instanceof DictView ||
  value instanceof Range ||
  value instanceof Lazy;

/** How many items a value has; undefined for one that does not know, or has none at all. */
export const sizeOf = (value: Value): number | undefined => {
  if (typeof value === "string") return lengthOfText(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  return value instanceof Undefined ? 0 : undefined;
};

/** Python's len. Throws TypeError for what has none. */
export const length = (value: Value): bigint =>
  BigInt(sizeOf(value) ?? typeFault(`object of type '${typeName(value)}' has no len()`));

/** The items of a list, tuple or text as an array to take parts of; undefined for other values. */
export const parts = (value: Value): readonly Value[] | undefined => {
  if (typeof value === "string") return characters(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  return value instanceof Range ? [...numbers(value)] : undefined;
};

/** An int as an index. */
export const toIndex = (value: Value): number => {
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Undefined) return value.fail();
  return typeFault(`'${typeName(value)}' object cannot be interpreted as an integer`);
};

/** Throws Python's ValueError as a TemplateFault. */
export const valueFault = (message: string): never => {
  throw new TemplateFault(`ValueError: ${message}`);
};
