/**
 * The values of a template, which are Python's: an int is a bigint, a float a number, so that 2 and 2.0 are
 * told apart; str, bool, None and list are string, boolean, null and array. What else there is has a class.
 */

/** What went wrong while a template was read or rendered; the message names Python's kind of error. */
export class TemplateFault extends Error {}

/** The template itself refuses what it is given (`raise_exception`). */
export class Refusal extends Error {}

/** Throws Python's TypeError as a TemplateFault. */
export const typeFault = (message: string): never => {
  throw new TemplateFault(`TypeError: ${message}`);
};

/** What a name, attribute or item is that is not there: empty and false, and a fault where it is used. */
export class Undefined {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
  fail(): never {
    throw new TemplateFault(`UndefinedError: ${this.message}`);
  }
}

/** Python's tuple. */
export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** One group of `groupby`: a tuple whose parts have names. */
export class Group extends Tuple {}

/** Numbers that are equal are one key, whatever their kind: 1, 1.0 and True. */
const keyOf = (key: Value): string => {
  if (typeof key === "string") return `s${key}`;
  if (key === null) return "n";
  if (typeof key === "boolean") return `i${key ? 1 : 0}`;
  if (typeof key === "bigint") return `i${key}`;
  if (typeof key === "number") return Number.isInteger(key) ? `i${BigInt(key)}` : `f${key}`;
  if (key instanceof Tuple) return `t${JSON.stringify(key.items.map(keyOf))}`;
  return typeFault(`unhashable type: '${typeName(key)}'`);
};

/** Python's dict: values by key, in the order that they came. */
export class Dict {
  readonly #entries = new Map<string, [Value, Value]>();
  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }
  get size(): number {
    return this.#entries.size;
  }
  get(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.[1];
  }
  has(key: Value): boolean {
    return this.#entries.has(keyOf(key));
  }
  set(key: Value, value: Value): void {
    const id = keyOf(key);
    this.#entries.set(id, [this.#entries.get(id)?.[0] ?? key, value]);
  }
  entries(): readonly (readonly [Value, Value])[] {
    return [...this.#entries.values()];
  }
}

/** What `keys`, `values` and `items` give. */
export class DictView {
  readonly kind: "keys" | "values" | "items";
  readonly dict: Dict;
  constructor(kind: DictView["kind"], dict: Dict) {
    this.kind = kind;
    this.dict = dict;
  }
  list(): Value[] {
    const entries = this.dict.entries();
    if (this.kind === "items") return entries.map((entry) => new Tuple(entry));
    return entries.map(([key, value]) => (this.kind === "keys" ? key : value));
  }
}

/** Python's range. */
export class Range {
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  constructor(start: bigint, stop: bigint, step: bigint) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
  get length(): number {
    const [span, by] =
      this.step > 0n ? [this.stop - this.start, this.step] : [this.start - this.stop, -this.step];
    return span > 0n ? Number((span + by - 1n) / by) : 0;
  }
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
}

/** What can be gone through once (a generator). */
export class Lazy {
  readonly next: () => IteratorResult<Value>;
  constructor(items: Iterable<Value>) {
    const iterator = items[Symbol.iterator]();
    this.next = () => iterator.next();
  }
  [Symbol.iterator](): Iterator<Value> {
    return { next: this.next };
  }
}

/** Arguments by place and by name. */
export interface Given {
  readonly args: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** What can be called; attributes are what a template may ask it for. */
export class Callable {
  readonly name: string;
  readonly call: (given: Given) => Value;
  readonly attributes: ReadonlyMap<string, Value>;
  constructor(
    name: string,
    call: (given: Given) => Value,
    attributes: ReadonlyMap<string, Value> = new Map(),
  ) {
    this.name = name;
    this.call = call;
    this.attributes = attributes;
  }
}

/** Holds attributes that a template may set from within loops. */
export class Namespace {
  readonly attributes = new Map<string, Value>();
}

/** An object whose attributes are computed: `loop`, a cycler. */
export interface Computed {
  readonly typeName: string;
  attribute(name: string): Value | undefined;
  readonly call?: (given: Given) => Value;
}

/** A value of a template. */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Undefined
  | Value[]
  | Tuple
  | Dict
  | DictView
  | Range
  | Lazy
  | Callable
  | Namespace
  | Computed;

/** The name of a value's type, as Python's errors have it. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  const simple = { boolean: "bool", bigint: "int", number: "float", string: "str" } as const;
  const kind = typeof value;
  if (kind !== "object") return simple[kind as keyof typeof simple];
  if (Array.isArray(value)) return "list";
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Dict) return "dict";
  if (value instanceof DictView) return `dict_${value.kind}`;
  if (value instanceof Range) return "range";
  if (value instanceof Lazy) return "generator";
  if (value instanceof Callable) return "function";
  if (value instanceof Namespace) return "Namespace";
  return (value as Computed).typeName;
}

/** Whether a value's attributes are worked out when they are asked for. */
export const isComputed = (value: Value): value is Computed =>
  typeof value === "object" && value !== null && "attribute" in value;

/** The value that stands for parsed JSON; whole numbers are ints. Fields that are undefined are left out. */
export const fromJson = (json: unknown): Value => {
  if (typeof json === "number") return Number.isInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(fromJson);
  if (typeof json !== "object" || json === null) return (json ?? null) as Value;
  const fields = Object.entries(json).filter(([, value]) => value !== undefined);
  return new Dict(fields.map(([key, value]) => [key, fromJson(value)] as const));
};
