/** Reads statements (https://jinja.palletsprojects.com/en/stable/templates/#list-of-control-structures). */

import { TemplateFault } from "../values/values.ts";
import { disjunction, expression, filter, primary, sequence } from "./expressions.ts";
import { tokenize } from "./lexer.ts";
import type { Body, Expression, MacroParts, Parameter, Statement } from "./nodes.ts";
import { Tokens } from "./tokens.ts";

/** What a captured text is called for the filters over it. */
export const CAPTURED = "";
const captured: Expression = { kind: "name", name: CAPTURED };

/** What can be assigned to. */
const target = (tokens: Tokens, ends: readonly string[] = []): Expression => {
  const one = (): Expression => {
    const node = primary(tokens);
    if (node.kind === "name" && tokens.skip("operator", ".")) {
      return { kind: "reference", name: node.name, attribute: tokens.expect("name").value };
    }
    const assignable = node.kind === "name" || node.kind === "tuple";
    return assignable ? node : tokens.fail(`cannot assign to a ${node.kind}`);
  };
  return sequence(tokens, { item: one, ends });
};

/** Statements up to a block that begins with one of `ends`, whose name is taken too. */
const until = (tokens: Tokens, ...ends: readonly string[]): { body: Body; end: string } => {
  tokens.skip("operator", ":");
  tokens.expect("end", "block");
  const body: Statement[] = [];
  for (;;) {
    if (tokens.is("eof")) return tokens.fail(`expected ${ends.join(" or ")}`);
    if (
      tokens.is("begin", "block") &&
      tokens.following.kind === "name" &&
      ends.includes(tokens.following.value)
    ) {
      tokens.next();
      return { body, end: tokens.next().value };
    }
    body.push(...statement(tokens));
  }
};

const forLoop = (tokens: Tokens): Statement => {
  const to = target(tokens, ["in"]);
  tokens.expect("name", "in");
  const items = sequence(tokens, { item: disjunction, ends: ["recursive"] });
  const test = tokens.skip("name", "if") ? expression(tokens) : undefined;
  const recursive = tokens.skip("name", "recursive");
  const { body, end } = until(tokens, "endfor", "else");
  const otherwise = end === "else" ? until(tokens, "endfor").body : [];
  return { kind: "for", target: to, items, test, recursive, body, otherwise };
};

const condition = (tokens: Tokens): Statement => {
  const branches: (readonly [Expression, Body])[] = [];
  for (;;) {
    const test = sequence(tokens, { item: disjunction });
    const { body, end } = until(tokens, "elif", "else", "endif");
    branches.push([test, body]);
    if (end === "elif") continue;
    return { kind: "if", branches, otherwise: end === "else" ? until(tokens, "endif").body : [] };
  }
};

/** The filters of a pipe over the captured text. */
const pipe = (tokens: Tokens): Expression | undefined => {
  let over: Expression | undefined;
  while (tokens.skip("operator", "|")) over = filter(tokens, over ?? captured);
  return over;
};

const assignment = (tokens: Tokens): Statement => {
  const to = target(tokens);
  if (tokens.skip("operator", "=")) return { kind: "set", target: to, value: sequence(tokens) };
  const over = pipe(tokens);
  return { kind: "capture", target: to, filter: over, body: until(tokens, "endset").body };
};

const signature = (tokens: Tokens): Parameter[] => {
  const parameters: Parameter[] = [];
  tokens.expect("operator", "(");
  while (!tokens.skip("operator", ")")) {
    if (parameters.length > 0) tokens.expect("operator", ",");
    const name = tokens.expect("name").value;
    const fallback = tokens.skip("operator", "=") ? expression(tokens) : undefined;
    if (fallback === undefined && parameters.at(-1)?.fallback !== undefined) {
      tokens.fail("a parameter without a default behind one with");
    }
    parameters.push({ name, fallback });
  }
  return parameters;
};

