/** Parts of a program whose matrices are inputs `w.PATH`: from values that are known to others. */
import { constant, input, isInput, type Value } from "../../ir/op.ts";
import { keep, type Program, rewriteProgram } from "../../ir/program.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Tree } from "../../util/tree.ts";

/** `outputs` made anew, with what is `given` in the place of values, and other matrices by their path. */
export const madeAnew = <T extends Tree<Value>>(
  outputs: T,
  given: ReadonlyMap<Value, Value>,
  matrixAt: (path: string) => Value,
): T =>
  rewriteProgram({ inputs: {}, outputs }, (node, own) => {
    const path = isInput(node) ? /^w\.(.*)$/.exec(node.attrs.name)?.[1] : undefined;
    if (path !== undefined) return [matrixAt(path)];
    if (isInput(node) || !node.outputs.some((v) => given.has(v))) return undefined;
    const kept = keep(node, own);
    return node.outputs.map((v, i) => given.get(v) ?? kept[i]!);
  }).outputs;

/** Values as inputs `held.I` of a program. */
export const heldInputs = (values: Iterable<Value>): ReadonlyMap<Value, Value> =>
  new Map(Array.from(values, (v, i) => [v, input(`held.${i}`, { dtype: v.dtype, shape: v.shape })]));

/** `outputs` as a program of their own, which reads `held` values as inputs and matrices as constants. */
export const partOf = (
  whole: Program,
  outputs: Tree<Value>,
  held: Iterable<Value>,
  matrices: Readonly<Record<string, Tensor>>,
): Program => {
  const given = heldInputs(held);
  const { ids } = whole.inputs as Record<string, Value>;
  const inputs = { ids: ids!, held: Object.fromEntries([...given.values()].map((v, i) => [String(i), v])) };
  return { inputs, outputs: madeAnew(outputs, given, (path) => constant(matrices[path]!, path)) };
};
