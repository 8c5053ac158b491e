/** Other people's tokenizers with the ids and texts of the Rust library, by test/golden/tokenization.py. */
import { readFileSync } from "node:fs";
import { type Json, loadTokenizer, type Tokenizer } from "./index.ts";

export interface Row {
  readonly ids: number[];
  readonly template: number[] | null;
  readonly plain: number[] | null;
  readonly text: string;
  readonly special: string;
}
export interface Kind {
  readonly json: {
    readonly model: Record<string, Json>;
    readonly added_tokens: readonly { readonly id: number; readonly special: boolean }[];
  };
  readonly config: Json;
  readonly rows: readonly Row[];
  readonly decoded: readonly { readonly ids: number[]; readonly text: string }[];
  readonly pairs: readonly { readonly ids: number[]; readonly types: number[] }[];
}

export const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/tokenization.json", import.meta.url), "utf8"),
) as { hostile: string[]; pairs: [string, string][]; kinds: Record<string, Kind> };

/** Some models share their vocabulary with another in the file. */
export const modelOf = (name: string): Record<string, Json> => {
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

/** The tokenizer of a kind. */
export const load = (name: string): Tokenizer => {
  const { json, config } = golden.kinds[name]!;
  return loadTokenizer({ ...json, model: modelOf(name) } as Json, config);
};
