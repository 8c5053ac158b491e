/** Older tokenizer files give the ids of the tokenizer.json that the reference made of the same vocabulary. */

import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import { describe, expect, test } from "vitest";
import { loadTokenizer, type Tokenizer } from "../../tokenizer/index.ts";
import {
  charsmap,
  folder,
  golden,
  jsonOf,
  kind,
  type Root,
  spm,
  t5Pieces,
  typeOf,
  unigram,
} from "./tokenizerFiles.fixture.ts";
import { readTokenizer } from "./tokenizerFiles.ts";

const addedOf = (name: string) =>
  Object.fromEntries(jsonOf(name).added_tokens.map(({ id, ...token }) => [id, token]));

const checkRows = (tokenizer: Tokenizer, name: string, map = (id: number) => id): void => {
  kind(name).rows.forEach((row, i) => {
    const text = golden.hostile[i]!;
    expect([...tokenizer.encode(text, { special: true })], text).toEqual(row.ids.map(map));
    expect(tokenizer.decode(row.ids.map(map)), text).toBe(row.text);
  });
};

const checkTemplates = (tokenizer: Tokenizer, name: string): void => {
  kind(name).rows.forEach((row, i) => {
    const ids = tokenizer.encode(golden.hostile[i]!, { special: true, template: true });
    expect([...ids]).toEqual(row.template ?? row.ids);
  });
};

/** What is shipped can be loaded again, also by transformers.js. */
const checkFiles = (tokenizer: Tokenizer): void => {
  const files = JSON.parse(JSON.stringify(tokenizer.files()));
  const again = loadTokenizer(files.tokenizer, files.config);
  for (const text of golden.hostile)
    expect(again.encode(text, { special: true, template: true })).toEqual(
      tokenizer.encode(text, { special: true, template: true }),
    );
  const hf = new HfTokenizer(files.tokenizer, files.config);
  for (const text of ["The quick brown fox, the thinker's dog... wasn't running?", "the  then 10 100"]) {
    const ids = tokenizer.encode(text, { template: true });
    expect([...ids]).toEqual(hf.encode(text).ids);
    expect(tokenizer.decode(ids)).toBe(
      hf.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    );
  }
};

const bpePieces = Object.entries(jsonOf("llama").model.vocab as Record<string, number>)
  .sort((a, b) => a[1] - b[1])
  .map(([piece, id]) => [piece, -id] as const);

