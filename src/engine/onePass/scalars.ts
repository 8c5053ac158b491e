/** Scalars of a program in passes: float32, each op rounded as a graph's would be. */
const ops = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  minimum: Math.min,
  maximum: Math.max,
  neg: (a: number) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  tanh: Math.tanh,
};

type ScalarOp = keyof typeof ops;

/** Whether an op of this name is known for scalars. */
export const isScalarOp = (op: string): op is ScalarOp => Object.hasOwn(ops, op);

/** How a scalar comes about: given, fixed, or of those before it. */
export type ScalarStep =
  | { readonly input: string }
  | { readonly value: number }
  | { readonly op: ScalarOp; readonly of: readonly number[] };

/** All scalars of a program from those that it is given. */
export const scalarsFrom = (steps: readonly ScalarStep[], given: (name: string) => number): number[] => {
  const values: number[] = [];
  for (const step of steps) {
    if ("input" in step) values.push(Math.fround(given(step.input)));
    else if ("value" in step) values.push(Math.fround(step.value));
    else {
      const [a, b] = step.of.map((i) => values[i]!);
      values.push(Math.fround(ops[step.op](a!, b!)));
    }
  }
  return values;
};
