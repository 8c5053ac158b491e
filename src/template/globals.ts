/** Functions that every template has: Jinja's own, and those of transformers. */
import { callable } from "./functions.ts";
import { iterate, toIndex, valueFault } from "./values/iterate.ts";
import { str } from "./values/printed.ts";
import { strftime } from "./values/strftime.ts";
import {
  Callable,
  type Computed,
  Dict,
  type Given,
  Namespace,
  Range,
  Refusal,
  TemplateFault,
  Undefined,
  type Value,
} from "./values/values.ts";

/** The longest range that the sandbox allows. */
const LONGEST = 100_000;

const range = new Callable("range", ({ args }) => {
  if (args.length < 1 || args.length > 3)
    throw new TemplateFault("TypeError: range expected 1 to 3 arguments");
  const [a, b, c] = args.map((value) => {
    toIndex(value);
    return BigInt(value as bigint);
  });
  const made = b === undefined ? new Range(0n, a!, 1n) : new Range(a!, b, c ?? 1n);
  if (made.step === 0n) return valueFault("range() arg 3 must not be zero");
  if (made.length <= LONGEST) return made;
  throw new TemplateFault(`OverflowError: Range too big. The sandbox blocks ranges larger than ${LONGEST}.`);
});

/** Entries of a mapping or of pairs, then what is named. */
const entriesOf = ({ args, named }: Given): (readonly [Value, Value])[] => {
  const own = args[0];
  const pairs =
    own === undefined
      ? []
      : own instanceof Dict
        ? own.entries()
        : Array.from(iterate(own), (pair) => [...iterate(pair)] as [Value, Value]);
  return [...pairs, ...named];
};

const namespace = new Callable("namespace", (given) => {
  const made = new Namespace();
  for (const [name, value] of entriesOf(given)) setAttribute(made, str(name), value);
  return made;
});

/** Sets what a template may set. */
export const setAttribute = (own: Namespace, name: string, value: Value): void => {
  if (name.startsWith("_")) {
    throw new TemplateFault(`SecurityError: a namespace holds no underscore-prefixed attribute, as ${name}`);
  }
  own.attributes.set(name, value);
};

const cycler = new Callable("cycler", ({ args }) => {
  if (args.length === 0) throw new TemplateFault("TypeError: at least one item has to be provided");
  let at = 0;
  const next = callable("next", [], () => args[at++ % args.length]!);
  const reset = callable("reset", [], () => {
    at = 0;
    return null;
  });
  const attributes: Readonly<Record<string, () => Value>> = {
    next: () => next,
    reset: () => reset,
    current: () => args[at % args.length]!,
  };
  return {
    typeName: "Cycler",
    attribute: (name) => (Object.hasOwn(attributes, name) ? attributes[name]!() : undefined),
  } satisfies Computed;
});

const joiner = callable("joiner", [["sep", ", "]], (by) => {
  let used = false;
  return new Callable("joiner", () => {
    const first = !used;
    used = true;
    return first ? "" : by!;
  });
});

const raise = callable("raise_exception", ["message"], (message) => {
  throw new Refusal(message instanceof Undefined ? "" : str(message!));
});

/** `now` has the local time in its UTC fields. */
export const globals = (now: Date): ReadonlyMap<string, Value> =>
  new Map<string, Value>([
    ["range", range],
    ["dict", new Callable("dict", (given) => new Dict(entriesOf(given)))],
    ["namespace", namespace],
    ["cycler", cycler],
    ["joiner", joiner],
    ["raise_exception", raise],
    ["strftime_now", callable("strftime_now", ["format"], (format) => strftime(now, str(format!)))],
  ]);