describe("older files", () => {
  test.each([
    ["bertUncased", true],
    ["bertCased", false],
  ])("vocab.txt: %s", async (name, lower) => {
    const vocab = Object.entries(jsonOf(name).model.vocab as Record<string, number>)
      .sort((a, b) => a[1] - b[1])
      .map(([token]) => token);
    const config = { do_lower_case: lower, added_tokens_decoder: addedOf(name) };
    const tokenizer = await readTokenizer(
      folder({ "vocab.txt": `${vocab.join("\n")}\n`, "tokenizer_config.json": config }),
    );
    checkRows(tokenizer, name);
    checkTemplates(tokenizer, name);
    checkFiles(tokenizer);
    const { specials } = tokenizer;
    expect([specials.pad, specials.unk, specials.cls, specials.sep, specials.mask]).toEqual([0, 1, 2, 3, 4]);
    expect([tokenizer.kind, tokenizer.eos, specials.eos]).toEqual(["wordpiece", 3, undefined]);
  });

  test.each([
    ["tokenizer_config.json", { tokenizer_class: "MPNetTokenizer" }],
    ["config.json", { model_type: "mpnet" }],
  ])("vocab.txt: MPNet, by %s", async (file, fields) => {
    const vocab = ["<s>", "<pad>", "</s>", "[UNK]", "the", "cat", "##s", "<mask>"];
    const tokenizer = await readTokenizer(folder({ "vocab.txt": vocab.join("\n"), [file]: fields }));
    const encoded = (text: string, more = {}) => [
      ...tokenizer.encodeInputs(text, { special: true, ...more }).ids,
    ];
    expect(encoded("The cats <mask> x")).toEqual([0, 4, 5, 6, 7, 3, 2]);
    expect(encoded("the", { pair: "cat" })).toEqual([0, 4, 2, 2, 5, 2]);
    const { specials } = tokenizer;
    expect([specials.pad, specials.mask]).toEqual([1, 7]);
  });

  test("vocab.json and merges.txt: RoBERTa, special tokens from special_tokens_map.json", async () => {
    const { vocab, merges } = jsonOf("roberta").model;
    const tokenizer = await readTokenizer(
      folder({
        "vocab.json": vocab,
        "merges.txt": `#version: 0.2\n${merges.map((pair) => pair.join(" ")).join("\n")}\n`,
        "special_tokens_map.json": kind("roberta").config,
        "tokenizer_config.json": { add_prefix_space: true, added_tokens_decoder: addedOf("roberta") },
        "config.json": { model_type: "roberta" },
      }),
    );
    checkRows(tokenizer, "roberta");
    checkTemplates(tokenizer, "roberta");
    checkFiles(tokenizer);
    expect([tokenizer.eos, tokenizer.specials.mask]).toEqual([2, tokenizer.idOf("<mask>")]);
  });

  test("vocab.json and merges.txt: GPT-2, with added_tokens.json", async () => {
    const { vocab, merges } = jsonOf("roberta").model;
    const tokenizer = await readTokenizer(
      folder({
        "vocab.json": vocab,
        "merges.txt": merges.map((pair) => pair.join(" ")).join("\r\n"),
        "added_tokens.json": { "<tool>": 331, "<mask>": 330 },
        "tokenizer_config.json": {
          tokenizer_class: "GPT2Tokenizer",
          eos_token: "</s>",
          bos_token: "<s>",
          additional_special_tokens: ["<unk>", "<pad>"],
        },
      }),
    );
    const plain = "The quick brown fox\n\n  jumps, don't 你好 😀";
    const { json, config } = kind("gpt2");
    const model = { ...json.model, vocab, merges };
    const reference = loadTokenizer({ ...json, model } as never, config as never);
    expect(tokenizer.encode(plain)).toEqual(reference.encode(plain));
    expect(tokenizer.encode("x<tool>y")).toContain(331);
    expect(tokenizer.specials).toMatchObject({ bos: 0, eos: 2 });
    checkFiles(tokenizer);
  });

  test("tokenizer.model: BPE with byte fallback and a piece of the user's", async () => {
    const type = (piece: string) => (piece === "▁the" ? 4 : typeOf(piece));
    const bytes = spm({ pieces: bpePieces, type, model: 2, collapse: false });
    const config = { tokenizer_class: "LlamaTokenizer", legacy: false, bos_token: "<s>", eos_token: "</s>" };
    const tokenizer = await readTokenizer(
      folder({ "tokenizer.model": bytes, "tokenizer_config.json": config }),
    );
    checkRows(tokenizer, "spmBpe");
    checkTemplates(tokenizer, "spmBpe");
    checkFiles(tokenizer);
    const made = tokenizer.files().tokenizer as object as Root;
    expect(made.model.merges).toEqual(jsonOf("spmBpe").model.merges);
    expect(tokenizer.specials).toEqual({ bos: 1, eos: 2 });
  });

  test("spiece.model: unigram", async () => {
    const tokenizer = await readTokenizer(folder({ "spiece.model": unigram }));
    checkRows(tokenizer, "spmUnigram");
    checkFiles(tokenizer);
  });

  test("spiece.model: T5 and its sentinels", async () => {
    const config = { tokenizer_class: "T5Tokenizer", extra_ids: 1, added_tokens_decoder: addedOf("t5") };
    const tokenizer = await readTokenizer(
      folder({ "spiece.model": unigram, "tokenizer_config.json": config }),
    );
    checkRows(tokenizer, "t5");
    checkTemplates(tokenizer, "t5");
    const many = await readTokenizer(
      folder({ "spiece.model": unigram, "config.json": { model_type: "t5" } }),
    );
    const first = t5Pieces.length;
    expect([many.vocabSize, many.idOf("<extra_id_99>"), many.idOf("<extra_id_0>")]).toEqual([
      first + 100,
      first,
      first + 99,
    ]);
    expect([...many.encode("<extra_id_0>", { special: true, template: true })]).toEqual([first + 99, 1]);
  });

  test("sentencepiece.bpe.model: XLM-R's ids are moved by one", async () => {
    const rest = t5Pieces.slice(3);
    const pieces = [["<unk>", 0], ["<s>", 0], ["</s>", 0], ...rest] as [string, number][];
    const dir = folder({
      "sentencepiece.bpe.model": spm({ pieces, type: typeOf, model: 1, charsmap }),
      "config.json": { model_type: "xlm-roberta" },
    });
    const tokenizer = await readTokenizer(dir);
    const moved = (id: number): number => [1, 2, 3][id] ?? id + 1;
    const text = "The quick brown fox, thinking 你好 😀";
    const t5 = await readTokenizer(folder({ "spiece.model": unigram, "config.json": { model_type: "t5" } }));
    expect([...tokenizer.encode(text)]).toEqual([...t5.encode(text)].map(moved));
    expect([...tokenizer.encode("", { template: true })]).toEqual([0, 2]);
    expect(tokenizer.idOf("<mask>")).toBe(pieces.length + 1);
    expect(tokenizer.specials).toMatchObject({ bos: 0, pad: 1, eos: 2, unk: 3 });
  });

  test("Marian: two models, ids by vocab.json", async () => {
    const size = t5Pieces.length;
    const to = (id: number): number => size + 1 - id;
    const vocab: Record<string, number> = Object.fromEntries(t5Pieces.map(([piece], id) => [piece, to(id)]));
    Object.assign(vocab, { "▁foxes": 1, ">>deu<<": 0 });
    const other = [...t5Pieces.slice(0, 3), ["▁foxes", -1], ["▁", -2], ["x", -3]] as [string, number][];
    const dir = folder({
      "source.spm": unigram,
      "target.spm": spm({ pieces: other, type: typeOf, model: 1, charsmap }),
      "vocab.json": vocab,
    });
    const tokenizer = await readTokenizer(dir);
    checkRows(tokenizer, "spmUnigram", to);
    checkFiles(tokenizer);
    expect([...tokenizer.encode(">>deu<< the", { special: true })]).toEqual([
      0,
      ...[...tokenizer.encode("the")],
    ]);
    expect([...tokenizer.target!.encode("foxes", { template: true })]).toEqual([1, to(1)]);
    expect(tokenizer.encode("foxes")).not.toContain(1);
    expect(tokenizer.decode([1, to(1)])).toBe("foxes");
    expect(tokenizer.specials).toMatchObject({ pad: to(0), eos: to(1), unk: to(2) });
  });
});
