import { existsSync, readFileSync } from "node:fs";
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError, DataError } from "../util/errors.ts";
import { bpe, char, corpus, hostile, idsOf, repeated, unicode } from "./contract.fixture.ts";
import { charTokenizer, type Tokenizer, trainBpe } from "./index.ts";

const words = fc.string({
  unit: fc.constantFrom("a", "b", " ", "'", "s", "\n", "1", "\u00e9", "\ud83d\ude00"),
  maxLength: 60,
});

const hfOf = (tokenizer: Tokenizer) => {
  const { tokenizer: json, config } = JSON.parse(JSON.stringify(tokenizer.files()));
  return new HfTokenizer(json, config);
};

describe("byte-level BPE", () => {
  test("has the vocabulary asked for: special tokens, bytes, merges", () => {
    expect(bpe.vocabSize).toBe(420);
    expect([bpe.eos, bpe.idOf("<|end|>"), bpe.idOf("!")]).toEqual([0, 1, 3 + 33]);
    expect(new Set(bpe.encode("the")).size).toBe(1);
    expect(trainBpe(["ab"], { vocab: 257 }).vocabSize).toBe(257);
  });

  test("decode(encode(text)) is the text for all of Unicode", () => {
    fc.assert(
      fc.property(unicode, (text) => bpe.decode(bpe.encode(text)) === text),
      { numRuns: 500 },
    );
    for (const text of hostile) expect(bpe.decode(bpe.encode(text))).toBe(text);
    expect(bpe.decode(bpe.encode("\ud800x"))).toBe("\ufffdx");
  });

  test("gives the ids and texts of @huggingface/tokenizers", () => {
    const hf = hfOf(bpe);
    for (const text of [...corpus, ...hostile]) {
      expect(idsOf(bpe, text)).toEqual(hf.encode(text).ids);
      if (text !== "") expect(hf.decode(hf.encode(text).ids)).toBe(text);
    }
    fc.assert(
      fc.property(fc.oneof(unicode, words), (t) => {
        expect(idsOf(bpe, t)).toEqual(hf.encode(t).ids);
      }),
    );
  });

  test("gives the same ids as the reference for any corpus, also where two merges spell one token", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 12 }), letters, (texts, text) => {
        const tokenizer = trainBpe(texts, { vocab: 330 });
        expect(idsOf(tokenizer, text)).toEqual(hfOf(tokenizer).encode(text).ids);
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        const json = tokenizer.files().tokenizer as { model: { vocab: object } };
        expect(Object.keys(json.model.vocab).length).toBe(tokenizer.vocabSize);
      }),
      { numRuns: 150 },
    );
  });

  test("merges the most frequent pair first, ties by lower ids", () => {
    const { tokenizer } = trainBpe(["ab ab ab cd cd cd ef ef"], { vocab: 257 + 4 }).files();
    // " c", "ab" and "cd" occur three times, and the space has the lowest id of their first bytes.
    const { merges } = (tokenizer as { model: { merges: string[] } }).model;
    expect(merges).toEqual(["\u0120 c", "a b", "\u0120c d", "\u0120 e"]);
  });

  test("special tokens in a text are plain text unless asked for", () => {
    const text = "a<|endoftext|>b<|endoftext|>x";
    expect(idsOf(bpe, text, false)).not.toContain(0);
    expect(bpe.decode(bpe.encode(text))).toBe(text);
    const ids = idsOf(bpe, text);
    expect(ids.filter((id) => id < 3)).toEqual([0, 2]);
    expect(bpe.decode(ids)).toBe("ab");
    expect(bpe.decode(ids, { keepSpecial: true })).toBe(text);
  });

  test("counts bytes, and none for special tokens", () => {
    const text = corpus[2]!;
    const ids = bpe.encode(text);
    const bytes = new TextEncoder().encode(text);
    expect(bpe.decodeBytes(ids)).toEqual(bytes);
    expect([...ids].reduce((sum, id) => sum + bpe.bytesOf(id).length, 0)).toBe(bytes.length);
    expect(bpe.bytesOf(bpe.eos).length).toBe(0);
    // Models have rows that no token has.
    expect(bpe.bytesOf(420).length).toBe(0);
    expect(bpe.decode([3 + 32 + 33, 9999])).toBe(bpe.decode([3 + 32 + 33]));
    for (const id of [-1, 0.5, Number.NaN]) expect(() => bpe.decode([id])).toThrow(ConfigError);
  });

  test("streams whole characters only", () => {
    const text = "x\ud83d\ude00y\u4f60\ufeff";
    const stream = bpe.streamDecoder();
    const parts = [...new TextEncoder().encode(text)].map((byte) => stream.push(3 + byte));
    expect(parts.join("") + stream.end()).toBe(text);
    expect(parts.filter((part) => part.includes("\ufffd"))).toEqual([]);
    stream.push(3 + 0xf0);
    expect(stream.end()).toBe("\ufffd");
  });

  test("is a pure function of the text", () => {
    const again = trainBpe(repeated, {
      vocab: 420,
      specialTokens: ["<|endoftext|>", "<|end|>", "<|endoftext|>x"],
    });
    expect(again.files()).toEqual(bpe.files());
  });

  test("long words take time in proportion", () => {
    const text = "ab".repeat(200_000);
    const tokenizer = trainBpe([text], { vocab: 300 });
    expect(tokenizer.decode(tokenizer.encode(`${text}c`))).toBe(`${text}c`);
    expect(tokenizer.encode(" ".repeat(500_000)).length).toBeGreaterThan(0);
  });

  test("refuses what it cannot do", () => {
    const stop = new AbortController();
    stop.abort(new Error("stopped"));
    expect(() => trainBpe(["a"], { vocab: 256 })).toThrow(ConfigError);
    expect(() => trainBpe(["a"], { vocab: 300.5 })).toThrow(ConfigError);
    expect(() => trainBpe(["a"], { vocab: 300, specialTokens: [] })).toThrow(ConfigError);
    expect(() => trainBpe(["a"], { vocab: 300, specialTokens: ["<a>", "<a>"] })).toThrow("twice");
    expect(() => trainBpe(["the the the"], { vocab: 300, specialTokens: ["the"] })).toThrow("ordinary token");
    expect(() => trainBpe(["", ""], { vocab: 300 })).toThrow(DataError);
    expect(() => trainBpe(["a"], { vocab: 300, signal: stop.signal })).toThrow("stopped");
  });

  const shakespeare = `${process.env.ANNEAL_DATA ?? "../shared/data"}/tinyshakespeare.txt`;
  test.skipIf(!existsSync(shakespeare))("learns real text (skipped where the data folder is absent)", () => {
    const text = readFileSync(shakespeare, "utf8").slice(0, 300_000);
    const done: number[] = [];
    const tokenizer = trainBpe([text], { vocab: 1024, onProgress: (n) => done.push(n) });
    const ids = tokenizer.encode(text);
    expect(done.at(-1)).toBe(512);
    expect(text.length / ids.length).toBeGreaterThan(2.5);
    expect([...ids]).toEqual(hfOf(tokenizer).encode(text).ids);
  });
});

