/** Tokens one after the other, as a parser asks for them. */

import { TemplateFault } from "../values/values.ts";
import type { Token, TokenKind } from "./lexer.ts";

/** A list of tokens and a place in it. */
export class Tokens {
  readonly #tokens: readonly Token[];
  #at = 0;
  /** Names that have come up, for who wants to know. */
  names = new Set<string>();
  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }
  get current(): Token {
    return this.#tokens[this.#at]!;
  }
  get following(): Token {
    return this.#tokens[this.#at + 1] ?? this.current;
  }
  next(): Token {
    const token = this.current;
    if (token.kind === "name") this.names.add(token.value);
    if (token.kind !== "eof") this.#at++;
    return token;
  }
  is(kind: TokenKind, ...values: readonly string[]): boolean {
    const { current } = this;
    return current.kind === kind && (values.length === 0 || values.includes(current.value));
  }
  skip(kind: TokenKind, value: string): boolean {
    const found = this.is(kind, value);
    if (found) this.next();
    return found;
  }
  expect(kind: TokenKind, value?: string): Token {
    if (value === undefined ? this.is(kind) : this.is(kind, value)) return this.next();
    return this.fail(`expected ${value ?? kind}`);
  }
  fail(what: string): never {
    const { kind, value, line } = this.current;
    throw new TemplateFault(`TemplateSyntaxError: line ${line}: ${what}, got ${value === "" ? kind : value}`);
  }
}
