/** What an expression is worth. */
import { attribute, item, slice } from "./access.ts";
import type { Calls } from "./filters/filter.ts";
import { filters } from "./filters/index.ts";
import type { Arguments, Expression, ExpressionOf } from "./syntax/nodes.ts";
import { tests } from "./tests.ts";
import { iterate } from "./values/iterate.ts";
import { binary, compare, negative, positive, truth } from "./values/operators.ts";
import { str } from "./values/printed.ts";
import {
  Callable,
  Dict,
  type Given,
  isComputed,
  TemplateFault,
  Tuple,
  typeFault,
  typeName,
  Undefined,
  type Value,
} from "./values/values.ts";

/** Names, and the scope around them. */
export class Scope {
  readonly #names = new Map<string, Value>();
  readonly #outer: Scope | undefined;
  constructor(outer?: Scope, names: Iterable<readonly [string, Value]> = []) {
    this.#outer = outer;
    for (const [name, value] of names) this.#names.set(name, value);
  }
  get(name: string): Value {
    return this.#names.get(name) ?? this.#find(name);
  }
  #find(name: string): Value {
    if (this.#names.has(name)) return null;
    return (
      this.#outer?.get(name) ?? (this.#outer?.has(name) ? null : new Undefined(`'${name}' is undefined`))
    );
  }
  has(name: string): boolean {
    return this.#names.has(name) || (this.#outer?.has(name) ?? false);
  }
  set(name: string, value: Value): void {
    this.#names.set(name, value);
  }
}

/** The values of a call's arguments. */
export const given = ({ args, named, rest, more }: Arguments, scope: Scope): Given => {
  const values = args.map((one) => evaluate(one, scope));
  const names = new Map(named.map(([name, value]) => [name, evaluate(value, scope)] as const));
  if (rest !== undefined) values.push(...iterate(evaluate(rest, scope)));
  const all = more === undefined ? null : evaluate(more, scope);
  if (all instanceof Dict) for (const [name, value] of all.entries()) names.set(str(name), value);
  else if (more !== undefined) typeFault("argument after ** must be a mapping");
  return { args: values, named: names };
};

/** What a call gives. Throws TypeError for what cannot be called. */
export const call = (callee: Value, arguments_: Given): Value => {
  if (callee instanceof Undefined) return callee.fail();
  const callable = callee instanceof Callable || (callee !== null && isComputed(callee));
  const run = callable ? (callee as Callable).call : undefined;
  return run === undefined ? typeFault(`'${typeName(callee)}' object is not callable`) : run(arguments_);
};

const calls: Calls = {
  filter: (name, value, arguments_) => {
    if (Object.hasOwn(filters, name)) return filters[name]!(value, arguments_, calls);
    throw new TemplateFault(`TemplateAssertionError: No filter named '${name}'.`);
  },
  test: (name, value, arguments_) => {
    if (Object.hasOwn(tests, name)) return tests[name]!(value, arguments_);
    throw new TemplateFault(`TemplateAssertionError: No test named '${name}'.`);
  },
};

const binaryOf = ({ operator, left, right }: ExpressionOf<"binary">, scope: Scope): Value => {
  const first = evaluate(left, scope);
  if (operator === "and") return truth(first) ? evaluate(right, scope) : first;
  if (operator === "or") return truth(first) ? first : evaluate(right, scope);
  return binary(operator, first, evaluate(right, scope));
};

/** a < b < c holds where both do. */
const comparison = ({ first, rest }: ExpressionOf<"compare">, scope: Scope): boolean => {
  let left = evaluate(first, scope);
  for (const [operator, operand] of rest) {
    const right = evaluate(operand, scope);
    if (!compare(operator, left, right)) return false;
    left = right;
  }
  return true;
};

const choice = ({ test, yes, no }: ExpressionOf<"choice">, scope: Scope): Value => {
  if (truth(evaluate(test, scope))) return evaluate(yes, scope);
  return no === undefined
    ? new Undefined("the inline if-expression evaluated to false and no else section was defined")
    : evaluate(no, scope);
};

type Evaluators = {
  readonly [K in Expression["kind"]]: (node: ExpressionOf<K>, scope: Scope) => Value;
};

const many = (items: readonly Expression[], scope: Scope): Value[] =>
  items.map((one) => evaluate(one, scope));

const evaluators: Evaluators = {
  const: ({ value }) => value,
  name: ({ name }, scope) => scope.get(name),
  reference: ({ name, attribute: attr }, scope) => attribute(scope.get(name), attr),
  tuple: ({ items }, scope) => new Tuple(many(items, scope)),
  list: ({ items }, scope) => many(items, scope),
  dict: ({ pairs }, scope) =>
    new Dict(pairs.map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)] as const)),
  attribute: ({ of, name }, scope) => attribute(evaluate(of, scope), name),
  item: ({ of, key }, scope) => item(evaluate(of, scope), evaluate(key, scope)),
  slice: ({ of, bounds }, scope) =>
    slice(
      evaluate(of, scope),
      bounds.map((bound) => (bound === undefined ? undefined : evaluate(bound, scope))),
    ),
  call: ({ of, given: arguments_ }, scope) => call(evaluate(of, scope), given(arguments_, scope)),
  filter: ({ name, of, given: arguments_ }, scope) =>
    calls.filter(name, evaluate(of, scope), given(arguments_, scope)),
  test: ({ name, of, given: arguments_ }, scope) =>
    calls.test(name, evaluate(of, scope), given(arguments_, scope)),
  not: ({ of }, scope) => !truth(evaluate(of, scope)),
  negative: ({ of }, scope) => negative(evaluate(of, scope)),
  positive: ({ of }, scope) => positive(evaluate(of, scope)),
  binary: binaryOf,
  concat: ({ parts }, scope) => many(parts, scope).map(str).join(""),
  compare: comparison,
  choice,
};

/** The value of an expression. */
export function evaluate(node: Expression, scope: Scope): Value {
  return (evaluators[node.kind] as (node: Expression, scope: Scope) => Value)(node, scope);
}
