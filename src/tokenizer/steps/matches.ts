/** What a step of a tokenizer.json finds in a text: by a pattern, or by a literal text. */
import { type Fields, object, refuse, show } from "../json.ts";
import { type Matcher, patternOf } from "../pattern/pattern.ts";
import type { Json } from "../tokenizer.ts";

/** The matches of a RegExp of our own, which is global. */
export const regExpMatches =
  (pattern: RegExp): Matcher =>
  (text, emit) => {
    for (const { index, 0: found } of text.matchAll(pattern)) emit(index, index + found.length);
  };

const literalMatches = (literal: string): Matcher => {
  if (literal === "") return patternOf("");
  return (text, emit) => {
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length))
      emit(at, at + literal.length);
  };
};

/** The matches of a `pattern`: a text, `{String}` or `{Regex}`. Throws FormatError. */
export const matchesOf = (pattern: Json | undefined): Matcher => {
  if (typeof pattern === "string") return literalMatches(pattern);
  const { Regex, String: literal }: Fields = object(pattern, "pattern");
  if (typeof literal === "string") return literalMatches(literal);
  return typeof Regex === "string" ? patternOf(Regex) : refuse(`has a pattern ${show(pattern)}`);
};

/** Longest text that replacing may make, characters. */
const MAX_TEXT = 1 << 27;

/** A function that puts `content` in the place of each match. */
export const replacer =
  (matches: Matcher, content: string): ((text: string) => string) =>
  (text) => {
    if (text === "") return text;
    let [out, at] = ["", 0];
    matches(text, (start, end) => {
      out += text.slice(at, start) + content;
      if (out.length > MAX_TEXT)
        refuse(`makes a text of ${text.length} characters too long by ${show(content)}`);
      at = end;
    });
    return at === 0 && out === "" ? text : out + text.slice(at);
  };
