import { existsSync, readFileSync } from "node:fs";
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError, DataError, FormatError } from "../util/errors.ts";
import { charTokenizer, type Json, loadTokenizer, type Tokenizer, trainBpe } from "./index.ts";

const corpus = [
  "The quick brown fox jumps over the lazy dog. The dog's owner wasn't there; they'll see, we've been, I'm, he'd.\n",
  "def f(x):\n\treturn x  +  1  # \u00fcber na\u00efve caf\u00e9\r\n\r\n    indented\n\n\n",
  "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f \u041f\u0440\u0438\u0432\u0435\u0442 \ud83d\ude00\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67 12345 3.14",
  "the the the them then there these those a b c aa aaa aaaa",
];
const hostile = [
  "",
  " ",
  "   \n\n\t \r\n x",
  "<|endoftext|> <unk> <|endoftext|",
  "emoji \ud83d\ude00\ud83c\udffd\u200d\u2642\ufe0f \ud83c\uddeb\ud83c\uddf7 e\u0301 \u0000\u0001\u001b[31m\u007f\u0085\u00a0\u2028\ufeffend",
  "CRLF\r\nline\rold\n\ttab\u000b\u000c",
  "\u4e2d\u6587\u5b57\u7b26 \ud840\udc00 \ud55c\uad6d\uc5b4 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
  "'s 't 're 've 'm 'll 'd 'S ''s don't  'll",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "\u0661\u0662\u0663 \u2167 \u00bd x\u00b2 __proto__ constructor",
];
const unicode = fc.string({ unit: "binary", maxLength: 80 });
const words = fc.string({
  unit: fc.constantFrom("a", "b", " ", "'", "s", "\n", "1", "\u00e9", "\ud83d\ude00"),
  maxLength: 60,
});

const repeated = [...corpus, ...corpus, ...corpus];
const bpe = trainBpe(repeated, { vocab: 420, specialTokens: ["<|endoftext|>", "<|end|>", "<|endoftext|>x"] });
const char = charTokenizer(corpus);
const hfOf = (tokenizer: Tokenizer) => {
  const { tokenizer: json, config } = JSON.parse(JSON.stringify(tokenizer.files()));
  return new HfTokenizer(json, config);
};
const idsOf = (tokenizer: Tokenizer, text: string, special = true): number[] => [
  ...tokenizer.encode(text, { special }),
];

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

