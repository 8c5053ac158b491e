/** Where a block of a program begins: what gradients may go back to instead of keeping what lies behind. */
import { apply, type Node, type Op, type Value } from "../ir/op.ts";

const blockOp: Op<[x: Value], Record<never, never>, [Value]> = {
  name: "block",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  simplify: ([x]) => x,
  vjp: ([g]) => [g],
  onnx: "Identity",
};

/** x, from which a new block begins: see `vjp` of autodiff. */
export const block = (x: Value): Value => apply(blockOp, [x], {})[0];

/** Whether a block begins at a node. */
export const isBlock = (node: Node): boolean => node.op === blockOp;
