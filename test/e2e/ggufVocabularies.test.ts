/** Tokenizers of every kind, written into GGUF files and read by llama.cpp. */
import { describe, expect, it } from "vitest";
import type { Json } from "../../src/models/model.ts";
import { writeFileDurable } from "../../src/node/files/files.ts";
import { gguf } from "../../src/ship/gguf/gguf.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { charTokenizer } from "../../src/tokenizer/kinds/char.ts";
import { loadTokenizer } from "../../src/tokenizer/load.ts";
import { families, json, llama, newPath, randomModel } from "./llamaCpp.ts";

/** Llama 2's kind: spaces are U+2581, and what has no token falls to its bytes. */
const sentencePiece = () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
  const merges = ["h e", "l l", "he ll", "hell o", "\u2581 hello", "\u2581 w", "\u2581w o"];
  const characters = ["\u2581", "h", "e", "l", "o", "w", "r", "d"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...characters, ...merges.map((m) => m.replace(" ", ""))];
  const special = (id: number) => ({ id, content: tokens[id]!, special: true });
  return {
    tokenizer: {
      added_tokens: [special(0), special(1), special(2)],
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "\u2581" },
          { type: "Replace", pattern: { String: " " }, content: "\u2581" },
        ],
      },
      pre_tokenizer: null,
      post_processor: { type: "TemplateProcessing", single: [{ SpecialToken: { id: "<s>", type_id: 0 } }] },
      model: {
        type: "BPE",
        unk_token: "<unk>",
        byte_fallback: true,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    config: { bos_token: "<s>", eos_token: { content: "</s>" } },
  };
};

describe("a tokenizer of another kind", () => {
  const load = async (files: Parameters<typeof gguf>[1]["tokenizer"]) => {
    const file = gguf(randomModel(families.gpt2!, 0.02), { type: "f32", tokenizer: files });
    const path = newPath(".gguf");
    await writeFileDurable(path, file.chunks);
    return { model: await llama.loadModel({ modelPath: path, gpuLayers: 0 }), notes: file.notes };
  };

  it("SentencePiece's BPE splits as its merges say", async () => {
    const files = sentencePiece();
    const { model } = await load({ ...files, tokenizer: files.tokenizer as Json });
    const { vocab } = files.tokenizer.model;
    const ids = (...tokens: string[]) => tokens.map((token) => vocab[token]);
    expect(model.tokenize("hello world")).toEqual(ids("\u2581hello", "\u2581wo", "r", "l", "d"));
    expect(model.tokenize("hell\u00e4")).toEqual(ids("\u2581", "hell", "<0xC3>", "<0xA4>"));
    expect([model.tokens.bos, model.tokens.eos]).toEqual([1, 2]);
    expect(model.tokens.shouldPrependBosToken).toBe(true);
    await model.dispose();
  });

  it("characters become bytes where they are ASCII, and are refused elsewhere", async () => {
    const chars = charTokenizer(["hello, world\n"]);
    const { tokenizer: own, config } = chars.files();
    const { model } = await load({ tokenizer: own, config });
    expect(model.tokenize("low lore\n")).toEqual(Array.from(chars.encode("low lore\n")));
    await model.dispose();
    const wide = charTokenizer(["h\u00e4"]).files();
    await expect(load({ tokenizer: wide.tokenizer })).rejects.toThrow(/only ASCII/);
  });

  it("Unigram takes the likeliest pieces", async () => {
    const pieces = [
      ["<pad>", 0],
      ["</s>", 0],
      ["<unk>", 0],
      ["\u2581", -3],
      ["\u2581ab", -9],
      ["a", -4],
      ["b", -4],
      ["bc", -3],
      ["c", -4],
    ];
    const metaspace = { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" };
    const model = { type: "Unigram", unk_id: 2, vocab: pieces };
    const loaded = await load({
      tokenizer: { pre_tokenizer: metaspace, model },
      config: { eos_token: "</s>" },
    });
    expect(loaded.model.tokenize("abc abab")).toEqual([3, 5, 7, 4, 5, 6]);
    await loaded.model.dispose();
  });

  it("byte-level BPE of each family is split by its own pattern", async () => {
    const family = (digits: string) =>
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
      `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
    const split = (Regex: string) => [
      { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
      { type: "ByteLevel", add_prefix_space: false, use_regex: false },
    ];
    const words = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
    const forms = {
      "llama-bpe": split(family("\\p{N}{1,3}")),
      qwen2: split(family("\\p{N}")),
      smollm: [{ type: "Digits", individual_digits: true }, words],
      "gpt-2": [words],
    };
    const text = "They'LL don't  pay 1234567 (or 89!!)\r\n\n\n  to \u00e4\u4f60\u597d   ";
    const digits = Array.from({ length: 9 }, (_, i) => [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(i, i + 4).join(""));
    const learnt = trainBpe([`${text} ${digits.join(" ")} `.repeat(9)], { vocab: 305 }).files();
    for (const [pre, pretokenizers] of Object.entries(forms)) {
      const form = { ...(learnt.tokenizer as object), pre_tokenizer: { type: "Sequence", pretokenizers } };
      const { model, notes } = await load({ tokenizer: form, config: learnt.config });
      expect(notes, pre).toEqual([]);
      const own = loadTokenizer(form as Json, learnt.config);
      expect(model.tokenize(text), pre).toEqual(Array.from(own.encode(text)));
      await model.dispose();
    }
  });

  it("WordPiece is refused, and a pattern that llama.cpp does not know is said", async () => {
    const wordPiece = { model: { type: "WordPiece", vocab: {} } };
    await expect(load({ tokenizer: wordPiece })).rejects.toThrow(
      /tokenizer.json: has a model of type "WordPiece"/,
    );
    const split = { type: "Split", pattern: { Regex: "[a-z]+" }, behavior: "Isolated", invert: false };
    const bytes = { type: "ByteLevel", use_regex: false };
    const other = { ...(json as object), pre_tokenizer: { type: "Sequence", pretokenizers: [split, bytes] } };
    const { model, notes } = await load({ tokenizer: other });
    await model.dispose();
    expect(notes.join()).toMatch(/no known name/);
  });
});