describe("files", () => {
  const reload = (tokenizer: Tokenizer): Tokenizer => {
    const { tokenizer: json, config } = JSON.parse(JSON.stringify(tokenizer.files()));
    return loadTokenizer(json, config);
  };

  test.each([
    ["bpe", bpe],
    ["char", char],
  ])("%s: what is loaded is what was saved", (_, tokenizer) => {
    const loaded = reload(tokenizer);
    expect(loaded.files()).toEqual(tokenizer.files());
    expect([loaded.kind, loaded.eos, loaded.vocabSize]).toEqual([
      tokenizer.kind,
      tokenizer.eos,
      tokenizer.vocabSize,
    ]);
    fc.assert(
      fc.property(unicode, (text) => {
        expect(loaded.encode(text)).toEqual(tokenizer.encode(text));
      }),
    );
    expect(
      (loaded.files({ modelMaxLength: 128 }).config as { model_max_length: number }).model_max_length,
    ).toBe(128);
  });

  type Root = {
    pre_tokenizer: Json;
    normalizer: Json;
    decoder: Json;
    post_processor: Json;
    added_tokens: object[];
    model: Record<string, Json>;
  };
  const changed = (change: (root: Root) => void): Root => {
    const root = JSON.parse(JSON.stringify(bpe.files().tokenizer)) as Root;
    change(root);
    return root;
  };
  const llama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });
  const split = (behavior: string, invert: boolean): Json => ({
    type: "Split",
    pattern: { Regex: llama3 },
    behavior,
    invert,
  });

  test.each<[string, (root: Root) => void]>([
    ["Llama 3's pattern", (r) => (r.pre_tokenizer = sequence(split("Isolated", false), byteLevel))],
    ["a pattern's matches", (r) => (r.pre_tokenizer = sequence(split("Removed", true), byteLevel))],
    [
      "digits apart",
      (r) =>
        (r.pre_tokenizer = sequence(
          { type: "Digits", individual_digits: true },
          { ...byteLevel, use_regex: true },
        )),
    ],
    ["a prefix space", (r) => (r.pre_tokenizer = { ...byteLevel, use_regex: true, add_prefix_space: true })],
    ["NFC", (r) => (r.normalizer = { type: "NFC" })],
    ["merges as pairs", (r) => (r.model.merges = (r.model.merges as string[]).map((m) => m.split(" ")))],
    ["whole words first", (r) => (r.model.ignore_merges = true)],
    ["no type", (r) => delete r.model.type],
    [
      "an ordinary added token",
      (r) => r.added_tokens.push({ id: 420, content: "<think>", special: false, normalized: false }),
    ],
    ["lower case", (r) => (r.normalizer = { type: "Lowercase" })],
    [
      "stripping",
      (r) => r.added_tokens.push({ id: 420, content: "<think>", special: true, lstrip: true, rstrip: true }),
    ],
    ["a hole", (r) => r.added_tokens.push({ id: 500, content: "<think>", special: true })],
  ])("reads %s as @huggingface/tokenizers does", (_, change) => {
    const root = changed(change);
    if (root.model.type === undefined) root.model.type = "BPE";
    // Of no class that builds parts anew from its settings.
    const config = { ...(bpe.files().config as object), tokenizer_class: "PreTrainedTokenizerFast" };
    const hf = new HfTokenizer(root, config);
    const loaded = loadTokenizer(changed(change) as Json, config);
    for (const text of [...corpus, ...hostile, "a<think>b e\u0301 1234567 DON'T I'LL"]) {
      if (!/[\u0085\ufeff]/.test(text)) expect(idsOf(loaded, text)).toEqual(hf.encode(text).ids);
    }
  });

  test.each<[string, (root: Root) => void, string]>([
    ["WordPiece without an unknown token", (r) => (r.model.type = "WordPiece"), "unk_token"],
    ["a model that does not exist", (r) => (r.model.type = "constructor"), "constructor"],
    ["a pre-tokenizer that does not exist", (r) => (r.pre_tokenizer = { type: "toString" }), "toString"],
    ["a normalizer that does not exist", (r) => (r.normalizer = { type: "__proto__" }), "__proto__"],
    ["dropout", (r) => (r.model.dropout = 0.1), "dropout"],
    [
      "a strange pattern",
      (r) =>
        (r.pre_tokenizer = sequence(
          { type: "Split", pattern: { Regex: "(a)\\1" }, behavior: "Isolated" },
          byteLevel,
        )),
      "(a)",
    ],
    ["another decoder", (r) => (r.decoder = { type: "CTC" }), "CTC"],
    ["a post-processor that does not exist", (r) => (r.post_processor = { type: "X" }), '"X"'],
    ["a flag that is none", (r) => r.added_tokens.push({ id: 420, content: "<x>", lstrip: 1 }), "lstrip"],
    ["one id twice", (r) => r.added_tokens.push({ id: 7, content: "<x>" }), "gives the id 7"],
    ["a huge id", (r) => r.added_tokens.push({ id: 1e15, content: "<x>" }), "1000000000000000"],
    ["a merge of strangers", (r) => (r.model.merges as string[]).push("zz qq"), "zz qq"],
    ["no merges", (r) => delete r.model.merges, "merges"],
    ["no vocabulary", (r) => (r.model.vocab = null), "model.vocab"],
  ])("refuses %s by name", (_, change, name) => {
    const load = () => loadTokenizer(changed(change) as Json, bpe.files().config);
    expect(load).toThrow(FormatError);
    expect(load).toThrow(name);
  });

  test("leaves prototypes alone", () => {
    const json = JSON.parse(
      '{"model": {"type": "BPE", "vocab": {"__proto__": 0}, "merges": []}, "__proto__": {"x": 1}}',
    ) as Json;
    const loaded = loadTokenizer(json);
    expect(loaded.idOf("__proto__")).toBe(0);
    expect(() => loaded.eos).toThrow(FormatError);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});
