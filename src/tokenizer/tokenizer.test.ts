import { Tokenizer as Reference } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { charTokenizer, loadTokenizer, type Tokenizer, trainBpe } from "./index.ts";

const texts = [
  "It's a small corpus: we'll repeat it, we'll repeat it, and it's repeated.\n\n  Indented lines\n\tand tabs.\r\n",
  "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. 日本語のテキスト。 🎉🎉 123 12345 ...!!!",
  "function add(a, b) {\n  return a + b;\n}\n".repeat(5),
];
const hostile =
  "Hello  world\r\n\r\n  it's we'll 日本語 🎉🎉\u0000\u0001\t\t x\u00a0y ﷽ e\u0301 don't   \n\n\n <endoftext> 'S 'LL 12a34   ";

const bpe = trainBpe(texts, { vocab: 400 });
const char = charTokenizer(texts);
const reference = (t: Tokenizer) => {
  const { tokenizer, config } = t.files();
  return new Reference(tokenizer as object, config as object);
};

describe.each([
  ["bpe", bpe],
  ["char", char],
] as const)("%s", (_, tokenizer) => {
  test("gives the ids of @huggingface/tokenizers", () => {
    const theirs = reference(tokenizer);
    for (const text of [...texts, hostile, "", " ", "\n", "a"]) {
      expect(Array.from(tokenizer.encode(text))).toEqual(theirs.encode(text).ids);
    }
    const special = "one<|endoftext|>two";
    expect(Array.from(tokenizer.encode(special, { special: true }))).toEqual(theirs.encode(special).ids);
  });

  test("is the same after saving and loading", () => {
    const { tokenizer: json, config } = tokenizer.files();
    const again = loadTokenizer(JSON.parse(JSON.stringify(json)), JSON.parse(JSON.stringify(config)));
    expect(again.vocabSize).toBe(tokenizer.vocabSize);
    expect(again.eos).toBe(tokenizer.eos);
    for (const text of [...texts, hostile]) expect(again.encode(text)).toEqual(tokenizer.encode(text));
    expect(again.files()).toEqual(tokenizer.files());
  });

  test("special tokens in a user's text stay text", () => {
    expect(Array.from(tokenizer.encode("<|endoftext|>"))).not.toContain(tokenizer.eos);
  });
});

test("bpe round trip of any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(bpe.decode(bpe.encode(text))).toBe(text);
    }),
    { numRuns: 500 },
  );
});

test("bytes of the tokens are the bytes of the text", () => {
  const ids = bpe.encode(hostile);
  const bytes = Array.from(ids, (id) => Array.from(bpe.bytesOf(id))).flat();
  expect(Uint8Array.from(bytes)).toEqual(new TextEncoder().encode(hostile));
});

test("a stream holds back incomplete characters", () => {
  const decoder = bpe.streamDecoder();
  const pieces = Array.from(bpe.encode("🎉é"), (id) => decoder.push(id));
  expect(pieces.join("") + decoder.end()).toBe("🎉é");
  for (const piece of pieces) expect(piece).not.toContain("\ufffd");
});

test("training is a pure function of the text, and merges the most frequent pair first", () => {
  expect(trainBpe(texts, { vocab: 400 }).files()).toEqual(bpe.files());
  const tiny = trainBpe(["ababab abab"], { vocab: 258 });
  expect(tiny.vocabSize).toBe(258);
  expect(tiny.idOf("ab")).toBe(257);
});

test("a word of 100,000 characters takes no quadratic time", () => {
  const word = "ab".repeat(50_000);
  const tokenizer = trainBpe(["abababab abab ababab"], { vocab: 262 });
  expect(tokenizer.decode(tokenizer.encode(word))).toBe(word);
});

test("what cannot be done is said", () => {
  expect(() => trainBpe(texts, { vocab: 200 })).toThrow(/at least 257/);
  expect(() => trainBpe([], { vocab: 300 })).toThrow(/no text/);
  expect(() => loadTokenizer({ model: { type: "Unigram" } })).toThrow(/model.vocab/);
  expect(() => loadTokenizer({ model: { type: "BPE", vocab: { a: 1 }, merges: [] } }).eos).toThrow(
    /ends a text/,
  );
});
