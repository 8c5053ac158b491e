/** Attributes, items, slices. What is not there is undefined; what would change a list or dict is denied. */

import { callable } from "./functions.ts";
import { braces } from "./values/braces.ts";
import { iterate, parts, toIndex, valueFault } from "./values/iterate.ts";
import { equals } from "./values/operators.ts";
import { textMethod } from "./values/textMethods.ts";
import {
  Callable,
  Dict,
  DictView,
  Group,
  isComputed,
  Namespace,
  Range,
  Tuple,
  typeFault,
  typeName,
  Undefined,
  type Value,
} from "./values/values.ts";

const owner = (value: Value): string => (value === null ? "None" : `${typeName(value)} object`);

const missing = (value: Value, name: Value): Undefined =>
  new Undefined(
    typeof name === "string"
      ? `'${owner(value)}' has no attribute '${name}'`
      : `${owner(value)} has no element ${typeof name === "bigint" ? name : typeName(name)}`,
  );

/** What the sandbox denies is undefined, and says so where it is called. */
const denied = (value: Value, name: string): Undefined =>
  new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe`);

const LIST_CHANGES = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"];
const DICT_CHANGES = ["clear", "pop", "popitem", "setdefault", "update"];

const listMethod = (own: Value, items: readonly Value[], name: string): Value | undefined => {
  if (name === "count") {
    return callable(name, ["value"], (x) => BigInt(items.filter((y) => equals(x!, y)).length));
  }
  if (name === "index") {
    return callable(name, ["value"], (x) => {
      const at = items.findIndex((y) => equals(x!, y));
      return at < 0 ? valueFault("the value is not in the list") : BigInt(at);
    });
  }
  if (!Array.isArray(own)) return undefined;
  if (name === "copy") return callable(name, [], () => [...items]);
  return LIST_CHANGES.includes(name) ? denied(own, name) : undefined;
};

const dictMethod = (own: Dict, name: string): Value | undefined => {
  if (name === "get") {
    return callable(name, ["key", ["default", null]], (key, otherwise) =>
      own.has(key!) ? own.get(key!)! : otherwise!,
    );
  }
  if (name === "keys" || name === "values" || name === "items") {
    return callable(name, [], () => new DictView(name, own));
  }
  if (name === "copy") return callable(name, [], () => new Dict(own.entries()));
  return DICT_CHANGES.includes(name) ? denied(own, name) : undefined;
};

const formatting = (own: string, name: string): Callable | undefined => {
  const access = { attribute, item };
  if (name === "format") return new Callable(name, (given) => braces(own, given, access));
  if (name !== "format_map") return undefined;
  return callable(name, ["mapping"], (mapping) => {
    const entries = mapping instanceof Dict ? mapping.entries() : [];
    const named = new Map(entries.map(([key, value]) => [String(key), value] as const));
    return braces(own, { args: [], named }, access);
  });
};

const rangeParts = ["start", "stop", "step"] as const;

/** What Python's getattr finds. */
const found = (own: Value, name: string): Value | undefined => {
  if (typeof own === "string") return formatting(own, name) ?? textMethod(own, name);
  if (own instanceof Dict) return dictMethod(own, name);
  if (own instanceof Group && name === "grouper") return own.items[0];
  if (own instanceof Group && name === "list") return own.items[1];
  if (own instanceof Range && rangeParts.some((part) => part === name)) return own[name as "start"];
  if (own instanceof Namespace || own instanceof Callable) return own.attributes.get(name);
  if (own !== null && isComputed(own)) return own.attribute(name);
  const items = parts(own);
  return items === undefined ? undefined : listMethod(own, items, name);
};

/** own.name */
export const attribute = (own: Value, name: string): Value => {
  if (own instanceof Undefined) return own.fail();
  const value = found(own, name);
  if (value !== undefined) return value;
  if (own instanceof Dict && own.has(name)) return own.get(name)!;
  return missing(own, name);
};

/** own[key] */
export const item = (own: Value, key: Value): Value => {
  if (own instanceof Undefined) return own.fail();
  if (own instanceof Dict) {
    const hashable = !(Array.isArray(key) || key instanceof Dict);
    if (hashable && own.has(key)) return own.get(key)!;
  } else if (typeof key === "bigint" || typeof key === "boolean") {
    const items = parts(own);
    const at = toIndex(key);
    const value = items?.[at < 0 ? at + items.length : at];
    if (value !== undefined) return value;
  }
  return typeof key === "string" ? (found(own, key) ?? missing(own, key)) : missing(own, key);
};

/** own[start:stop:step] */
export const slice = (own: Value, bounds: readonly (Value | undefined)[]): Value => {
  if (own instanceof Undefined) return own.fail();
  const items = parts(own);
  if (items === undefined) return typeFault(`'${typeName(own)}' object is not subscriptable`);
  const [start, stop, step = null] = bounds.map((bound) => (bound === undefined ? null : bound));
  const by = step === null ? 1 : toIndex(step);
  if (by === 0) return valueFault("slice step cannot be zero");
  const [first, last] = by > 0 ? [0, items.length] : [-1, items.length - 1];
  const at = (bound: Value | undefined, fallback: number): number => {
    if (bound === null || bound === undefined) return fallback;
    const index = toIndex(bound);
    return Math.min(Math.max(index < 0 ? index + items.length : index, first), last);
  };
  const from = at(start, by > 0 ? first : last);
  const to = at(stop, by > 0 ? last : first);
  const taken: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) taken.push(items[i]!);
  if (typeof own === "string") return taken.join("");
  if (own instanceof Range) return new Range(own.at(from), own.at(to), own.step * BigInt(by));
  return own instanceof Tuple ? new Tuple(taken) : taken;
};

/** What `path` ("a.b.0") leads to from a value: the attribute of map, sort, groupby ... */
export const follow = (own: Value, path: Value): Value => {
  if (typeof path === "bigint") return item(own, path);
  if (typeof path !== "string") return typeFault(`an attribute is a text, not ${typeName(path)}`);
  let value = own;
  for (const part of path.split(".")) value = item(value, /^\d+$/.test(part) ? BigInt(part) : part);
  return value;
};

/** Python's list(value). */
export const listOf = (value: Value): Value[] => [...iterate(value)];
