/**
 * Renders a chat template as transformers does with Python's Jinja: in its sandbox, with the settings and the
 * functions that `apply_chat_template` gives it
 * (https://github.com/huggingface/transformers/blob/main/src/transformers/utils/chat_template_utils.py).
 * Nothing of the template is run as code, and nothing but its own values can be reached.
 */
import { call, evaluate, given, Scope } from "./evaluate.ts";
import { globals, setAttribute } from "./globals.ts";
import { loopOver } from "./loop.ts";
import { macroOf } from "./macro.ts";
import type { Body, Expression, Statement, StatementOf } from "./syntax/nodes.ts";
import { CAPTURED, parse } from "./syntax/statements.ts";
import { iterate, valueFault } from "./values/iterate.ts";
import { truth } from "./values/operators.ts";
import { str } from "./values/printed.ts";
import { fromJson, Namespace, TemplateFault, type Value } from "./values/values.ts";

/** A part of a text: units of UTF-16 from `start` up to `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How a body was left before its end. */
type Leave = "break" | "continue" | undefined;

/** The text as it is written, and the parts of it that the template marks as the assistant's. */
class Out {
  readonly #parts: string[] = [];
  readonly marks: Span[] = [];
  length = 0;
  push(text: string): void {
    this.#parts.push(text);
    this.length += text.length;
  }
  text(): string {
    return this.#parts.join("");
  }
}

const assign = (target: Expression, value: Value, scope: Scope): void => {
  if (target.kind === "name") {
    scope.set(target.name, value);
    return;
  }
  if (target.kind === "reference") {
    const own = scope.get(target.name);
    if (!(own instanceof Namespace)) {
      throw new TemplateFault("TemplateRuntimeError: cannot assign attribute on non-namespace object");
    }
    setAttribute(own, target.attribute, value);
    return;
  }
  if (target.kind !== "tuple") throw new TemplateFault(`cannot assign to a ${target.kind}`);
  const values = [...iterate(value)];
  const { length } = target.items;
  if (values.length !== length) valueFault(`${values.length} values to unpack into ${length} names`);
  for (const [i, one] of target.items.entries()) assign(one, values[i]!, scope);
};

const runBody = (body: Body, scope: Scope, out: Out): Leave => {
  for (const statement of body) {
    const leave = run(statement, scope, out);
    if (leave !== undefined) return leave;
  }
  return undefined;
};

/** The text of a body in a scope of its own. */
const capture = (body: Body, scope: Scope): string => {
  const out = new Out();
  runBody(body, new Scope(scope), out);
  return out.text();
};

/** A captured text through the filters over it. */
const throughFilters = (text: string, filter: Expression | undefined, scope: Scope): Value =>
  filter === undefined ? text : evaluate(filter, new Scope(scope, [[CAPTURED, text]]));

const forLoop = (node: StatementOf<"for">, scope: Scope, out: Out): void => {
  const { target, test, body, otherwise, recursive } = node;
  const over = (value: Value, depth: number, to: Out): void => {
    const passes = (one: Value): boolean => {
      if (test === undefined) return true;
      const inner = new Scope(scope);
      assign(target, one, inner);
      return truth(evaluate(test, inner));
    };
    const items = [...iterate(value)].filter(passes);
    const again = (inner: Value, deeper: number): string => {
      const written = new Out();
      over(inner, deeper, written);
      return written.text();
    };
    const loop = loopOver(items, depth, recursive ? again : undefined);
    for (const one of items) {
      loop.next();
      const inner = new Scope(scope, [["loop", loop]]);
      assign(target, one, inner);
      if (runBody(body, inner, to) === "break") break;
    }
    if (items.length === 0) runBody(otherwise, new Scope(scope), to);
  };
  over(evaluate(node.items, scope), 1, out);
};

const condition = ({ branches, otherwise }: StatementOf<"if">, scope: Scope, out: Out): Leave => {
  const taken = branches.find(([test]) => truth(evaluate(test, scope)));
  return runBody(taken === undefined ? otherwise : taken[1], scope, out);
};

