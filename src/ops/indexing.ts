/** Picking and placing single elements of the last axis by index. */
import { apply, constant, type Op, type Value } from "../ir/op.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { expandTo } from "./structure.ts";

type Plain = Record<never, never>;

const rowsMatch = (x: Value, ids: Value, what: string): void => {
  const fits =
    x.shape.length === ids.shape.length && ids.shape.slice(0, -1).every((d, i) => d === x.shape[i]);
  if (!fits)
    throw new ShapeError(`${what}: indices ${shapeText(ids.shape)} do not fit ${shapeText(x.shape)}`);
};

const takeOp: Op<[x: Value, ids: Value], Plain, [Value]> = {
  name: "take",
  infer: ([x, ids]) => {
    rowsMatch(x, ids, "take");
    return [{ dtype: x.dtype, shape: ids.shape }];
  },
  vjp: ([g], { inputs: [x, ids] }) => [put(expandTo(zeroLike(x), x.shape), ids, g), null],
  onnx: (emit, [x, ids]) => emit.node("GatherElements", [x, ids], { axis: { int: -1 } }),
};
/** x [..., N], ids [..., k] -> [..., k]: elements of the last axis. Gradients need distinct ids in a row. */
export const take = (x: Value, ids: Value): Value => apply(takeOp, [x, ids], {})[0];

const putOp: Op<[x: Value, ids: Value, values: Value], Plain, [Value]> = {
  name: "put",
  infer: ([x, ids, values]) => {
    rowsMatch(x, ids, "put");
    if (!sameShape(ids.shape, values.shape)) {
      throw new ShapeError(
        `put: values ${shapeText(values.shape)} do not fit indices ${shapeText(ids.shape)}`,
      );
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  vjp: ([g], { inputs: [, ids] }) => {
    const picked = take(g, ids);
    return [put(g, ids, expandTo(zeroLike(g), ids.shape)), null, picked];
  },
  onnx: (emit, [x, ids, values]) => emit.node("ScatterElements", [x, ids, values], { axis: { int: -1 } }),
};
/** x [..., N] with x[..., ids] replaced by values [..., k]; the ids of a row must be distinct. */
export const put = (x: Value, ids: Value, values: Value): Value => apply(putOp, [x, ids, values], {})[0];

const zeroLike = (x: Value): Value => constant(tensorOf(x.dtype, [], [0]));
