/** Where a block of a program begins: what gradients may go back to instead of keeping what lies behind. */
import { apply, type Node, type Op, type Value } from "../ir/op.ts";

const blockOp: Op<[x: Value], { again: boolean }, [Value]> = {
  name: "block",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  simplify: ([x]) => x,
  vjp: ([g]) => [g],
  onnx: "Identity",
};

/** x, from which a new block begins that is computed `again` or kept: see `vjp` of autodiff. */
export const block = (x: Value, { again }: { readonly again: boolean }): Value =>
  apply(blockOp, [x], { again })[0];

/** Whether a block that begins at a node is computed again. */
export const isAgain = (node: Node): boolean => isBlock(node) && (node.attrs as { again: boolean }).again;

/** Whether a block begins at a node. */
export const isBlock = (node: Node): boolean => node.op === blockOp;
