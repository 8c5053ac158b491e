/** Inputs that the suite's goldens hold. */
import { readFileSync } from "node:fs";
import type { Json } from "../../src/tokenizer/index.ts";

export type Fields = Readonly<Record<string, Json>>;

export const golden = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), "utf8"));

interface Kind {
  readonly json: { readonly model: Fields } & Fields;
  readonly config: Json;
}

export const tokenization = golden("tokenization.json") as {
  readonly kinds: Readonly<Record<string, Kind>>;
  readonly chats: readonly (readonly Fields[])[];
  readonly tools: readonly unknown[];
  readonly templates: Readonly<Record<string, string>>;
};

/** Texts that a tokenizer must bear whatever it was made of. */
export const texts: readonly string[] = [
  "The quick brown fox, the thinker's dog... wasn't running? 12345",
  "é😀\u0000 \n\t<s></s>[MASK] \ufeff中文 e\u0301 ﬁ",
  "a".repeat(300),
  `${" ".repeat(200)}x`,
];
