/** The activation of SwiGLU (Elfwing et al. 2017, https://arxiv.org/abs/1702.03118). */
import { apply, type Op, type Value } from "../ir/op.ts";
import { add, mul, sigmoid, sub } from "./elementwise.ts";

const siluOp: Op<[x: Value], Record<never, never>, [Value]> = {
  name: "silu",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { inputs: [x], outputs: [y] }) => {
    const s = sigmoid(x);
    return [mul(g, add(s, mul(y, sub(1, s))))];
  },
  onnx: (emit, [x]) => emit.node("QuickGelu", [x], { alpha: { float: 1 } }, { domain: "com.microsoft" }),
};

/** x * sigmoid(x), also called swish. */
export const silu = (x: Value): Value => apply(siluOp, [x], {})[0];
