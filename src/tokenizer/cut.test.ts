import { describe, expect, test } from "vitest";
import { cutTokenizer } from "./cut.ts";
import { golden, load, modelOf } from "./golden.fixture.ts";
import { loadTokenizer } from "./load.ts";
import type { Json } from "./tokenizer.ts";

/** The ids of a vocabulary by their tokens. */
const idsByToken = ({ vocab }: Record<string, Json>): Record<string, number> =>
  Array.isArray(vocab)
    ? Object.fromEntries((vocab as [string, number][]).map(([token], id) => [token, id]))
    : (vocab as Record<string, number>);

const ENDS = /its vocabulary is not cut/;

describe.each(Object.keys(golden.kinds))("%s", (name) => {
  const tokenizer = load(name);
  const { rows } = golden.kinds[name]!;
  const ends = Boolean(modelOf(name).end_of_word_suffix);
  const texts = rows.map(({ text }) => text).filter((text) => text.length < 2000);
  const [corpus, others] = [texts.slice(0, texts.length >> 1), texts.slice(texts.length >> 1)];
  const used = new Set(corpus.flatMap((text) => Array.from(tokenizer.encode(text))));
  const made = () => cutTokenizer(tokenizer.files(), used);

  test.runIf(ends)("is refused: its tokens depend on where words end", () => {
    expect(made).toThrow(ENDS);
  });

  test.skipIf(ends)("texts of the corpus have the same tokens, in their order", () => {
    const { files, ids } = made();
    const cut = loadTokenizer(files.tokenizer, files.config);
    expect(cut.vocabSize).toBe(ids.length);
    expect(ids.length).toBeLessThanOrEqual(tokenizer.vocabSize);
    for (const text of corpus) {
      for (const options of [{}, { template: true }, { special: true }]) {
        const after = Array.from(cut.encode(text, options), (id) => ids[id]);
        expect(after).toEqual(Array.from(tokenizer.encode(text, options)));
      }
      expect(cut.decode(cut.encode(text))).toBe(tokenizer.decode(tokenizer.encode(text)));
    }
    for (const [role, id] of Object.entries(tokenizer.specials)) {
      expect(ids[cut.specials[role as "eos"]!], role).toBe(id);
    }
  });

  test.skipIf(ends)("a word stays in its other forms: behind a space or not, with a capital or not", () => {
    const { files } = made();
    const cut = loadTokenizer(files.tokenizer, files.config);
    const all = idsByToken(modelOf(name));
    for (const token of Object.keys(all).filter((key) => used.has(all[key]!))) {
      const bare = token.replace(/^[\u0120\u2581]/, "");
      const forms = [bare, bare.charAt(0).toUpperCase() + bare.slice(1)].flatMap((word) => [
        ...[word, `\u0120${word}`, `\u2581${word}`],
      ]);
      for (const form of forms) if (Object.hasOwn(all, form)) expect(cut.idOf(form), form).toBeDefined();
    }
  });

  const isWhole = modelOf(name).type === "WordLevel";

  test.skipIf(ends || isWhole)("other texts are written all the same", () => {
    const { files } = made();
    const cut = loadTokenizer(files.tokenizer, files.config);
    for (const text of others)
      expect(cut.decode(cut.encode(text))).toBe(tokenizer.decode(tokenizer.encode(text)));
  });
});
