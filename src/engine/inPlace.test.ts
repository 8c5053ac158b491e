import { expect, test } from "vitest";
import { toOnnx } from "../formats/onnx/lower.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import type { TensorType } from "../ir/tensor.ts";
import { add, mul, neg } from "../ops/elementwise.ts";
import { matmul } from "../ops/linalg.ts";
import { reshape } from "../ops/structure.ts";
import { inPlaceStates } from "./inPlace.ts";

const type: TensorType = { dtype: "float32", shape: [3, 3] };

type Step = (v: { x: Value; y: Value }) => Record<string, Value>;
const safe = (step: Step): string[] => {
  const program = trace({ x: type, y: type }, step);
  return [...inPlaceStates(toOnnx(program))];
};

test("an elementwise op may write where it reads", () => {
  expect(safe(({ x, y }) => ({ x: add(x, y) }))).toEqual(["x"]);
  expect(safe(({ x, y }) => ({ x: add(mul(x, 2), mul(y, x)) }))).toEqual(["x"]);
  expect(safe(({ x, y }) => ({ x: add(x, y), y: mul(y, 2) }))).toEqual(["x"]);
});

test("an op that reads elements again after it has written others may not", () => {
  expect(safe(({ x, y }) => ({ x: matmul(x, y) }))).toEqual([]);
  expect(safe(({ x, y }) => ({ x: mul(matmul(x, y), 2) }))).toEqual(["x"]);
});

test("what is read by anything that can run later stays whole", () => {
  expect(safe(({ x, y }) => ({ x: add(x, y), other: neg(x) }))).toEqual([]);
  expect(safe(({ x, y }) => ({ x: mul(add(x, y), 2), y: mul(y, add(x, y)) }))).toEqual([]);
  const shared: Step = ({ x, y }) => {
    const sum = add(x, y);
    return { x: mul(sum, 2), y: mul(y, sum) };
  };
  expect(safe(shared)).toEqual(["x", "y"]);
});

test("who reads a view reads the state", () => {
  const late: Step = ({ x, y }) => {
    const view = reshape(x, [9]);
    const next = add(x, reshape(mul(view, reshape(y, [9])), [3, 3]));
    return { x: next, other: add(view, reshape(next, [9])) };
  };
  expect(safe(late)).toEqual([]);
  expect(safe(({ x, y }) => ({ x: add(x, reshape(neg(reshape(y, [9])), [3, 3])) }))).toEqual(["x"]);
});

test("an input without a next value is no state", () => {
  expect(safe(({ x, y }) => ({ z: add(x, y) }))).toEqual([]);
});
