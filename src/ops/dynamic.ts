/** Ops on dimensions that are known only when the program runs. Inference only. */
import { apply, type Op, type Value } from "../ir/op.ts";
import { axisOf } from "../ir/shape.ts";
import { type Dim, tensor, tensorOf } from "../ir/tensor.ts";

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
