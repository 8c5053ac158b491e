/** Changes of a JSON text, as a tree that can also say what JSON.parse cannot keep: a key twice. */
import type { Rng } from "../../src/util/rng.ts";
import { integers, type Mutate, mutateBytes, orBytes, pick } from "./bytes.ts";

export type Tree =
  | { readonly kind: "object"; readonly entries: [string, Tree][] }
  | { readonly kind: "list"; readonly items: Tree[] }
  | { readonly kind: "raw"; readonly text: string };

export const raw = (text: string): Tree => ({ kind: "raw", text });

export const treeOf = (value: unknown): Tree => {
  if (Array.isArray(value)) return { kind: "list", items: value.map(treeOf) };
  if (typeof value === "object" && value !== null)
    return { kind: "object", entries: Object.entries(value).map(([key, one]) => [key, treeOf(one)]) };
  return raw(JSON.stringify(value));
};

export const textOf = (tree: Tree): string => {
  if (tree.kind === "raw") return tree.text;
  if (tree.kind === "list") return `[${tree.items.map(textOf).join(",")}]`;
  return `{${tree.entries.map(([key, value]) => `${JSON.stringify(key)}:${textOf(value)}`).join(",")}}`;
};

/** Where a value stands in what holds it. */
interface Place {
  readonly holder: Tree & { kind: "object" | "list" };
  readonly index: number;
}

const placesIn = (tree: Tree, found: Place[] = []): Place[] => {
  if (tree.kind === "raw") return found;
  const inner = tree.kind === "list" ? tree.items : tree.entries.map(([, value]) => value);
  inner.forEach((value, index) => {
    found.push({ holder: tree, index });
    placesIn(value, found);
  });
  return found;
};

const at = ({ holder, index }: Place): Tree =>
  holder.kind === "list" ? holder.items[index]! : holder.entries[index]![1];

const put = ({ holder, index }: Place, value: Tree): void => {
  if (holder.kind === "list") holder.items[index] = value;
  else holder.entries[index]![1] = value;
};

const names = ["__proto__", "constructor", "toString", "length", "hasOwnProperty", "", "type", "0", "-1"];
const texts = [
  "",
  " ",
  "\u0000",
  "é",
  "😀",
  "\ud800",
  "../x",
  "NaN",
  "true",
  "0",
  "a".repeat(1000),
  "[",
  "\\",
];

const nested = (random: Rng): Tree => {
  const depth = pick(random, [3, 60, 70, 500, 5000, 20_000]);
  return raw(
    random.int(2) === 0
      ? "[".repeat(depth) + "]".repeat(depth)
      : `${'{"a":'.repeat(depth)}0${"}".repeat(depth)}`,
  );
};

const value = (random: Rng): Tree => {
  const text = JSON.stringify(pick(random, random.int(3) === 0 ? names : texts));
  return pick<() => Tree>(random, [
    () => raw(String(pick(random, integers))),
    () => raw(pick(random, ["0.5", "-0", "1e308", "1e999", "-1e-999", "3.0", "1e5", "1e10"])),
    () => raw(pick(random, ["null", "true", "false", "[]", "{}", '""'])),
    () => raw(text),
    () => raw(`[${text}]`),
    () => raw(`{${text}:${pick(random, integers)}}`),
    () => raw(`[${Array(pick(random, [2, 100, 3000])).fill(pick(random, ["0", "null", text, "[]"]))}]`),
    () => nested(random),
  ])();
};

type Change = (place: Place, random: Rng, places: readonly Place[]) => void;

const changes: readonly Change[] = [
  (place, random) => put(place, value(random)),
  (place, random) => put(place, value(random)),
  // A number near the one that is there.
  (place, random) => {
    const own = at(place);
    const number = own.kind === "raw" ? Number(own.text) : Number.NaN;
    if (Number.isNaN(number)) return put(place, value(random));
    put(
      place,
      raw(String(pick(random, [number + 1, number - 1, -number, number * 2, number / 2, number * 1e6]))),
    );
  },
  ({ holder, index }) => void (holder.kind === "list" ? holder.items : holder.entries).splice(index, 1),
  // Twice: in an object the key stands twice.
  ({ holder, index }) => {
    if (holder.kind === "list") holder.items.splice(index, 0, holder.items[index]!);
    else holder.entries.splice(index, 0, [...holder.entries[index]!]);
  },
  ({ holder, index }, random) => {
    if (holder.kind === "object") holder.entries[index]![0] = pick(random, names);
    else holder.items.splice(index, 0, value(random));
  },
  ({ holder }, random) => {
    if (holder.kind === "object") holder.entries.push([pick(random, names), value(random)]);
    else holder.items.push(value(random));
  },
  // A value or a name from elsewhere.
  (place, random, places) => {
    const other = at(pick(random, places));
    put(place, raw(textOf(other)));
  },
  ({ holder, index }, random, places) => {
    const other = pick(random, places);
    if (holder.kind === "object" && other.holder.kind === "object")
      holder.entries[index]![0] = other.holder.entries[other.index]![0];
  },
  (place, random) => {
    const own = textOf(at(place));
    put(place, raw(pick(random, [`[${own}]`, `{"a":${own}}`, JSON.stringify(own)])));
  },
];

/** A tree of the text with one change; undefined where it is not JSON. */
export const changedJson = (text: string, random: Rng): string | undefined => {
  let tree: Tree;
  try {
    tree = treeOf(JSON.parse(text));
    const places = placesIn(tree);
    if (places.length === 0) return textOf(value(random));
    // Outer places are few and matter most.
    const outer = places.filter(({ holder }) => holder === tree);
    pick(random, changes)(pick(random, random.int(3) === 0 ? outer : places), random, places);
    return textOf(tree);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
};

/** One change of a JSON text. */
export const mutateJson: Mutate = orBytes((bytes, random, others) => {
  const changed = changedJson(new TextDecoder().decode(bytes), random);
  return changed === undefined ? mutateBytes(bytes, random, others) : new TextEncoder().encode(changed);
}, 6);

export const jsonBytes = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
