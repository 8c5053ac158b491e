import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { charTokenizer } from "../tokenizer/index.ts";
import { ConfigError } from "../util/errors.ts";
import { normalized } from "./dedup/lines.ts";
import {
  batches,
  clean,
  cleanText,
  type Document,
  dedup,
  evalBatches,
  hash128,
  pack,
  split,
  stageRecorder,
} from "./index.ts";

const collect = async (documents: AsyncIterable<Document>): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of documents) list.push(doc);
  return list;
};
const docs = (...texts: string[]): Document[] => texts.map((text, i) => ({ id: `doc${i}`, text }));
test("the hash is MurmurHash3 x86_128", () => {
  const of = (text: string) => hash128(new TextEncoder().encode(text));
  expect(of("")).toBe("0".repeat(32));
  expect(of("The quick brown fox jumps over the lazy dog")).toBe("2f1583c3ecee2c675d7bf66ce5e91d2c");
  expect(new Set(Array.from({ length: 40 }, (_, i) => of("x".repeat(i)))).size).toBe(40);
});

describe("clean", () => {
  test("cleaning twice changes nothing more", () => {
    const unit = fc.constantFrom(
      "a",
      " ",
      "\n",
      "\r",
      "\t",
      "\u0000",
      "\u00a0",
      "e\u0301",
      "\ud800",
      "\u2028",
      "\ufeff",
      "\ud83d\ude00",
    );
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 40 }),
        (text) => cleanText(cleanText(text)) === cleanText(text),
      ),
    );
  });

  test("drops halves of characters, and takes time in proportion to runs of spaces", () => {
    expect(cleanText("a\ud83d b\udc00c \ud83d\ude00")).toBe("a bc \ud83d\ude00");
    expect(cleanText(`x${" ".repeat(300_000)}y${" ".repeat(300_000)}\nz`)).toHaveLength(300_004);
  });

  test("bytes and documents add up", async () => {
    const record = stageRecorder("clean");
    const kept = await collect(clean(docs("a\r\n\u00e9 ", "\u0000", "null"), record));
    expect(kept.map(({ text }) => text)).toEqual(["a\n\u00e9"]);
    expect(record.report()).toMatchObject({ docsIn: 3, docsOut: 1, bytesIn: 6 + 1 + 4, bytesOut: 4 });
  });
});

describe("duplicates", () => {
  test("only the first of equal texts stays, and examples are at most five", async () => {
    const record = stageRecorder("dedup");
    const kept = await collect(dedup(docs("a b", ...Array.from({ length: 9 }, () => "a b"), "A  b"), record));
    expect(kept.map(({ id }) => id)).toEqual(["doc0", "doc10"]);
    expect(record.report().reasons[0]).toMatchObject({ count: 9 });
    expect(record.report().reasons[0]!.examples).toHaveLength(5);
  });
});

describe("split", () => {
  test("one huge document does not become the held-out part", () => {
    const given = docs(
      "x".repeat(100_000),
      ...Array.from({ length: 50 }, (_, i) => `document ${i} `.repeat(20)),
    );
    for (let seed = 0; seed < 20; seed++) {
      const { train, validation } = split(given, 0.05, seed);
      expect(validation.map(({ id }) => id)).not.toContain("doc0");
      expect(validation.length).toBeGreaterThan(0);
      expect(train.length + validation.length).toBe(51);
    }
  });

  test("neither part is empty, whatever the share", () => {
    for (const share of [0.001, 0.5, 0.999]) {
      const { train, validation } = split(docs("a", "bb"), share, 1);
      expect([train.length, validation.length]).toEqual([1, 1]);
    }
    expect(() => split(docs("a", "b"), 0, 1)).toThrow(ConfigError);
    expect(() => split(docs("a", "b"), Number.NaN, 1)).toThrow(ConfigError);
  });

  test("the seed decides", () => {
    const given = docs(...Array.from({ length: 60 }, (_, i) => `text ${i}`));
    const held = (seed: number) => split(given, 0.2, seed).validation.map(({ id }) => id);
    expect(held(1)).toEqual(held(1));
    expect(held(1)).not.toEqual(held(2));
  });
});

test("packed tokens decode to the documents, and bytes are counted for bits per byte", () => {
  const given = docs("h\u00e9", "", "\ud83d\ude00 x");
  const tokenizer = charTokenizer(given.map(({ text }) => text));
  const { tokens, bytes, documents } = pack(given, tokenizer);
  expect([bytes, documents, tokens.length]).toEqual([3 + 6, 3, 2 + 3 + 3]);
  expect(tokenizer.decode(tokens, { keepSpecial: true }).split("<|endoftext|>").slice(0, 3)).toEqual(
    given.map((d) => d.text),
  );
});

test("sizes that make no batch are refused", () => {
  const tokens = new Uint32Array(100);
  for (const size of [0, -1, 1.5, Number.NaN]) {
    expect(() => batches({ tokens, batch: size, context: 4 })).toThrow(ConfigError);
    expect(() => evalBatches({ tokens, batch: 2, context: size })).toThrow(ConfigError);
  }
});

test("spaces and case make no difference to what counts as equal", () => {
  expect(normalized(" A\n\tb ")).toBe("a b");
});
