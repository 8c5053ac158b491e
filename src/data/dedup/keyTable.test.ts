import { expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { hash128, hash128Into, textHasher } from "./hash.ts";
import { exactIndex, keyTable } from "./keyTable.ts";

test("does what a map of strings does, through many growths", () => {
  for (const width of [1, 2, 4]) {
    const random = rng(width, "keyTable.test");
    const table = keyTable(width);
    const map = new Map<string, number>();
    for (let value = 0; value < 20_000; value++) {
      // Few different words: keys share their first word and differ in a later one.
      const key = Uint32Array.from({ length: width + 1 }, () => random.int(width === 1 ? 9000 : 60));
      const name = key.subarray(1).join();
      const expected = map.get(name) ?? -1;
      const replace = value % 3 === 0;
      const before = replace ? table.swap(key, 1, value) : table.put(key, 1, value);
      if (before !== expected) throw new Error(`${name}: ${before}, not ${expected}`);
      if (replace || expected < 0) map.set(name, value);
    }
    expect(table.size).toBe(map.size);
  }
});

test("holds the key of zeros and the number 0", () => {
  const table = keyTable(2);
  expect(table.put(new Uint32Array(2), 0, 0)).toBe(-1);
  expect(table.put(new Uint32Array(2), 0, 5)).toBe(0);
});

test("holds numbers up to 2^32 - 2, and refuses others", () => {
  const table = keyTable(1);
  expect(table.put(Uint32Array.of(1), 0, 0xfffffffe)).toBe(-1);
  expect(table.put(Uint32Array.of(1), 0, 1)).toBe(0xfffffffe);
  for (const value of [-1, 0xffffffff, Number.NaN])
    expect(() => table.put(Uint32Array.of(2), 0, value)).toThrow(ConfigError);
  expect(() => keyTable(0)).toThrow(ConfigError);
});

test("a table made for many keys does not grow", () => {
  const table = keyTable(2, 1000);
  const before = table.bytes;
  for (let i = 0; i < 1000; i++) table.put(Uint32Array.of(Math.imul(i, 0x9e3779b1), i), 0, i);
  expect(table.bytes).toBe(before);
});

test("an exact index names the first document with the same text", () => {
  const [index, hash] = [exactIndex(), textHasher()];
  const words = new Uint32Array(4);
  const add = (text: string, document: number): number => {
    hash(text, words);
    return index.add(words, document);
  };
  expect(["a", "b", "a", "ü", "b", "a"].map(add)).toEqual([-1, -1, 0, -1, 1, 0]);
  expect(Array.from({ length: 5000 }, (_, i) => add(`text ${i}`, i + 6)).every((i) => i === -1)).toBe(true);
  expect(index.bytes / 5006).toBeLessThan(80);
});

test("the hash of a text is that of its bytes, whatever texts came before", () => {
  const hash = textHasher();
  const random = rng(1, "hash.test");
  for (let i = 0; i < 200; i++) {
    const length = random.int(70) + (i === 100 ? 100_000 : 0);
    const text = Array.from({ length }, () => String.fromCodePoint(random.int(0xd000))).join("");
    const [words, direct] = [new Uint32Array(4), new Uint32Array(4)];
    const bytes = new TextEncoder().encode(text);
    hash(text, words);
    hash128Into(bytes, bytes.length, direct);
    expect(words).toEqual(direct);
    expect(Array.from(words, (x) => x.toString(16).padStart(8, "0")).join("")).toBe(hash128(bytes));
  }
});
