/** Macros (https://jinja.palletsprojects.com/en/stable/templates/#macros), and what a call block calls. */
import { evaluate, Scope } from "./evaluate.ts";
import type { Body, MacroParts } from "./syntax/nodes.ts";
import { Callable, Dict, type Given, Tuple, typeFault, Undefined, type Value } from "./values/values.ts";

/** Sets a macro's parameters in its scope, in order: a default may name those before it. */
const bindParameters = (
  { name, parameters, names }: MacroParts,
  { args, named }: Given,
  scope: Scope,
): void => {
  for (const [i, { name: parameter, fallback }] of parameters.entries()) {
    const value = i < args.length ? args[i]! : named.get(parameter);
    if (value !== undefined) scope.set(parameter, value);
    else if (fallback !== undefined) scope.set(parameter, evaluate(fallback, scope));
    else scope.set(parameter, new Undefined(`parameter '${parameter}' was not provided`));
  }
  const known = new Set(parameters.map((one) => one.name));
  const more = [...named].filter(([key]) => !known.has(key) && key !== "caller");
  if (named.has("caller") && !known.has("caller")) scope.set("caller", named.get("caller")!);
  else if (names.has("caller") && !known.has("caller"))
    scope.set("caller", new Undefined("No caller defined"));
  if (names.has("kwargs")) scope.set("kwargs", new Dict(more));
  else if (more.length > 0) typeFault(`macro '${name}' takes no keyword argument '${more[0]![0]}'`);
  if (names.has("varargs")) scope.set("varargs", new Tuple(args.slice(parameters.length)));
  else if (args.length > parameters.length) {
    typeFault(`macro '${name}' takes not more than ${parameters.length} argument(s)`);
  }
};

/** A macro as it is called: its body's text, in a scope within the one where it stands. */
export const macroOf = (
  parts: MacroParts,
  scope: Scope,
  capture: (body: Body, scope: Scope) => string,
): Callable => {
  const run = (given: Given): Value => {
    const inner = new Scope(scope);
    bindParameters(parts, given, inner);
    return capture(parts.body, inner);
  };
  const attributes: [string, Value][] = [
    ["name", parts.name],
    ["arguments", new Tuple(parts.parameters.map(({ name }) => name))],
    ["catch_kwargs", parts.names.has("kwargs")],
    ["catch_varargs", parts.names.has("varargs")],
    ["caller", parts.names.has("caller")],
  ];
  return new Callable(parts.name, run, new Map(attributes));
};
