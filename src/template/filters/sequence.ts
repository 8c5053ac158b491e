/** Filters of lists and other values with items. */
import { follow, item, listOf } from "../access.ts";
import { bind } from "../functions.ts";
import { iterate, length, parts, toIndex } from "../values/iterate.ts";
import { binary, equals, order, truth } from "../values/operators.ts";
import { str } from "../values/printed.ts";
import {
  Dict,
  Group,
  Lazy,
  TemplateFault,
  Tuple,
  typeFault,
  typeName,
  Undefined,
  type Value,
} from "../values/values.ts";
import { type Calls, type Filter, type Filters, filter } from "./filter.ts";

/** What values are compared by: an attribute where one is named, texts in lower case unless told. */
const key =
  (attribute: Value, cased: Value): ((value: Value) => Value) =>
  (value) => {
    const own = attribute === null ? value : follow(value, attribute);
    return typeof own === "string" && !truth(cased) ? own.toLowerCase() : own;
  };

/** In rising order by a key, or falling; equals stay as they are. */
const inOrder = (values: readonly Value[], by: (value: Value) => Value, reverse: Value): Value[] => {
  const keyed = values.map((value) => [by(value), value] as const);
  const sign = truth(reverse) ? -1 : 1;
  return keyed.toSorted(([a], [b]) => sign * order(a, b)).map(([, value]) => value);
};

/** Several attributes with commas between sort by one behind the other. */
const sorted = filter(
  [
    ["reverse", false],
    ["case_sensitive", false],
    ["attribute", null],
  ],
  (value, reverse, cased, attribute) => {
    const names = typeof attribute === "string" ? attribute.split(",") : [attribute!];
    // A tuple even of one: what is not there equals what is not there, though neither is less.
    const by = (own: Value): Value => new Tuple(names.map((name) => key(name, cased!)(own)));
    return inOrder(listOf(value), by, reverse!);
  },
);

const dictsort = filter(
  [
    ["case_sensitive", false],
    ["by", "key"],
    ["reverse", false],
  ],
  (value, cased, by, reverse) => {
    if (!(value instanceof Dict)) return typeFault(`'${typeName(value)}' object has no items`);
    const pairs = value.entries().map((entry) => new Tuple(entry));
    const at = by === "value" ? 1n : 0n;
    return inOrder(pairs, (pair) => key(at, cased!)(pair), reverse!);
  },
);

const groups = filter(
  ["attribute", ["default", null], ["case_sensitive", false]],
  (value, attribute, fallback, cased) => {
    const own = (one: Value): Value => {
      const found = follow(one, attribute!);
      return found instanceof Undefined && fallback !== null ? fallback! : found;
    };
    const by = (one: Value) => key(null, cased!)(own(one));
    const made: { by: Value; first: Value; items: Value[] }[] = [];
    for (const one of inOrder(listOf(value), by, false)) {
      const last = made.at(-1);
      if (last !== undefined && equals(last.by, by(one))) last.items.push(one);
      else made.push({ by: by(one), first: truth(cased!) ? by(one) : own(one), items: [one] });
    }
    return made.map(({ first, items }) => new Group([first, items]));
  },
);

/** What each item becomes: nothing is looked at before it is asked for. */
const lazily = (value: Value, become: (one: Value) => readonly Value[]): Lazy =>
  new Lazy(
    (function* () {
      for (const one of iterate(value)) yield* become(one);
    })(),
  );

const unique = filter(
  [
    ["case_sensitive", false],
    ["attribute", null],
  ],
  (value, cased, attribute) => {
    const seen = new Dict();
    const by = key(attribute!, cased!);
    return new Lazy(
      listOf(value).filter((one) => {
        const known = seen.has(by(one));
        if (!known) seen.set(by(one), null);
        return !known;
      }),
    );
  },
);

const extreme = (sign: number) =>
  filter(
    [
      ["case_sensitive", false],
      ["attribute", null],
    ],
    (value, cased, attribute) => {
      const by = key(attribute!, cased!);
      const [first, ...rest] = listOf(value);
      if (first === undefined) return new Undefined("No aggregated item, sequence was empty.");
      return rest.reduce((best, one) => (sign * order(by(one), by(best)) > 0 ? one : best), first);
    },
  );

