/** Common subexpression elimination: nodes of one op, attributes and inputs become one. */
import type { Attr, Node, Value } from "../ir/op.ts";
import { isConstant, isInput } from "../ir/op.ts";
import { keep, type Program, rewriteProgram } from "../ir/program.ts";
import { bytesOf, shapeText, type Tensor } from "../ir/tensor.ts";

/**
 * A key by which equal nodes meet: identities of ops, inputs and large tensors are numbered as they appear.
 */
const keys = () => {
  const ids = new Map<object, number>();
  const id = (x: object): number => {
    if (!ids.has(x)) ids.set(x, ids.size);
    return ids.get(x)!;
  };
  const tensorKey = (t: Tensor): string =>
    t.data.byteLength > 64
      ? `#${id(t.data)}${t.dtype}${shapeText(t.shape)}`
      : `${t.dtype}${shapeText(t.shape)}${bytesOf(t).join(",")}`;
  const attrKey = (a: Attr | undefined): string =>
    typeof a === "object" && "dtype" in a ? tensorKey(a as Tensor) : JSON.stringify(a ?? null);
  return (node: Node, inputs: readonly Value[]): string => {
    const attrs = Object.entries(node.attrs as Record<string, Attr>).map(([k, v]) => `${k}=${attrKey(v)}`);
    const args = inputs.map((v) => `${id(v.node)}:${v.index}`);
    return `${id(node.op)}(${args.join(",")}){${attrs.join(";")}}`;
  };
};

/** Program -> Program with every repeated computation made once. */
export const cse = <P extends Program>(program: P): P => {
  const key = keys();
  const seen = new Map<string, readonly Value[]>();
  return rewriteProgram(program, (node, inputs) => {
    if (isInput(node) || (isConstant(node) && node.attrs.name !== undefined)) return undefined;
    const k = key(node, inputs);
    const before = seen.get(k);
    if (before !== undefined) return before;
    const outputs = keep(node, inputs);
    seen.set(k, outputs);
    return outputs;
  });
};
