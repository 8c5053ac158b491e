/**
 * Cuts a template into tokens as Jinja does under transformers' settings: line ends are line feeds, one at
 * the very end is dropped, `trim_blocks` takes the line feed behind a block and `lstrip_blocks` the blanks
 * before one (https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control).
 */
import { TemplateFault } from "../values/values.ts";

/** The kinds of token. */
export type TokenKind =
  | "text"
  | "begin"
  | "end"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "operator"
  | "eof";

/** One token, and the line that it begins in. */
export interface Token {
  readonly kind: TokenKind;
  /** Of `begin` and `end`, "block" or "print"; of a string, what it means. */
  readonly value: string;
  readonly line: number;
}

/** White space as Python has it. */
export const SPACE =
  "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";

const OPENING = /\{(?:%([-+]?)|\{([-+]?)|#([-+]?))/g;
const RAW = new RegExp(`\\{%[-+]?${SPACE}*raw${SPACE}*(?:-%\\}${SPACE}*|%\\})`, "y");
const RAW_END = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`, "g");
const COMMENT_END = new RegExp(`\\+#\\}|-#\\}${SPACE}*|#\\}\\n?`, "g");
const BLOCK_END = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, "y");
const PRINT_END = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, "y");
const TRAILING = new RegExp(`${SPACE}+$`);

const INSIDE: readonly (readonly [TokenKind | "space", RegExp])[] = [
  ["space", new RegExp(`${SPACE}+`, "y")],
  ["float", /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ["integer", /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ["name", /[\p{L}\p{N}\p{M}\p{Pc}]+/uy],
  ["string", /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"/y],
  ["operator", /\*\*|\/\/|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y],
];

const SIMPLE: Readonly<Record<string, string>> = {
  ...{ n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v" },
  ...{ "\\": "\\", "'": "'", '"': '"', "\n": "" },
};

/** What a string literal's inside means in Python; an escape that is none stands for itself. */
const unescaped = (text: string): string =>
  text.replace(
    /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi,
    (all, x?: string, u?: string, wide?: string, octal?: string, one?: string) => {
      const hex = x ?? u ?? wide;
      if (hex !== undefined && all[1] === (x ? "x" : u ? "u" : "U")) {
        return String.fromCodePoint(Number.parseInt(hex, 16));
      }
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      if (one !== undefined && "xuUN".includes(one)) throw new TemplateFault(`a malformed \\${one} escape`);
      return (one === undefined ? undefined : SIMPLE[one]) ?? all;
    },
  );

const match = (pattern: RegExp, source: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(source);
};

/** The text before a tag: all white space goes before a minus, blanks that begin the line before a block. */
const before = (text: string, sign: string, strips: boolean, lineStart: boolean): string => {
  if (sign === "-") return text.replace(TRAILING, "");
  if (sign === "+" || !strips) return text;
  const line = text.lastIndexOf("\n") + 1;
  const rest = text.slice(line);
  return (line > 0 || lineStart) && rest.trim() === "" && rest !== "" ? text.slice(0, line) : text;
};

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

interface State {
  readonly source: string;
  readonly tokens: Token[];
  at: number;
  line: number;
  /** Whether a line begins here. */
  lineStart: boolean;
}

const push = ({ tokens, line }: State, kind: TokenKind, value: string): void => {
  tokens.push({ kind, value, line });
};

const fault = ({ line }: Pick<State, "line">, what: string): never => {
  throw new TemplateFault(`TemplateSyntaxError: line ${line}: ${what}`);
};

/** Goes on to `next`, counting lines. */
const advance = (state: State, next: number): void => {
  for (let i = state.at; i < next; i++) if (state.source[i] === "\n") state.line++;
  state.lineStart = state.source[next - 1] === "\n";
  state.at = next;
};

const text = (state: State, until: number, sign: string, strips: boolean): void => {
  const kept = before(state.source.slice(state.at, until), sign, strips, state.lineStart);
  if (kept !== "") push(state, "text", kept);
};

/** The next word within a tag. */
const word = (state: State): readonly [kind: TokenKind | "space", word: string] => {
  for (const [kind, pattern] of INSIDE) {
    const found = match(pattern, state.source, state.at);
    if (found !== null) return [kind, found[0]];
  }
  if (state.at < state.source.length) return fault(state, `unexpected ${state.source[state.at]}`);
  const { line, value } = state.tokens.findLast(({ kind }) => kind === "begin")!;
  return fault({ line }, `a tag is not closed: ${value === "print" ? "}}" : "%}"} is missing`);
};

/** A tag's inside up to its end, which does not count within brackets. */
const inside = (state: State, kind: "block" | "print"): void => {
  push(state, "begin", kind);
  const open: string[] = [];
  for (;;) {
    const pattern = kind === "block" ? BLOCK_END : PRINT_END;
    const end = open.length > 0 ? null : match(pattern, state.source, state.at);
    if (end !== null) {
      push(state, "end", kind);
      advance(state, state.at + end[0].length);
      return;
    }
    const [what, own] = word(state);
    if (what === "operator" && PAIRS[own] !== undefined) open.push(PAIRS[own]);
    if (what === "operator" && ")]}".includes(own) && open.pop() !== own) fault(state, `unexpected '${own}'`);
    if (what !== "space") push(state, what, what === "string" ? unescaped(own.slice(1, -1)) : own);
    advance(state, state.at + own.length);
  }
};

/** Goes on behind what ends a raw block or a comment. */
const skipTo = (state: State, pattern: RegExp, what: string): RegExpExecArray =>
  match(pattern, state.source, state.at) ?? fault(state, `a ${what} is not closed`);

/** A tag, a comment or a raw block, with the text before it. */
const piece = (state: State, opening: RegExpExecArray): void => {
  const [tag, block, print, comment] = opening;
  const from = opening.index;
  text(state, from, block ?? print ?? comment ?? "", print === undefined);
  const raw = match(RAW, state.source, from);
  if (raw !== null) {
    advance(state, from + raw[0].length);
    const end = skipTo(state, RAW_END, "raw block");
    text(state, end.index, end[1]!, true);
    advance(state, end.index + end[0].length);
    return;
  }
  advance(state, from + tag.length);
  if (comment === undefined) {
    inside(state, block === undefined ? "print" : "block");
    return;
  }
  const end = skipTo(state, COMMENT_END, "comment");
  advance(state, end.index + end[0].length);
};

/** The tokens of a template. Throws TemplateFault naming the line. */
export const tokenize = (template: string): Token[] => {
  const source = template.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  const state: State = { source, tokens: [], at: 0, line: 1, lineStart: true };
  while (state.at < source.length) {
    const opening = match(OPENING, source, state.at);
    if (opening !== null) piece(state, opening);
    else {
      text(state, source.length, "+", false);
      state.at = source.length;
    }
  }
  push(state, "eof", "");
  return state.tokens;
};
