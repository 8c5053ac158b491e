/**
 * Order. A runtime runs nodes in any order that their inputs allow; where memory depends on it, one is made
 * to wait for others. ONNX has no edges of control alone, so 0 times an element of each is added, which a
 * runtime has to compute first. Where that element is not finite the sum is none either: a step whose
 * gradients are not finite is left out as a whole.
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { tensorOf } from "../ir/tensor.ts";

const afterOp: Op<readonly [x: Value, ...others: Value[]], Record<never, never>, [Value]> = {
  name: "after",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { inputs }) => [g, ...inputs.slice(1).map(() => null)],
  onnx: (emit, [x, ...others]) => {
    const flat = emit.constant(tensorOf("int64", [1], [-1]));
    const first = emit.constant(tensorOf("int64", [], [0]));
    const elements = others.map((other) => {
      const [line] = emit.node("Reshape", [other, flat]);
      return emit.node("Gather", [line!, first])[0]!;
    });
    const [all] = elements.length === 1 ? elements : emit.node("Sum", elements);
    const [nothing] = emit.node("Mul", [all!, emit.constant(tensorOf("float32", [], [0]))]);
    return emit.node("Add", [x, nothing!]);
  },
};

/** x float32, computed when the float32 `others` are; x itself where there are none. */
export const after = (x: Value, others: readonly Value[]): Value =>
  others.length === 0 ? x : apply(afterOp, [x, ...others], {})[0];