describe("characters", () => {
  test("are the code points of the text in order, after the special tokens", () => {
    const tokenizer = charTokenizer(["b\na", "\ud83d\ude00a \ud800"]);
    expect(tokenizer.vocabSize).toBe(2 + 5);
    expect(idsOf(tokenizer, "\n ab\ud83d\ude00z")).toEqual([2, 3, 4, 5, 6, 1]);
  });

  test("round trip what was seen, and the rest is unknown", () => {
    const seen = fc.string({ unit: fc.constantFrom(...new Set(corpus.flatMap((text) => [...text]))) });
    fc.assert(fc.property(seen, (text) => char.decode(char.encode(text)) === text));
    expect(char.decode(char.encode("\u2603"), { keepSpecial: true })).toBe("<unk>");
  });

  test("give the ids and texts of @huggingface/tokenizers", () => {
    const hf = hfOf(char);
    for (const text of [...corpus, ...hostile]) expect(idsOf(char, text)).toEqual(hf.encode(text).ids);
    for (const text of corpus) expect(hf.decode(hf.encode(text).ids)).toBe(text);
    fc.assert(
      fc.property(unicode, (text) => {
        expect(idsOf(char, text)).toEqual(hf.encode(text).ids);
      }),
    );
  });

  test("need text", () => expect(() => charTokenizer([""])).toThrow(DataError));
});
