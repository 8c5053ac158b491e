/** Reads expressions (https://jinja.palletsprojects.com/en/stable/templates/#expressions). */
import type { Arguments, BinaryOperator, CompareOperator, Expression } from "./nodes.ts";
import type { Tokens } from "./tokens.ts";

const operator = (tokens: Tokens, ...words: readonly string[]): string | undefined =>
  tokens.is("operator", ...words) ? tokens.next().value : undefined;

/** `operand`s joined from the left by operators. */
const leftToRight =
  (operand: (tokens: Tokens) => Expression, ...words: readonly BinaryOperator[]) =>
  (tokens: Tokens): Expression => {
    let left = operand(tokens);
    const kind = words[0] === "and" || words[0] === "or" ? "name" : "operator";
    while (tokens.is(kind, ...words)) {
      const word = tokens.next().value as BinaryOperator;
      left = { kind: "binary", operator: word, left, right: operand(tokens) };
    }
    return left;
  };

const unary = (tokens: Tokens, filters = true): Expression => {
  const sign = operator(tokens, "-", "+");
  const own =
    sign === undefined
      ? primary(tokens)
      : ({ kind: sign === "-" ? "negative" : "positive", of: unary(tokens, false) } as const);
  const whole = postfix(tokens, own);
  return filters ? filtered(tokens, whole) : whole;
};

const power = leftToRight((tokens) => unary(tokens), "**");
const product = leftToRight(power, "*", "/", "//", "%");

const concat = (tokens: Tokens): Expression => {
  const parts = [product(tokens)];
  while (operator(tokens, "~") !== undefined) parts.push(product(tokens));
  return parts.length === 1 ? parts[0]! : { kind: "concat", parts };
};

const sum = leftToRight(concat, "+", "-");

const comparison = (tokens: Tokens): CompareOperator | undefined => {
  const word = operator(tokens, "==", "!=", "<", "<=", ">", ">=");
  if (word !== undefined) return word as CompareOperator;
  if (tokens.skip("name", "in")) return "in";
  if (!tokens.is("name", "not") || tokens.following.kind !== "name" || tokens.following.value !== "in") {
    return undefined;
  }
  tokens.next();
  tokens.next();
  return "not in";
};

const compared = (tokens: Tokens): Expression => {
  const first = sum(tokens);
  const rest: (readonly [CompareOperator, Expression])[] = [];
  for (let word = comparison(tokens); word !== undefined; word = comparison(tokens)) {
    rest.push([word, sum(tokens)]);
  }
  return rest.length === 0 ? first : { kind: "compare", first, rest };
};

const negated = (tokens: Tokens): Expression =>
  tokens.skip("name", "not") ? { kind: "not", of: negated(tokens) } : compared(tokens);

/** An expression without a choice at its top. */
export const disjunction = leftToRight(leftToRight(negated, "and"), "or");

/** Reads a whole expression. */
export const expression = (tokens: Tokens): Expression => {
  let own = disjunction(tokens);
  while (tokens.skip("name", "if")) {
    const test = disjunction(tokens);
    const no = tokens.skip("name", "else") ? expression(tokens) : undefined;
    own = { kind: "choice", test, yes: own, no };
  }
  return own;
};

/** What a sequence is of, and what ends it. */
export interface SequenceOptions {
  readonly item?: (tokens: Tokens) => Expression;
  /** Names before which a sequence ends. */
  readonly ends?: readonly string[];
  /** In parentheses it may be empty. */
  readonly empty?: boolean;
}

/** One expression, or several with commas: a tuple. */
export const sequence = (tokens: Tokens, options: SequenceOptions = {}): Expression => {
  const { item = expression, ends = [], empty = false } = options;
  const ended = () =>
    tokens.is("end") || tokens.is("operator", ")") || (ends.length > 0 && tokens.is("name", ...ends));
  const items: Expression[] = [];
  let tuple = false;
  while (!ended()) {
    items.push(item(tokens));
    if (operator(tokens, ",") === undefined) break;
    tuple = true;
  }
  if (!tuple && items.length === 1) return items[0]!;
  if (!tuple && !empty) return tokens.fail("expected an expression");
  return { kind: "tuple", items };
};

const integer = (text: string): bigint => BigInt(text.replaceAll("_", ""));

const constants: Readonly<Record<string, boolean | null>> = {
  ...{ true: true, True: true, false: false, False: false, none: null, None: null },
};

/** Items up to `close`, with commas between and perhaps behind. */
const listed = <T>(tokens: Tokens, close: string, item: () => T): T[] => {
  const items: T[] = [];
  while (operator(tokens, close) === undefined) {
    if (items.length > 0) {
      tokens.expect("operator", ",");
      if (operator(tokens, close) !== undefined) break;
    }
    items.push(item());
  }
  return items;
};

