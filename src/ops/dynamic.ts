/** Ops on dimensions that are known only when the program runs. Inference only. */
import { apply, type Op, type Value } from "../ir/op.ts";
import { axisOf } from "../ir/shape.ts";
import { type Dim, shapeText, tensor, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";

const lengthOfOp: Op<[x: Value], { axis: number }, [Value]> = {
  name: "lengthOf",
  infer: () => [{ dtype: "int64", shape: [1] }],
  onnx: (emit, [x], { attrs: { axis } }) =>
    emit.node("Shape", [x], { start: { int: axis }, end: { int: axis + 1 } }),
};
/** The size of `axis` when run -> int64 [1]. */
export const lengthOf = (x: Value, axis: number): Value =>
  apply(lengthOfOp, [x], { axis: axisOf(axis, x.shape.length, "lengthOf") })[0];

const keepLastOp: Op<[x: Value, count: Value], { kept: Dim }, [Value]> = {
  name: "keepLast",
  infer: ([x], { kept }) => [{ dtype: x.dtype, shape: [x.shape[0]!, kept, ...x.shape.slice(2)] }],
  onnx: (emit, [x, count]) => {
    const one = (value: bigint) => emit.constant(tensor("int64", [1], BigInt64Array.of(value)));
    const [flat] = emit.node("Reshape", [count, emit.constant(tensorOf("int64", [1], [1]))]);
    const [start] = emit.node("Neg", [flat!]);
    return emit.node("Slice", [x, start!, one(2n ** 63n - 1n), one(1n)]);
  },
};
/** x [B, T, ...], count int64 [] -> the last `count` of T (all of them for 0), a dimension named `kept`. */
export const keepLast = (x: Value, count: Value, kept: Dim): Value =>
  apply(keepLastOp, [x, count], { kept })[0];

const countUpOp: Op<[count: Value], { size: Dim }, [Value]> = {
  name: "countUp",
  infer: (_, { size }) => [{ dtype: "int64", shape: [size] }],
  onnx: (emit, [count]) => {
    const scalar = (value: number) => emit.constant(tensorOf("int64", [], [value]));
    const [end] = emit.node("Squeeze", [count, emit.constant(tensorOf("int64", [1], [0]))]);
    return emit.node("Range", [scalar(0), end!, scalar(1)]);
  },
};
/** count int64 [1] -> 0 .. count - 1, int64 [size]. */
export const countUp = (count: Value, size: Dim): Value => apply(countUpOp, [count], { size })[0];

const dynamicSliceOp: Op<[x: Value, start: Value, end: Value], { axis: number; size: Dim }, [Value]> = {
  name: "dynamicSlice",
  infer: ([x], { axis, size }) => [{ dtype: x.dtype, shape: x.shape.map((d, i) => (i === axis ? size : d)) }],
  onnx: (emit, [x, start, end], { attrs: { axis } }) =>
    emit.node("Slice", [x, start, end, emit.constant(tensorOf("int64", [1], [axis]))]),
};
/**
 * Elements start .. end - 1 (int64 [1] each; none where they are equal) of `axis`, a dimension named `size`.
 */
export const dynamicSlice = (
  x: Value,
  range: readonly [start: Value, end: Value],
  options: { readonly axis: number; readonly size: Dim },
): Value =>
  apply(dynamicSliceOp, [x, ...range], {
    ...options,
    axis: axisOf(options.axis, x.shape.length, "dynamicSlice"),
  })[0];

const appendOp: Op<[past: Value, fresh: Value], { axis: number; size: Dim }, [Value]> = {
  name: "append",
  infer: ([past, fresh], { axis, size }) => {
    const differs = past.shape.findIndex((d, i) => i !== axis && d !== fresh.shape[i]);
    if (differs >= 0 || past.shape.length !== fresh.shape.length) {
      throw new ShapeError(`append: ${shapeText(fresh.shape)} does not fit ${shapeText(past.shape)}`);
    }
    return [{ dtype: past.dtype, shape: past.shape.map((d, i) => (i === axis ? size : d)) }];
  },
  onnx: (emit, [past, fresh], { attrs: { axis } }) =>
    emit.node("Concat", [past, fresh], { axis: { int: axis } }),
};
/** `fresh` behind `past` along an axis of unknown length, 0 included; the result names it `size`. */
export const append = (
  past: Value,
  fresh: Value,
  options: { readonly axis: number; readonly size: Dim },
): Value =>
  apply(appendOp, [past, fresh], { ...options, axis: axisOf(options.axis, past.shape.length, "append") })[0];
