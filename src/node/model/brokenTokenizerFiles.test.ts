import { describe, expect, test } from "vitest";
import { DataError, FormatError } from "../../util/errors.ts";
import { folder, jsonOf, root, spm, t5Pieces, typeOf, unigram } from "./tokenizerFiles.fixture.ts";
import { readTokenizer } from "./tokenizerFiles.ts";

const bertVocab = Object.entries(jsonOf("bertUncased").model.vocab as Record<string, number>)
  .sort((a, b) => a[1] - b[1])
  .map(([token]) => token);

describe("what cannot be read is named", () => {
  const bad = async (files: Record<string, unknown>): Promise<Error> =>
    readTokenizer(folder(files)).then(
      () => expect.fail("it was read"),
      (error: Error) => error,
    );
  const vocabTxt = (lines: readonly string[]) => bad({ "vocab.txt": lines.join("\n") });

  test("a folder without a tokenizer, and what was looked for", async () => {
    const error = (await bad({ "config.json": {} })) as DataError;
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain("holds no tokenizer");
    for (const name of ["tokenizer.json", "vocab.txt", "spiece.model", "merges.txt", "source.spm"])
      expect(error.details.hint).toContain(name);
  });

  test.each([
    ["a token twice", [...bertVocab, bertVocab[7]!], `vocab.txt:${bertVocab.length + 1}`],
    ["no unknown token", bertVocab.filter((t) => t !== "[UNK]"), '[UNK]"'],
    ["no separator", bertVocab.filter((t) => t !== "[SEP]"), '[SEP]"'],
    ["no lines", [], "vocab.txt: is empty"],
  ])("vocab.txt with %s", async (_, lines, message) => {
    const error = await vocabTxt(lines);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(message);
    expect(error.message.startsWith(root)).toBe(true);
  });

  test.each<[string, Record<string, unknown>, string]>([
    [
      "a merge of strangers",
      { "vocab.json": { a: 0, b: 1 }, "merges.txt": "#version: 0.2\na b\n" },
      "merges.txt:2",
    ],
    ["an id that is none", { "vocab.json": { a: "x" }, "merges.txt": "" }, '"x"'],
    ["another kind of BPE", { "vocab.json": { "the</w>": 0 }, "merges.txt": "" }, "</w>"],
    ["a vocabulary that is a list", { "vocab.json": [], "merges.txt": "" }, "vocab.json: is no object"],
    ["a broken tokenizer.json", { "tokenizer.json": "{" }, "tokenizer.json: is not JSON"],
    ["a tokenizer.json without a model", { "tokenizer.json": {} }, '"model"'],
    [
      "an added token without an id",
      { "vocab.txt": bertVocab.join("\n"), "added_tokens.json": { x: -1 } },
      "-1",
    ],
    ["half of Marian", { "source.spm": unigram, "vocab.json": { "<unk>": 0, "</s>": 5 } }, "vocab.json"],
    ["Camembert", { "spiece.model": unigram, "config.json": { model_type: "camembert" } }, "camembert"],
    ["a model of words", { "spiece.model": spm({ pieces: t5Pieces, type: typeOf, model: 3 }) }, "type 3"],
    [
      "a piece twice",
      { "spiece.model": spm({ pieces: [...t5Pieces, ["a", 0], ["a", 0]], type: typeOf, model: 1 }) },
      "twice",
    ],
    ["no unknown piece", { "spiece.model": spm({ pieces: [["a", 0]], type: typeOf, model: 1 }) }, "unknown"],
    ["an empty model", { "tokenizer.model": new Uint8Array(0) }, "no pieces"],
    [
      "a length beyond the end",
      { "tokenizer.model": Uint8Array.of(10, 255, 255, 255, 255, 15, 1) },
      "beyond",
    ],
  ])("%s", async (_, files, message) => {
    const error = await bad(files);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(message);
  });

  test("a torn SentencePiece model never passes for another", async () => {
    for (let end = 1; end < unigram.length; end += 97) {
      const error = await readTokenizer(folder({ "spiece.model": unigram.subarray(0, end) })).catch((e) => e);
      if (error instanceof Error) expect(error).toBeInstanceOf(FormatError);
      else expect(error.vocabSize).toBeLessThan(t5Pieces.length + 1);
    }
  });

  test("a damaged character map is refused or harmless", async () => {
    for (const map of ["AAAA", "////", "CAAAAAAAAAA="]) {
      const bytes = spm({ pieces: t5Pieces, type: typeOf, model: 1, charsmap: map });
      const read = await readTokenizer(folder({ "spiece.model": bytes })).catch((e: Error) => e);
      if (read instanceof Error) expect(read).toBeInstanceOf(FormatError);
      else expect(read.encode("the ﬁ").length).toBeGreaterThan(0);
    }
  });
});
