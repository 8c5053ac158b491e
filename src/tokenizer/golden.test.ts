/** Other people's tokenizers: the ids and texts of the Rust library, by test/golden/tokenization.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Json, loadTokenizer, type Tokenizer } from "./index.ts";

interface Row {
  readonly ids: number[];
  readonly template: number[] | null;
  readonly plain: number[] | null;
  readonly text: string;
  readonly special: string;
}
interface Kind {
  readonly json: {
    readonly model: Record<string, Json>;
    readonly added_tokens: readonly { readonly id: number; readonly special: boolean }[];
  };
  readonly config: Json;
  readonly rows: readonly Row[];
  readonly decoded: readonly { readonly ids: number[]; readonly text: string }[];
  readonly pairs: readonly { readonly ids: number[]; readonly types: number[] }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/tokenization.json", import.meta.url), "utf8"),
) as { hostile: string[]; pairs: [string, string][]; kinds: Record<string, Kind> };

/** Some models share their vocabulary with another in the file. */
const modelOf = (name: string): Record<string, Json> => {
  const own = golden.kinds[name]!.json.model;
  const { vocab, merges } = own;
  if (vocab !== undefined) return own;
  if (name === "unigramBytes") {
    const bytes = Array.from(
      { length: 256 },
      (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`,
    );
    return { ...own, vocab: [...(modelOf("t5").vocab as Json[]), ...bytes.map((token) => [token, -12])] };
  }
  const same: Record<string, string> = { gpt2: "roberta", spmUnigram: "t5" };
  const other = modelOf(same[name] ?? "llama");
  return { ...own, vocab: other.vocab!, ...(other.merges ? { merges: merges ?? other.merges } : {}) };
};

const load = (name: string): Tokenizer => {
  const { json, config } = golden.kinds[name]!;
  return loadTokenizer({ ...json, model: modelOf(name) } as Json, config);
};

describe.each(Object.keys(golden.kinds))("%s", (name) => {
  const { json, rows, decoded, pairs } = golden.kinds[name]!;
  const tokenizer = load(name);

  test.each(rows.map((row, i) => [golden.hostile[i]!, row] as const))("%j", (text, row) => {
    expect([...tokenizer.encode(text, { special: true })]).toEqual(row.ids);
    // The reference's models take text for a special token where it is spelt as one; ours do not.
    const specials = new Set(json.added_tokens.filter((t) => t.special).map((t) => t.id));
    const reference = row.plain ?? row.ids;
    const plain = [...tokenizer.encode(text)];
    const injected = reference.some((id) => specials.has(id) && id !== tokenizer.specials.unk);
    if (injected) expect(plain.filter((id) => specials.has(id) && id !== tokenizer.specials.unk)).toEqual([]);
    else expect(plain).toEqual(reference);
    const around = [...tokenizer.encode(text, { special: true, template: true })];
    expect(around).toEqual(row.template ?? row.ids);
    expect(tokenizer.decode(row.ids)).toBe(row.text);
    expect(tokenizer.decode(around, { keepSpecial: true })).toBe(row.special);
  });

  test("any ids have the reference's text, also piece by piece", () => {
    for (const { ids, text } of [...decoded, ...rows]) {
      expect(tokenizer.decode(ids)).toBe(text);
      const stream = tokenizer.streamDecoder();
      const pieces = ids.map((id) => stream.push(id));
      expect(pieces.join("") + stream.end()).toBe(text);
    }
  });

  test("two texts", () => {
    for (const [i, [text, pair]] of golden.pairs.entries()) {
      const { ids, typeIds } = tokenizer.encodeInputs(text, { pair });
      expect([...ids]).toEqual(pairs[i]!.ids);
      expect([...typeIds]).toEqual(pairs[i]!.types);
    }
  });
});
