/** Reads a pattern's source character by character. */
import { FormatError } from "../../util/errors.ts";

/** A source and a place in it. */
export interface Scanner {
  readonly source: string;
  /** Place of the next character. */
  at: number;
  /** The next character; empty at the end. */
  peek(): string;
  next(): string;
  /** Takes `text` where it is what comes next. */
  take(text: string): boolean;
  /** Takes what `pattern`, which is sticky, matches next. */
  match(pattern: RegExp): RegExpExecArray | null;
}

/** A scanner at the beginning of `source`. */
export const scanner = (source: string): Scanner => {
  const self: Scanner = {
    source,
    at: 0,
    peek: () => (self.at < source.length ? String.fromCodePoint(source.codePointAt(self.at)!) : ""),
    next: () => {
      const char = self.peek();
      self.at += char.length;
      return char;
    },
    take: (text) => {
      if (!source.startsWith(text, self.at)) return false;
      self.at += text.length;
      return true;
    },
    match: (pattern) => {
      pattern.lastIndex = self.at;
      const found = pattern.exec(source);
      if (found !== null) self.at += found[0].length;
      return found;
    },
  };
  return self;
};

const LONGEST_SHOWN = 200;

/** Throws the FormatError of a pattern that is wrong or has what is not known here. */
export const refusePattern = (source: string, what: string): never => {
  const shown = source.length > LONGEST_SHOWN ? `${source.slice(0, LONGEST_SHOWN)}...` : source;
  throw new FormatError(`has the pattern ${JSON.stringify(shown)}, which ${what}`, {
    file: "tokenizer.json",
    hint: "patterns are of Oniguruma's kind without back references, calls, conditions and absent parts",
  });
};
