/** What `loop` knows within a for (https://jinja.palletsprojects.com/en/stable/templates/#for). */
import { callable } from "./functions.ts";
import { equals } from "./values/operators.ts";
import {
  Callable,
  type Computed,
  type Given,
  TemplateFault,
  Tuple,
  Undefined,
  type Value,
} from "./values/values.ts";

/** The variable `loop` of a for. */
export interface Loop extends Computed {
  /** Goes on to the next item. */
  next(): void;
}

/** The loop over `items`; `again` runs the body of a recursive one over others. */
export const loopOver = (
  items: readonly Value[],
  depth: number,
  again: ((items: Value, depth: number) => string) | undefined,
): Loop => {
  let at = -1;
  let seen: Value | undefined;
  const beside = (index: number, which: string): Value =>
    items[index] ?? (index in items ? null : new Undefined(`there is no ${which} item`));
  const cycle = new Callable("cycle", ({ args }) => {
    if (args.length === 0) throw new TemplateFault("TypeError: no items for cycling given");
    return args[at % args.length]!;
  });
  const changed = new Callable("changed", ({ args }) => {
    const now = new Tuple(args);
    const same = seen !== undefined && equals(seen, now);
    seen = now;
    return !same;
  });
  const attributes: Readonly<Record<string, () => Value>> = {
    index: () => BigInt(at + 1),
    index0: () => BigInt(at),
    revindex: () => BigInt(items.length - at),
    revindex0: () => BigInt(items.length - at - 1),
    first: () => at === 0,
    last: () => at === items.length - 1,
    length: () => BigInt(items.length),
    depth: () => BigInt(depth),
    depth0: () => BigInt(depth - 1),
    previtem: () => beside(at - 1, "previous"),
    nextitem: () => beside(at + 1, "next"),
    cycle: () => cycle,
    changed: () => changed,
  };
  const recursion = callable("loop", ["iterable"], (inner) => {
    if (again === undefined) throw new TemplateFault("TypeError: The loop must have the 'recursive' marker.");
    return again(inner!, depth + 1);
  });
  return {
    typeName: "LoopContext",
    attribute: (name) => (Object.hasOwn(attributes, name) ? attributes[name]!() : undefined),
    call: (given: Given) => recursion.call(given),
    next: () => {
      at++;
    },
  };
};
