/** The identity that gradients do not pass. */
import { apply, type Op, type Value } from "../ir/op.ts";

const detachOp: Op<[x: Value], Record<never, never>, [Value]> = {
  name: "detach",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: () => [null],
  onnx: "Identity",
};
/** x, through which nothing flows back: for buffers and frozen rows. */
export const detach = (x: Value): Value => apply(detachOp, [x], {})[0];
