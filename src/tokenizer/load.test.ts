import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import { bpe, char, corpus, hostile, idsOf, unicode } from "./contract.fixture.ts";
import { type Json, loadTokenizer, type Tokenizer } from "./index.ts";

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