/** A macro's body, with the names that it has. */
const macroOf = (tokens: Tokens, name: string, parameters: readonly Parameter[], end: string): MacroParts => {
  const outer = tokens.names;
  tokens.names = new Set();
  const { body } = until(tokens, end);
  const { names } = tokens;
  tokens.names = new Set([...outer, ...names]);
  return { name, parameters, body, names };
};

const macro = (tokens: Tokens): Statement => {
  const name = tokens.expect("name").value;
  return { kind: "macro", macro: macroOf(tokens, name, signature(tokens), "endmacro") };
};

const callBlock = (tokens: Tokens): Statement => {
  const parameters = tokens.is("operator", "(") ? signature(tokens) : [];
  const call = expression(tokens);
  if (call.kind !== "call") return tokens.fail("expected a call");
  return { kind: "call", call, caller: macroOf(tokens, "caller", parameters, "endcall") };
};

const filterBlock = (tokens: Tokens): Statement => {
  let over = filter(tokens, captured);
  while (tokens.skip("operator", "|")) over = filter(tokens, over);
  return { kind: "filter", filter: over, body: until(tokens, "endfilter").body };
};

const withBlock = (tokens: Tokens): Statement => {
  const targets: (readonly [Expression, Expression])[] = [];
  while (!tokens.is("end")) {
    if (targets.length > 0) tokens.expect("operator", ",");
    const to = target(tokens);
    tokens.expect("operator", "=");
    targets.push([to, expression(tokens)]);
  }
  return { kind: "with", targets, body: until(tokens, "endwith").body };
};

/** A body with names of its own. */
const scoped =
  (end: string, head: (tokens: Tokens) => void = () => {}) =>
  (tokens: Tokens): Statement => {
    head(tokens);
    return { kind: "with", targets: [], body: until(tokens, end).body };
  };

const block = (tokens: Tokens): Statement => {
  const name = tokens.expect("name").value;
  tokens.skip("name", "scoped");
  const inner = scoped("endblock")(tokens);
  tokens.skip("name", name);
  return inner;
};

const print = (tokens: Tokens): Statement => {
  const parts = [expression(tokens)];
  while (tokens.skip("operator", ",")) parts.push(expression(tokens));
  return { kind: "print", value: { kind: "concat", parts } };
};

/** Files of other templates are not read: a chat template has none beside it. */
const foreign = (tokens: Tokens): never => tokens.fail("a chat template includes no other");

const statements: Readonly<Record<string, (tokens: Tokens) => Statement>> = {
  for: forLoop,
  if: condition,
  set: assignment,
  macro,
  call: callBlock,
  filter: filterBlock,
  with: withBlock,
  block,
  // Marks what the assistant says, for training; the text is the same.
  generation: (tokens) => ({ kind: "generation", body: until(tokens, "endgeneration").body }),
  autoescape: scoped("endautoescape", (tokens) => void expression(tokens)),
  print,
  break: () => ({ kind: "break" }),
  continue: () => ({ kind: "continue" }),
  include: foreign,
  import: foreign,
  extends: foreign,
  from: foreign,
};

function statement(tokens: Tokens): Statement[] {
  if (tokens.is("text")) return [{ kind: "text", text: tokens.next().value }];
  const { value: kind } = tokens.expect("begin");
  if (kind === "print") {
    const value = sequence(tokens);
    tokens.expect("end", "print");
    return [{ kind: "print", value }];
  }
  const name = tokens.expect("name").value;
  const read = Object.hasOwn(statements, name) ? statements[name] : undefined;
  if (read === undefined) throw new TemplateFault(`TemplateSyntaxError: unknown tag '${name}'`);
  const made = read(tokens);
  tokens.expect("end", "block");
  return [made];
}

/** The statements of a template. Throws TemplateFault naming the line of a mistake. */
export const parse = (template: string): Body => {
  const tokens = new Tokens(tokenize(template));
  const body: Statement[] = [];
  while (!tokens.is("eof")) body.push(...statement(tokens));
  return body;
};
