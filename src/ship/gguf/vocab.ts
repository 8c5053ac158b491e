/** What the forms of a vocabulary in GGUF share: the kinds of token, and reading a tokenizer.json's parts. */
import type { GgufScalar, GgufScalarType, GgufValue } from "../../formats/gguf/gguf.ts";
import type { Json } from "../../models/model.ts";
import { FormatError } from "../../util/errors.ts";

/** The fields of an object of JSON. */
export type JsonFields = { readonly [key: string]: Json };

/** llama.cpp's numbers of the kinds of token. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A tokenizer.json's model as llama.cpp has it; added tokens stand apart. */
export interface VocabModel {
  /** tokenizer.ggml.model */
  readonly kind: "gpt2" | "llama" | "t5";
  readonly tokens: ReadonlyMap<number, string>;
  /** Tokens that are not normal ones. */
  readonly types: ReadonlyMap<number, number>;
  readonly scores?: ReadonlyMap<number, number>;
  readonly keys: Readonly<Record<string, GgufValue>>;
  /** What llama.cpp does otherwise, in a sentence each. */
  readonly notes: readonly string[];
}

/** A list of metadata. */
export const list = (of: GgufScalarType, value: ArrayLike<GgufScalar>): GgufValue => ({
  type: "array",
  of,
  value,
});
/** A value of metadata of this type. */
export const bool = (value: boolean): GgufValue => ({ type: "bool", value });
/** A value of metadata of this type. */
export const string = (value: string): GgufValue => ({ type: "string", value });

/** Throws the FormatError of a tokenizer.json that has no form in GGUF. */
export const refuse = (what: string): never => {
  throw new FormatError(what, {
    file: "tokenizer.json",
    hint: "GGUF takes byte-level BPE, SentencePiece BPE with byte fallback, and Unigram tokenizers",
  });
};

/** `value` as an object; an empty one where it is something else. */
export const fieldsOf = (value: Json | undefined): JsonFields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonFields) : {};

/** The steps of a pre-tokenizer or normalizer, those of a Sequence one by one. */
export const stepsOf = (value: Json | undefined): JsonFields[] => {
  const root = fieldsOf(value);
  if (root.type !== "Sequence") return root.type === undefined ? [] : [root];
  const steps = root.pretokenizers ?? root.normalizers;
  return Array.isArray(steps) ? steps.flatMap((step: Json) => stepsOf(step)) : [];
};

/** Tokens by id of a `model.vocab` object. Throws FormatError. */
export const tokensById = (vocab: Json | undefined): Map<number, string> => {
  const tokens = new Map<number, string>();
  for (const [token, id] of Object.entries(fieldsOf(vocab))) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0)
      return refuse(`gives ${JSON.stringify(token)} the id ${JSON.stringify(id)}`);
    tokens.set(id, token);
  }
  return tokens;
};

/** `model.merges` as pairs, whichever way they are written. Throws FormatError. */
export const mergesOf = (merges: Json | undefined): [string, string][] => {
  if (!Array.isArray(merges)) return refuse("has no list of merges");
  return merges.map((merge: Json, i) => {
    const pair: Json = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2) return refuse(`merge ${i} is not a pair`);
    return [String(pair[0]), String(pair[1])];
  });
};
