/** Binding the arguments of a call to parameters. */
import { Callable, type Given, typeFault, type Value } from "./values/values.ts";

/** A parameter's name, and what it is where it is not given. */
export type Parameter = string | readonly [name: string, fallback: Value];

/** Values in the order of the parameters. Throws TemplateFault for missing, unknown and too many ones. */
export const bind = (name: string, parameters: readonly Parameter[], { args, named }: Given): Value[] => {
  if (args.length > parameters.length) {
    return typeFault(`${name}() takes at most ${parameters.length} arguments (${args.length} given)`);
  }
  const names = parameters.map((one) => (typeof one === "string" ? one : one[0]));
  for (const key of named.keys()) {
    const at = names.indexOf(key);
    if (at < 0) typeFault(`${name}() got an unexpected keyword argument '${key}'`);
    if (at < args.length) typeFault(`${name}() got multiple values for argument '${key}'`);
  }
  return parameters.map((one, i) => {
    if (i < args.length) return args[i]!;
    const key = names[i]!;
    if (named.has(key)) return named.get(key)!;
    return typeof one === "string" ? typeFault(`${name}() missing argument '${key}'`) : one[1];
  });
};

/** A function with these parameters. */
export const callable = (
  name: string,
  parameters: readonly Parameter[],
  body: (...values: Value[]) => Value,
): Callable => new Callable(name, (given) => body(...bind(name, parameters, given)));
