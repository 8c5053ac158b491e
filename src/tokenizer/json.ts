/** Reading the parts of a tokenizer.json, with errors that name the part. */
import { FormatError } from "../util/errors.ts";
import type { Json } from "./tokenizer.ts";

/** A JSON object. */
export type Fields = { readonly [key: string]: Json };

/** Throws the FormatError of a tokenizer.json that cannot be read. */
export const refuse = (what: string): never => {
  throw new FormatError(what, {
    file: "tokenizer.json",
    hint: "BPE, WordPiece, Unigram and WordLevel models can be read, as the library tokenizers saves them",
  });
};

/** `value` as an object. Throws FormatError, naming it, where it is something else. */
export const object = (value: Json | undefined, name: string): Fields => {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(`has no object "${name}"`);
  return value as Fields;
};

/** A value as an error message shows it. */
export const show = (value: Json | undefined): string => JSON.stringify(value) ?? "nothing";

/** `fields[name]` as a text. Throws FormatError where it is something else. */
export const string = (fields: Fields, name: string, otherwise?: string): string => {
  const value = fields[name] ?? otherwise;
  return typeof value === "string" ? value : refuse(`has ${show(fields[name])} where "${name}" is a text`);
};

/** Sequences of steps may hold sequences; deeper than this they are not believed. */
const MAX_DEPTH = 16;

/** The steps of a part, whose `Sequence`s hold theirs in the field `list`. Throws FormatError. */
export const stepsOf = (
  value: Json | undefined,
  list: "pretokenizers" | "normalizers" | "decoders" | "processors",
  depth = 0,
): Fields[] => {
  if (value === null || value === undefined) return [];
  const root = object(value, list);
  if (root.type !== "Sequence") return [root];
  const steps = root[list];
  if (!Array.isArray(steps) || depth > MAX_DEPTH) return refuse(`has a Sequence without ${list}`);
  return steps.flatMap((step: Json) => stepsOf(step, list, depth + 1));
};

/** A literal text as the source of a pattern. */
export const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
