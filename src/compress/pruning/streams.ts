/** The residual stream, found in a program: what products are added to. */
import { isConstant, isInput, type Node, type Value } from "../../ir/op.ts";
import { nodesOf, type Program } from "../../ir/program.ts";
import { matrixRead, type Readers } from "../sites.ts";

/** What a product is added to, and the sum. */
export interface Stream {
  readonly residual: Value;
  readonly sum: Value;
}

/** The residual stream behind a product, past its bias; undefined where its result goes elsewhere. */
export const streamOf = (product: Node, readers: Readers): Stream | undefined => {
  let at = product.outputs[0]!;
  for (let step = 0; step < 4; step++) {
    const [node, more] = readers.get(at) ?? [];
    if (node === undefined || more !== undefined) return undefined;
    if (node.op.name !== "reshape" && node.op.name !== "add") return undefined;
    const other = node.inputs.find((v) => v !== at);
    const sum = node.outputs[0]!;
    const isBias = other !== undefined && (isConstant(other.node) || isInput(other.node));
    if (node.op.name === "add" && other !== undefined && !isBias) return { residual: other, sum };
    at = sum;
  }
  return undefined;
};

/** The products of a program by the paths of their matrices: inputs `w.PATH`, or the names of constants. */
export const productsOf = (program: Program): ReadonlyMap<string, Node> =>
  new Map(
    nodesOf(program).flatMap((node) => {
      const w = node.op.isProduct === true ? node.inputs[1]!.node : undefined;
      const name = w !== undefined && isConstant(w) ? w.attrs.name : matrixRead(node);
      return name === undefined ? [] : [[name, node] as const];
    }),
  );
