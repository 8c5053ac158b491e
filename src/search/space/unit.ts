/** Parameters as numbers from 0 to 1, which is where samplers draw and Gaussian processes measure. */
import { decided, type Param, type Scalar, type Space, type Values } from "./space.ts";

/** How many values a parameter has; infinite for a number that is not whole. */
export const cardinality = (param: Param): number => {
  if (param.kind === "categorical") return param.choices.length;
  return param.kind === "integer" ? param.high - param.low + 1 : Number.POSITIVE_INFINITY;
};

/** The ends of a whole number reach half a step beyond it, so that each value has its share of the range. */
const rangeOf = (param: Exclude<Param, { kind: "categorical" }>): readonly [number, number] => {
  const { kind, low, high, log = false } = param;
  const [a, b] = kind === "integer" ? [low - 0.5, high + 0.5] : [low, high];
  return log ? [Math.log(a), Math.log(b)] : [a, b];
};

/** Where a value lies from 0 to 1; a choice lies in the middle of its share. */
export const toUnit = (param: Param, value: Scalar): number => {
  if (param.kind === "categorical") return (param.choices.indexOf(value) + 0.5) / param.choices.length;
  const [a, b] = rangeOf(param);
  if (a === b) return 0.5;
  return ((param.log ? Math.log(Number(value)) : Number(value)) - a) / (b - a);
};

/** The value at a place from 0 to 1. */
export const fromUnit = (param: Param, at: number): Scalar => {
  if (param.kind === "categorical") {
    const { choices } = param;
    return choices[Math.min(choices.length - 1, Math.max(0, Math.floor(at * choices.length)))]!;
  }
  const [a, b] = rangeOf(param);
  const raw = a + (b - a) * at;
  const value = param.log ? Math.exp(raw) : raw;
  const nearest = param.kind === "integer" ? Math.round(value) : value;
  return Math.min(param.high, Math.max(param.low, nearest));
};

/** A configuration at a point of the unit cube, a coordinate for each parameter, active or not. */
export const atPoint = (space: Space, point: readonly number[]): Values => {
  const index = new Map(Object.keys(space).map((name, i) => [name, i]));
  return decided(space, (name, param) => fromUnit(param, point[index.get(name)!]!));
};

/** The point of a configuration; what is not there stands in the middle. */
export const pointOf = (space: Space, values: Values): number[] =>
  Object.entries(space).map(([name, param]) =>
    values[name] === undefined ? 0.5 : toUnit(param, values[name]),
  );
