/** Shape rules shared by the ops. A named dimension equals only itself; 1 broadcasts. */
import { ShapeError } from "../util/errors.ts";
import { type Dim, shapeText, type TensorType } from "./tensor.ts";

/** The shape two operands broadcast to (numpy rules). */
export const broadcast = (a: readonly Dim[], b: readonly Dim[], what: string): Dim[] => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw new ShapeError(`${what}: dimension ${i} is ${x} in ${shapeText(a)} and ${y} in ${shapeText(b)}`);
  });
};

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number, what: string): number => {
  const positive = axis < 0 ? axis + rank : axis;
  if (positive < 0 || positive >= rank || !Number.isInteger(positive)) {
    throw new ShapeError(`${what}: axis ${axis} is outside a shape of ${rank} dimensions`);
  }
  return positive;
};

/** Whether two shapes are equal, named dimensions by their names. */
export const sameShape = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);

/** Throws unless both types have one dtype; returns it. */
export const sameDtype = (a: TensorType, b: TensorType, what: string): TensorType["dtype"] => {
  if (a.dtype !== b.dtype)
    throw new ShapeError(`${what}: ${a.dtype} and ${b.dtype} do not mix; cast one of them`);
  return a.dtype;
};

/** The product of dimensions; named ones make a named product ("B*T"). */
export const product = (dims: readonly Dim[]): Dim => {
  const number = dims.reduce<number>((n, d) => (typeof d === "number" ? n * d : n), 1);
  const names = dims.filter((d) => typeof d === "string");
  if (names.length === 0) return number;
  return number === 1 ? names.join("*") : [...names, number].join("*");
};