const withBlock = ({ targets, body }: StatementOf<"with">, scope: Scope, out: Out): Leave => {
  const inner = new Scope(scope);
  const values = targets.map(([, value]) => evaluate(value, scope));
  for (const [i, [target]] of targets.entries()) assign(target, values[i]!, inner);
  return runBody(body, inner, out);
};

/** What is captured first (a macro's text, a filter's) has no place in the text yet, and no mark. */
const marked = ({ body }: StatementOf<"generation">, scope: Scope, out: Out): Leave => {
  const start = out.length;
  const leave = runBody(body, new Scope(scope), out);
  out.marks.push({ start, end: out.length });
  return leave;
};

const callBlock = ({ call: node, caller }: StatementOf<"call">, scope: Scope, out: Out): void => {
  const own = macroOf(caller, scope, capture);
  const { args, named } = given(node.given, scope);
  const all = { args, named: new Map([...named, ["caller", own] as const]) };
  out.push(str(call(evaluate(node.of, scope), all)));
};

type Runners = {
  readonly [K in Statement["kind"]]: (node: StatementOf<K>, scope: Scope, out: Out) => unknown;
};

const runners: Runners = {
  text: ({ text }, _, out) => void out.push(text),
  print: ({ value }, scope, out) => void out.push(str(evaluate(value, scope))),
  if: condition,
  for: forLoop,
  set: ({ target, value }, scope) => assign(target, evaluate(value, scope), scope),
  capture: ({ target, filter, body }, scope) =>
    assign(target, throughFilters(capture(body, scope), filter, scope), scope),
  macro: ({ macro }, scope) => scope.set(macro.name, macroOf(macro, scope, capture)),
  call: callBlock,
  filter: ({ filter, body }, scope, out) =>
    void out.push(str(throughFilters(capture(body, scope), filter, scope))),
  with: withBlock,
  generation: marked,
  break: () => "break",
  continue: () => "continue",
};

function run(statement: Statement, scope: Scope, out: Out): Leave {
  type Any = (node: Statement, scope: Scope, out: Out) => unknown;
  const leave = (runners[statement.kind] as Any)(statement, scope, out);
  return leave === "break" || leave === "continue" ? leave : undefined;
}

/** What the template may know of the world. */
export interface RenderOptions {
  /** The local time in its UTC fields. */
  readonly now: Date;
}

/** What ends a run for want of room, by what the machine says of it; Python's name for the same. */
const exhausted: readonly (readonly [said: RegExp, fault: string])[] = [
  [/call stack/, "RecursionError: the template, or what it makes, is nested too deep"],
  [/string length|array length|BigInt size/, "MemoryError: the template makes a value that is too large"],
];

const bounded = <T>(make: () => T): T => {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const fault = exhausted.find(([said]) => said.test(error.message))?.[1];
    throw fault === undefined ? error : new TemplateFault(fault);
  }
};

/** What a template made. */
export interface Rendered {
  readonly text: string;
  /** What stands between `{% generation %}` and its end, in order. */
  readonly marks: readonly Span[];
}

/** A template that was read once, for many contexts of plain JSON. Throws as `render` does. */
export type Renderer = (context: Readonly<Record<string, unknown>>, options: RenderOptions) => Rendered;

/** Reads a template. Throws TemplateFault where it is malformed. */
export const renderer = (template: string): Renderer => {
  const body = bounded(() => parse(template));
  return (context, { now }) =>
    bounded(() => {
      const names = Object.entries(context).map(([name, value]) => [name, fromJson(value)] as const);
      const scope = new Scope(new Scope(undefined, globals(now)), names);
      const out = new Out();
      runBody(body, scope, out);
      return { text: out.text(), marks: out.marks };
    });
};

/**
 * The text that a template makes of a context of plain JSON. Throws Refusal where the template refuses it
 * (`raise_exception`), TemplateFault where the template is malformed, does what Python would not, nests too
 * deep or makes what is too large.
 */
export const render = (
  template: string,
  context: Readonly<Record<string, unknown>>,
  options: RenderOptions,
): string => renderer(template)(context, options).text;
