/** Truth, equality, order and arithmetic, as Python has them. */

import type { BinaryOperator, CompareOperator } from "../syntax/nodes.ts";
import { isIterable, iterate, lengthOfText, sizeOf, toIndex } from "./iterate.ts";
import { percent } from "./percent.ts";
import {
  Dict,
  DictView,
  Range,
  TemplateFault,
  Tuple,
  typeFault,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Python's bool. */
export const truth = (value: Value): boolean => {
  if (value === null || value === false || value === 0n || value === 0 || value === "") return false;
  return sizeOf(value) !== 0;
};

type Numeric = bigint | number;

/** A number for what counts as one: bools too. */
const numeric = (value: Value): Numeric | undefined => {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
};

const allEqual = (a: readonly Value[], b: readonly Value[]): boolean =>
  a.length === b.length && a.every((item, i) => equals(item, b[i]!));

/** Python's ==. */
export function equals(a: Value, b: Value): boolean {
  const [x, y] = [numeric(a), numeric(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: an int equals the float of the same value.
  if (x !== undefined && y !== undefined) return x == y;
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return allEqual(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return allEqual(a.items, b.items);
  if (a instanceof Range && b instanceof Range) return allEqual([...iterate(a)], [...iterate(b)]);
  if (a instanceof Undefined && b instanceof Undefined) return true;
  if (a instanceof DictView && b instanceof DictView && a.kind === b.kind && a.kind !== "values") {
    return a.dict.size === b.dict.size && a.list().every((item) => contains(item, b));
  }
  if (!(a instanceof Dict && b instanceof Dict) || a.size !== b.size) return false;
  return a.entries().every(([key, value]) => b.has(key) && equals(value, b.get(key)!));
}

const ASTRAL = /[\ud800-\udfff]/;

/** Below 0 where text a is before b, by code points. */
const textOrder = (a: string, b: string): number => {
  if (!ASTRAL.test(a) && !ASTRAL.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < x.length && i < y.length; i++) {
    const step = x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!;
    if (step !== 0) return step;
  }
  return x.length - y.length;
};

/** Below 0 where a is before b, NaN where neither is. Throws TemplateFault for what has no order. */
export const order = (a: Value, b: Value, sign = "<"): number => {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : x > y ? 1 : equals(a, b) ? 0 : Number.NaN;
  if (typeof a === "string" && typeof b === "string") return textOrder(a, b);
  const lists = Array.isArray(a) && Array.isArray(b) ? [a, b] : tuples(a, b);
  if (lists !== undefined) {
    const [p, q] = lists as [readonly Value[], readonly Value[]];
    const at = p.findIndex((item, i) => i >= q.length || !equals(item, q[i]!));
    return at < 0 || at >= q.length ? p.length - q.length : order(p[at]!, q[at]!, sign);
  }
  for (const value of [a, b]) if (value instanceof Undefined) value.fail();
  return typeFault(`'${sign}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
};

const tuples = (a: Value, b: Value) =>
  a instanceof Tuple && b instanceof Tuple ? [a.items, b.items] : undefined;

/** Python's `item in container`. Throws TypeError for what holds nothing. */
export const contains = (item: Value, container: Value): boolean => {
  if (typeof container === "string") {
    if (typeof item === "string") return container.includes(item);
    return typeFault(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Dict) return container.has(item);
  if (!isIterable(container)) return typeFault(`argument of type '${typeName(container)}' is not iterable`);
  for (const one of iterate(container)) if (equals(item, one)) return true;
  return false;
};

/** Python's comparison. Throws TypeError for values without an order. */
export const compare = (operator: CompareOperator, a: Value, b: Value): boolean => {
  if (operator === "==") return equals(a, b);
  if (operator === "!=") return !equals(a, b);
  if (operator === "in") return contains(a, b);
  if (operator === "not in") return !contains(a, b);
  const step = order(a, b, operator);
  if (operator === "<") return step < 0;
  if (operator === ">") return step > 0;
  return operator === "<=" ? step <= 0 : step >= 0;
};

const cannot = (operator: string, a: Value, b: Value): never => {
  for (const value of [a, b]) if (value instanceof Undefined) value.fail();
  return typeFault(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
};

const byZero = (): never => {
  throw new TemplateFault("ZeroDivisionError: division by zero");
};

const floorInts = (a: bigint, b: bigint): bigint => {
  if (b === 0n) byZero();
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
};

const floorFloats = (a: number, b: number): number => (b === 0 ? byZero() : Math.floor(a / b));

const floatPower = (a: number, b: number): number => (a === 0 && b < 0 ? byZero() : a ** b);
const intPower = (a: bigint, b: bigint): Numeric => (b >= 0n ? a ** b : floatPower(Number(a), Number(b)));

type Rule = readonly [ints: (a: bigint, b: bigint) => Numeric, floats: (a: number, b: number) => number];

const arithmetic: Readonly<Record<Exclude<BinaryOperator, "and" | "or">, Rule>> = {
  "+": [(a, b) => a + b, (a, b) => a + b],
  "-": [(a, b) => a - b, (a, b) => a - b],
  "*": [(a, b) => a * b, (a, b) => a * b],
  "/": [(a, b) => (b === 0n ? byZero() : Number(a) / Number(b)), (a, b) => (b === 0 ? byZero() : a / b)],
  "//": [floorInts, floorFloats],
  "%": [(a, b) => a - b * floorInts(a, b), (a, b) => a - b * floorFloats(a, b)],
  "**": [intPower, floatPower],
};

/** A text, list or tuple, so many times. */
const repeated = (value: Value, times: Value): Value | undefined => {
  if (typeof times !== "bigint" && typeof times !== "boolean") return undefined;
  const count = Math.max(0, toIndex(times));
  if (typeof value === "string") return lengthOfText(value) * count === 0 ? "" : value.repeat(count);
  const copies = (items: readonly Value[]) => Array.from({ length: count }, () => items).flat() as Value[];
  if (Array.isArray(value)) return copies(value);
  return value instanceof Tuple ? new Tuple(copies(value.items)) : undefined;
};

const joined = (a: Value, b: Value): Value | undefined => {
  if (typeof a === "string" && typeof b === "string") return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b];
  return a instanceof Tuple && b instanceof Tuple ? new Tuple([...a.items, ...b.items]) : undefined;
};

/** Python's arithmetic. Throws TypeError for values that do not go together. */
export const binary = (operator: Exclude<BinaryOperator, "and" | "or">, a: Value, b: Value): Value => {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) {
    const [ints, floats] = arithmetic[operator];
    return typeof x === "bigint" && typeof y === "bigint" ? ints(x, y) : floats(Number(x), Number(y));
  }
  if (operator === "%" && typeof a === "string") return percent(a, b);
  if (operator === "+") return joined(a, b) ?? cannot("+", a, b);
  if (operator === "*") return repeated(a, b) ?? repeated(b, a) ?? cannot("*", a, b);
  return cannot(operator === "**" ? "** or pow()" : operator, a, b);
};

/** Python's -value. */
export const negative = (value: Value): Value => {
  const x = numeric(value);
  if (x !== undefined) return -x;
  return value instanceof Undefined
    ? value.fail()
    : typeFault(`bad operand type for unary -: '${typeName(value)}'`);
};

/** Python's +value. */
export const positive = (value: Value): Value => {
  const x = numeric(value);
  if (x !== undefined) return x;
  return value instanceof Undefined
    ? value.fail()
    : typeFault(`bad operand type for unary +: '${typeName(value)}'`);
};