/** Reads a name, a literal, or what stands in brackets. */
export function primary(tokens: Tokens): Expression {
  const { kind, value } = tokens.current;
  if (kind === "name") {
    tokens.next();
    if (Object.hasOwn(constants, value)) return { kind: "const", value: constants[value]! };
    return { kind: "name", name: value };
  }
  if (kind === "string") {
    let text = "";
    while (tokens.is("string")) text += tokens.next().value;
    return { kind: "const", value: text };
  }
  if (kind === "integer") return { kind: "const", value: integer(tokens.next().value) };
  if (kind === "float") return { kind: "const", value: Number(tokens.next().value.replaceAll("_", "")) };
  if (operator(tokens, "(") !== undefined) {
    const inner = sequence(tokens, { empty: true });
    tokens.expect("operator", ")");
    return inner;
  }
  if (operator(tokens, "[") !== undefined) {
    return { kind: "list", items: listed(tokens, "]", () => expression(tokens)) };
  }
  if (operator(tokens, "{") === undefined) return tokens.fail("expected an expression");
  const pairs = listed(tokens, "}", () => {
    const key = expression(tokens);
    tokens.expect("operator", ":");
    return [key, expression(tokens)] as const;
  });
  return { kind: "dict", pairs };
}

const bound = (tokens: Tokens): Expression | undefined =>
  tokens.is("operator", ":", "]", ",") ? undefined : expression(tokens);

const subscript = (tokens: Tokens, of: Expression): Expression => {
  const start = bound(tokens);
  if (operator(tokens, ":") !== undefined) {
    const stop = bound(tokens);
    const step = operator(tokens, ":") === undefined ? undefined : bound(tokens);
    tokens.expect("operator", "]");
    return { kind: "slice", of, bounds: [start, stop, step] };
  }
  if (start === undefined) return tokens.fail("expected an index");
  const keys = [start];
  while (operator(tokens, ",") !== undefined) keys.push(expression(tokens));
  tokens.expect("operator", "]");
  return { kind: "item", of, key: keys.length === 1 ? start : { kind: "tuple", items: keys } };
};

const member = (tokens: Tokens, of: Expression): Expression => {
  if (tokens.is("integer")) {
    return { kind: "item", of, key: { kind: "const", value: integer(tokens.next().value) } };
  }
  return { kind: "attribute", of, name: tokens.expect("name").value };
};

function postfix(tokens: Tokens, own: Expression): Expression {
  let node = own;
  for (;;) {
    if (operator(tokens, ".") !== undefined) node = member(tokens, node);
    else if (operator(tokens, "[") !== undefined) node = subscript(tokens, node);
    else if (tokens.is("operator", "(")) node = { kind: "call", of: node, given: given(tokens) };
    else return node;
  }
}

/** What stands in the parentheses of a call. */
export function given(tokens: Tokens): Arguments {
  tokens.expect("operator", "(");
  const args: Expression[] = [];
  const named: (readonly [string, Expression])[] = [];
  let rest: Expression | undefined;
  let more: Expression | undefined;
  listed(tokens, ")", () => {
    if (operator(tokens, "*") !== undefined) rest = expression(tokens);
    else if (operator(tokens, "**") !== undefined) more = expression(tokens);
    else if (tokens.is("name") && tokens.following.kind === "operator" && tokens.following.value === "=") {
      const name = tokens.next().value;
      tokens.next();
      named.push([name, expression(tokens)]);
    } else if (named.length > 0 || rest !== undefined || more !== undefined) {
      tokens.fail("a positional argument behind named ones");
    } else args.push(expression(tokens));
  });
  return { args, named, ...(rest === undefined ? {} : { rest }), ...(more === undefined ? {} : { more }) };
}

const NONE: Arguments = { args: [], named: [] };

const dotted = (tokens: Tokens): string => {
  let name = tokens.expect("name").value;
  while (operator(tokens, ".") !== undefined) name += `.${tokens.expect("name").value}`;
  return name;
};

/** One filter's name and arguments, over `of`. */
export const filter = (tokens: Tokens, of: Expression): Expression => {
  const name = dotted(tokens);
  return { kind: "filter", name, of, given: tokens.is("operator", "(") ? given(tokens) : NONE };
};

const testArguments = (tokens: Tokens): Arguments => {
  if (tokens.is("operator", "(")) return given(tokens);
  const { kind } = tokens.current;
  const starts = kind === "name" || kind === "string" || kind === "integer" || kind === "float";
  if (!(starts || tokens.is("operator", "[", "{")) || tokens.is("name", "else", "or", "and")) return NONE;
  if (tokens.is("name", "is")) tokens.fail("tests cannot be chained");
  return { args: [postfix(tokens, primary(tokens))], named: [] };
};

const tested = (tokens: Tokens, of: Expression): Expression => {
  const not = tokens.skip("name", "not");
  const name = dotted(tokens);
  const test: Expression = { kind: "test", name, of, given: testArguments(tokens) };
  return not ? { kind: "not", of: test } : test;
};

function filtered(tokens: Tokens, own: Expression): Expression {
  let node = own;
  for (;;) {
    if (operator(tokens, "|") !== undefined) node = filter(tokens, node);
    else if (tokens.skip("name", "is")) node = tested(tokens, node);
    else if (tokens.is("operator", "(")) node = { kind: "call", of: node, given: given(tokens) };
    else return node;
  }
}
