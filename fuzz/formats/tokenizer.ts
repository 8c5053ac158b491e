import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { charTokenizer, type Json, type Tokenizer, trainBpe } from "../../src/tokenizer/index.ts";
import type { Format } from "../format.ts";
import { jsonBytes, mutateJson } from "../mutate/json.ts";
import { folder } from "./folder.ts";
import { type Fields, texts, tokenization } from "./golden.ts";

/** Longest vocabulary of a seed: the golden ones are cut to it. */
const VOCAB = 400;

const cut = (model: Fields): Fields | undefined => {
  const { vocab, merges } = model;
  if (typeof vocab !== "object" || vocab === null) return undefined;
  if (Array.isArray(vocab)) return { ...model, vocab: vocab.slice(0, VOCAB) };
  const some = Object.fromEntries(Object.entries(vocab).filter(([, id]) => (id as number) < VOCAB));
  const parts = (merge: Json): string[] =>
    Array.isArray(merge) ? (merge as string[]) : String(merge).split(" ");
  const known = Array.isArray(merges)
    ? merges.filter((m) => [...parts(m), parts(m).join("")].every((part) => Object.hasOwn(some, part)))
    : undefined;
  return { ...model, vocab: some, ...(known === undefined ? {} : { merges: known }) };
};

const kinds = Object.values(tokenization.kinds).flatMap(({ json }): Json[] => {
  const model = cut(json.model);
  return model === undefined ? [] : [{ ...json, model }];
});

const own = [charTokenizer("abc déf"), trainBpe(["low lower lowest newest"], { vocab: 270 })];

const dir = await folder();

/** What a tokenizer is asked for must hold, or be refused, whatever it was made of. */
export const used = (tokenizer: Tokenizer): void => {
  for (const text of texts) {
    for (const options of [{}, { special: true, template: true }])
      tokenizer.decode(tokenizer.encode(text, options));
  }
  JSON.stringify(tokenizer.files());
};

export const tokenizerJson: Format = {
  seeds: [...kinds, ...own.map((one) => one.files().tokenizer)].map(jsonBytes),
  mutate: mutateJson,
  read: async (bytes) => {
    writeFileSync(join(dir, "tokenizer.json"), bytes);
    used(await readTokenizer(dir));
  },
};