/** The filter, or the attribute, over each item. */
const map: Filter = (value, { args, named }, calls) => {
  if (args.length === 0 && named.has("attribute")) {
    const [attribute, fallback] = bind("map", ["attribute", ["default", null]], { args, named });
    const of = (one: Value): Value => {
      const found = follow(one, attribute!);
      return found instanceof Undefined && fallback !== null ? fallback! : found;
    };
    return lazily(value, (one) => [of(one)]);
  }
  const [name, ...rest] = args;
  if (typeof name !== "string")
    throw new TemplateFault("FilterArgumentError: map requires a filter argument");
  return lazily(value, (one) => [calls.filter(name, one, { args: rest, named })]);
};

/** Items that a test, or their truth, chooses; of `attr` by an attribute. */
const chosen =
  (keep: boolean, attr: boolean): Filter =>
  (value, { args, named }, calls: Calls) => {
    const [attribute, name, ...rest] = attr ? args : [null, ...args];
    if (attr && attribute === undefined) {
      throw new TemplateFault("FilterArgumentError: Missing parameter for attribute name");
    }
    const passes = (one: Value): boolean => {
      const own = attr ? follow(one, attribute!) : one;
      return name === undefined || name === null
        ? truth(own)
        : calls.test(str(name), own, { args: rest, named });
    };
    return lazily(value, (one) => (passes(one) === keep ? [one] : []));
  };

const reversed = filter([], (value) => {
  if (typeof value === "string") return [...(parts(value) as string[])].reverse().join("");
  return new Lazy(listOf(value).reverse());
});

const sum = filter(
  [
    ["attribute", null],
    ["start", 0n],
  ],
  (value, attribute, start) => {
    const own = (one: Value): Value => (attribute === null ? one : follow(one, attribute!));
    return listOf(value).reduce<Value>((total, one) => binary("+", total, own(one)), start!);
  },
);

const inBatches = (items: readonly Value[], size: number, fill: Value): Value[][] => {
  const rows: Value[][] = [];
  for (let at = 0; at < items.length; at += size) rows.push(items.slice(at, at + size));
  const last = rows.at(-1);
  if (fill !== null && last !== undefined) while (last.length < size) last.push(fill);
  return rows;
};

const inSlices = (items: readonly Value[], count: number, fill: Value): Value[][] => {
  const [least, more] = [Math.floor(items.length / count), items.length % count];
  let at = 0;
  return Array.from({ length: count }, (_, i) => {
    const end = at + least + (i < more ? 1 : 0);
    const own = items.slice(at, end);
    at = end;
    if (fill !== null && i >= more) own.push(fill);
    return own;
  });
};

/** Rows that are made when they are asked for. */
const rows = (make: typeof inBatches, count: string) =>
  filter([count, ["fill_with", null]], (value, size, fill) => {
    const made = function* (): Generator<Value> {
      yield* make(listOf(value), Math.max(1, toIndex(size!)), fill!);
    };
    return new Lazy(made());
  });

/** Filters of lists and other values with items. */
export const sequenceFilters: Filters = {
  list: filter([], listOf),
  length: filter([], length),
  count: filter([], length),
  first: filter([], (value) => {
    for (const one of iterate(value)) return one;
    return new Undefined("No first item, sequence was empty.");
  }),
  last: filter([], (value) => {
    if (value instanceof Lazy) return typeFault("'generator' object is not reversible");
    return listOf(value).at(-1) ?? new Undefined("No last item, sequence was empty.");
  }),
  join: filter(
    [
      ["d", ""],
      ["attribute", null],
    ],
    (value, by, attribute) =>
      Array.from(iterate(value), (one) => str(attribute === null ? one : follow(one, attribute!))).join(
        str(by!),
      ),
  ),
  items: filter([], (value) => {
    const pairs = function* (): Generator<Value> {
      if (value instanceof Undefined) return;
      if (!(value instanceof Dict)) return typeFault("Can only get item pairs from a mapping.");
      yield* value.entries().map((entry) => new Tuple(entry));
    };
    return new Lazy(pairs());
  }),
  attr: filter(["name"], (value, name) => {
    const found =
      value instanceof Dict ? new Undefined(`no attribute '${str(name!)}'`) : item(value, str(name!));
    return found;
  }),
  reverse: reversed,
  sort: sorted,
  dictsort,
  groupby: groups,
  unique,
  min: extreme(-1),
  max: extreme(1),
  sum,
  map,
  select: chosen(true, false),
  reject: chosen(false, false),
  selectattr: chosen(true, true),
  rejectattr: chosen(false, true),
  batch: rows(inBatches, "linecount"),
  slice: rows(inSlices, "slices"),
};
