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

/** Longest that an error message shows of a value, characters. */
const SHOWN = 120;

/** A value as an error message shows it. */
export const show = (value: Json | undefined): string => {
  if (typeof value === "object" && value !== null) {
    const names = Object.keys(value).slice(0, 4).join(", ");
    return Array.isArray(value) ? `a list of ${value.length}` : `an object with ${names || "nothing"}`;
  }
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
};

/** A value that should be a text; what else it is where it is none. */
export const asText = (value: Json | undefined): string => (typeof value === "string" ? value : show(value));

/** `fields[name]` as a text. Throws FormatError where it is something else. */
export const string = (fields: Fields, name: string, otherwise?: string): string => {
  const value = fields[name] ?? otherwise;
  return typeof value === "string" ? value : refuse(`has ${show(fields[name])} where "${name}" is a text`);
};

/** Sequences of steps may hold sequences; deeper or longer than this they are not believed. */
const MAX_DEPTH = 16;
const MAX_STEPS = 256;

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
  if (steps.length > MAX_STEPS) return refuse(`has ${steps.length} ${list} in a Sequence`);
  const all = steps.flatMap((step: Json) => stepsOf(step, list, depth + 1));
  return all.length > MAX_STEPS ? refuse(`has ${all.length} ${list}`) : all;
};

/** A literal text as the source of a pattern. */
export const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
