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

/** A literal text as the source of a RegExp. */
export const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** Letters of a case-blind group `(?i:...)`, which older JavaScript does not know, spelt out. */
const spellCases = (source: string): string =>
  source.replace(/\(\?i:([^()[\]\\]*)\)/g, (_, body: string) => {
    const both = body.replace(/[a-z]/gi, (c) => `[${c.toLowerCase()}${c.toUpperCase()}]`);
    return `(?:${both})`;
  });

/** Escapes that mean something else in JavaScript, or nothing. */
const foreign: ReadonlyMap<string, string> = new Map([
  ["s", "\\p{White_Space}"],
  ["S", "\\P{White_Space}"],
  ["A", "(?<![\\s\\S])"],
  ["z", "(?![\\s\\S])"],
]);

/** A pattern of the Oniguruma kind as a RegExp; its `\s` is Unicode's white space. Throws FormatError. */
export const patternOf = (source: string): RegExp => {
  const translated = spellCases(source).replace(/\\([\s\S])/g, (whole, c: string) => foreign.get(c) ?? whole);
  try {
    return new RegExp(translated, "gu");
  } catch {
    return refuse(`splits by a pattern that JavaScript does not know: ${source}`);
  }
};

/** The RegExp of a `pattern` field: `{String}` or `{Regex}`. Throws FormatError. */
export const patternField = (step: Fields): RegExp => {
  const pattern = step.pattern;
  if (typeof pattern === "string") return new RegExp(escaped(pattern), "gu");
  const { Regex, String: literal } = object(pattern, "pattern");
  if (typeof literal === "string") return new RegExp(escaped(literal), "gu");
  return typeof Regex === "string" ? patternOf(Regex) : refuse(`has a pattern ${show(pattern)}`);
};
