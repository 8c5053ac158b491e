/** Tests (https://jinja.palletsprojects.com/en/stable/templates/#list-of-builtin-tests). */
import { filters } from "./filters/index.ts";
import { bind, type Parameter } from "./functions.ts";
import type { CompareOperator } from "./syntax/nodes.ts";
import { isIterable, sizeOf } from "./values/iterate.ts";
import { binary, compare, contains, equals } from "./values/operators.ts";
import { str } from "./values/printed.ts";
import { Callable, Dict, type Given, isComputed, Undefined, type Value } from "./values/values.ts";

/** Tells whether something is true of a value. */
export type Test = (value: Value, given: Given) => boolean;

const test =
  (parameters: readonly Parameter[], body: (value: Value, ...args: Value[]) => boolean): Test =>
  (value, given) =>
    body(value, ...bind("test", parameters, given));

const simple = (body: (value: Value) => boolean): Test => test([], body);
const compared = (operator: CompareOperator): Test =>
  test(["other"], (value, other) => compare(operator, value, other!));
const remainder = (value: Value, by: Value): Value => binary("%", value, by);

const cased = (value: Value, fold: "toUpperCase" | "toLowerCase"): boolean => {
  const text = str(value);
  return text === text[fold]() && text.toLowerCase() !== text.toUpperCase();
};

const [eq, ne, lt, le, gt, ge] = (["==", "!=", "<", "<=", ">", ">="] as const).map(compared) as [
  Test,
  Test,
  Test,
  Test,
  Test,
  Test,
];

const isNumber = (value: Value): boolean =>
  typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";

const isCallable = (value: Value): boolean =>
  value instanceof Callable || (value !== null && isComputed(value) && value.call !== undefined);

/** All tests by name. */
export const tests: Readonly<Record<string, Test>> = {
  defined: simple((value) => !(value instanceof Undefined)),
  undefined: simple((value) => value instanceof Undefined),
  none: simple((value) => value === null),
  boolean: simple((value) => typeof value === "boolean"),
  true: simple((value) => value === true),
  false: simple((value) => value === false),
  integer: simple((value) => typeof value === "bigint"),
  float: simple((value) => typeof value === "number"),
  number: simple(isNumber),
  string: simple((value) => typeof value === "string"),
  mapping: simple((value) => value instanceof Dict),
  sequence: simple((value) => sizeOf(value) !== undefined),
  iterable: simple(isIterable),
  // What is not there can be called, in Python's eyes; only then it fails.
  callable: simple((value) => value instanceof Undefined || isCallable(value)),
  escaped: simple(() => false),
  odd: simple((value) => equals(remainder(value, 2n), 1n)),
  even: simple((value) => equals(remainder(value, 2n), 0n)),
  divisibleby: test(["num"], (value, by) => equals(remainder(value, by!), 0n)),
  upper: simple((value) => cased(value, "toUpperCase")),
  lower: simple((value) => cased(value, "toLowerCase")),
  sameas: test(["other"], (value, other) => value === other),
  in: test(["seq"], (value, container) => contains(value, container!)),
  filter: simple((value) => typeof value === "string" && Object.hasOwn(filters, value)),
  test: simple((value) => typeof value === "string" && Object.hasOwn(tests, value)),
  ...{ eq, ne, lt, le, gt, ge, equalto: eq, lessthan: lt, greaterthan: gt },
  ...{ "==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge },
};
