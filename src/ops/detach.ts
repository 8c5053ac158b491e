/** The identity that gradients do not pass. */
import { apply, isConstant, type Op, type Value } from "../ir/op.ts";

const detachOp: Op<[x: Value], Record<never, never>, [Value]> = {
  name: "detach",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  simplify: ([x]) => x,
  vjp: () => [null],
  onnx: "Identity",
};
/** x, through which nothing flows back: for buffers and frozen rows. */
export const detach = (x: Value): Value => apply(detachOp, [x], {})[0];

/** Whether nothing flows back to a value: it is detached, or a constant. */
export const isDetached = ({ node }: Value): boolean => node.op === detachOp || isConstant(node);
