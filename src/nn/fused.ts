/**
 * Several projections of one input as a single product, where the weights are constants: their rows are
 * joined when the program is built. A token's step is bound by the number of products as much as by their
 * size.
 */
import { constant, isConstant, type Value } from "../ir/op.ts";
import { bytesOf, type Tensor, tensorFromBytes } from "../ir/tensor.ts";
import { columnsOf } from "../ops/columns.ts";
import { type Projection, project } from "./linear.ts";
import { dense, isPacked, type PackedParam, type Param } from "./param.ts";

const constantsOf = (values: readonly (Value | undefined)[]): Tensor[] | undefined => {
  const found = values.flatMap((v) => (v !== undefined && isConstant(v.node) ? [v.node.attrs.value] : []));
  return found.length === values.length ? found : undefined;
};

/** Tensors that differ in the size of `axis` (0 or 1) only, behind one another along it. */
const joined = (tensors: readonly Tensor[], axis: number): Tensor => {
  const [first] = tensors as [Tensor];
  const size = tensors.reduce((n, t) => n + t.shape[axis]!, 0);
  const shape = first.shape.map((d, i) => (i === axis ? size : d));
  const outer = axis === 0 ? 1 : first.shape[0]!;
  const sources = tensors.map(bytesOf);
  const bytes = new Uint8Array(sources.reduce((n, s) => n + s.length, 0));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const source of sources) {
      const width = source.length / outer;
      bytes.set(source.subarray(row * width, (row + 1) * width), at);
      at += width;
    }
  }
  return tensorFromBytes(first.dtype, shape, bytes);
};

/** Whether two tensors differ in the size of `axis` at most: weights of unlike sizes have unlike groups. */
const fits = (a: Tensor, b: Tensor, axis: number): boolean =>
  a.dtype === b.dtype && a.shape.every((d, i) => i === axis || d === b.shape[i]);

/** One constant of several, or undefined where one of them is none or does not fit. */
const joinedConstants = (
  values: readonly (Value | undefined)[],
  axis: number,
  name: string,
): Value | undefined => {
  const tensors = constantsOf(values);
  if (tensors === undefined || !tensors.every((t) => fits(t, tensors[0]!, axis))) return undefined;
  return constant(joined(tensors, axis), name);
};

const joinedWeights = (weights: readonly Param[], name: string): Param | undefined => {
  const [first] = weights as [Param];
  if (!isPacked(first)) {
    return weights.some((w) => isPacked(w)) ? undefined : joinedConstants(weights as Value[], 0, name);
  }
  const attrs = JSON.stringify(first.attrs);
  const joins = (w: Param) => isPacked(w) && w.kind === first.kind && JSON.stringify(w.attrs) === attrs;
  if (!weights.every(joins)) return undefined;
  const axes = first.kind.outputAxes;
  if (axes === undefined) return undefined;
  const keys = [...new Set(weights.flatMap((w) => Object.keys((w as PackedParam).parts)))];
  const parts: Record<string, Value> = {};
  for (const key of keys) {
    const own = weights.map((w) => (w as PackedParam).parts[key] as Value | undefined);
    const axis = axes[key.replace(/\d+$/, "")];
    const part = axis === undefined ? undefined : joinedConstants(own, axis, `${name}.${key}`);
    if (part === undefined) return undefined;
    parts[key] = part;
  }
  const rows = weights.reduce((n, w) => n + (w.shape[0] as number), 0);
  return { ...first, shape: [rows, first.shape[1]!], parts };
};

/**
 * x [..., K] times each weight [N, K] transposed, plus its bias -> [..., N] each. One product named `name`
 * where all are constants of one kind, else a product each.
 */
export const projections = (
  parts: readonly Projection<Param>[],
  x: Value,
  name: string,
): readonly Value[] => {
  const biases = parts.map(({ bias }) => (bias === undefined ? undefined : dense(bias)));
  const weight = joinedWeights(
    parts.map((p) => p.weight),
    `${name}.weight`,
  );
  const plain = biases.every((b) => b === undefined);
  const bias = plain ? undefined : joinedConstants(biases, 0, `${name}.bias`);
  if (weight === undefined || (!plain && bias === undefined)) {
    return parts.map((p, i) => project(p.weight, x, biases[i]));
  }
  return columnsOf(
    project(weight, x, bias),
    parts.map((p) => p.weight.shape[0] as number),
  );
};
