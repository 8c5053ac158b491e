/** The `added_tokens` of a tokenizer.json: tokens that are found in a text before the model sees it. */
import { type Fields, object, refuse, show } from "../json.ts";
import type { Json } from "../tokenizer.ts";
import { tokenFinder } from "./tokenFinder.ts";

/** One of the `added_tokens` of a tokenizer.json. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** It is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Takes the white space before it. */
  readonly lstrip: boolean;
  /** Takes the white space after it. */
  readonly rstrip: boolean;
  /** Not inside of a word. */
  readonly single_word: boolean;
}

/** Ids above this are not believed. */
const MAX_ID = 1 << 22;

/** `id` where it can be the id of `token`. Throws FormatError. */
export const checkId = (token: string, id: Json | undefined): number => {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= MAX_ID) return id;
  return refuse(`gives ${show(token)} the id ${show(id)}`);
};

const flag = (fields: Fields, name: string, otherwise = false): boolean => {
  const value = fields[name] ?? otherwise;
  if (typeof value === "boolean") return value;
  return refuse(`has the added token ${show(fields.content)} with ${name} ${show(value)}`);
};

/** The `added_tokens` of a file. Throws FormatError where one is malformed. */
export const addedTokensOf = (value: Json | undefined): AddedToken[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return refuse("has added_tokens that are not a list");
  return value.map((token: Json, i) => {
    const fields = object(token, `added_tokens[${i}]`);
    const { content } = fields;
    if (typeof content !== "string" || content === "")
      return refuse(`has an added token without text: ${show(content)}`);
    const special = flag(fields, "special");
    return {
      id: checkId(content, fields.id),
      content,
      special,
      normalized: flag(fields, "normalized", !special),
      lstrip: flag(fields, "lstrip"),
      rstrip: flag(fields, "rstrip"),
      single_word: flag(fields, "single_word"),
    };
  });
};

/** A part of a text: an added token's id, or text that is none. */
export type Part = number | { readonly text: string; readonly first: boolean };

const WORD = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]";
const ENDS_IN_WORD = new RegExp(`${WORD}$`, "u");
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, "u");

/** Place where the white space that ends at `end` starts. */
const spaceBefore = (text: string, end: number): number => {
  let start = end;
  while (start > 0 && /\p{White_Space}/u.test(text[start - 1]!)) start--;
  return start;
};

const spaceAfter = (text: string, start: number): number => {
  let end = start;
  while (end < text.length && /\p{White_Space}/u.test(text[end]!)) end++;
  return end;
};

const standsAlone = (text: string, start: number, end: number): boolean =>
  !ENDS_IN_WORD.test(text.slice(Math.max(0, start - 2), start)) &&
  !STARTS_WITH_WORD.test(text.slice(end, end + 2));

/**
 * Makes a function that finds `tokens` in a text, the longest first; `form` is how a token is written there.
 * Special tokens are passed over unless `special`.
 */
export const partsOf = (tokens: readonly AddedToken[], form: (content: string) => string) => {
  const byForm = new Map<string, AddedToken>();
  for (const token of tokens) if (form(token.content) !== "") byForm.set(form(token.content), token);
  const find = tokenFinder([...byForm.keys()]);
  return (text: string, special: boolean): Part[] => {
    const parts: Part[] = [];
    let at = 0;
    find(text, (found, form) => {
      const token = byForm.get(form)!;
      let [start, end] = [found, found + form.length];
      if (token.special && !special) return;
      if (token.single_word && !standsAlone(text, start, end)) return;
      if (token.lstrip) start = Math.max(spaceBefore(text, start), at);
      if (token.rstrip) end = spaceAfter(text, end);
      if (start > at) parts.push({ text: text.slice(at, start), first: at === 0 });
      parts.push(token.id);
      at = end;
    });
    if (at < text.length) parts.push({ text: text.slice(at), first: at === 0 });
    return parts;
  };
};
