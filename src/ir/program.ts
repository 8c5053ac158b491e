/** Programs: what a tree of outputs reaches from a tree of inputs. */
import { entries, leaves, type MapTree, mapTree, type Tree } from "../util/tree.ts";
import { type Attr, apply, constant, input, isConstant, isInput, type Node, type Value } from "./op.ts";
import { shapeText, type TensorType } from "./tensor.ts";

/** What is computed: a tree of named inputs, and the tree of Values made of them. */
export interface Program<I = Tree<Value>, O = Tree<Value>> {
  readonly inputs: I;
  readonly outputs: O;
}

/**
 * Builds a program: `fn` gets a tree of the structure of `spec`, with an input Value in the place of each
 * type, named by its dotted path.
 */
export const trace = <S extends Tree<TensorType>, O extends Tree<Value>>(
  spec: S,
  fn: (inputs: MapTree<S, TensorType, Value>) => O,
): Program<MapTree<S, TensorType, Value>, O> => {
  const inputs = mapTree<TensorType, Value, S>(spec, (type, path) => input(path, type));
  return { inputs, outputs: fn(inputs) };
};

/** The nodes that `outputs` reach, inputs before users; iterative, since graphs are deeper than the stack. */
export const toposort = (outputs: Iterable<Value>): Node[] => {
  const order: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  const stack: Node[] = [];
  for (const out of outputs) {
    stack.push(out.node);
    while (stack.length > 0) {
      const node = stack[stack.length - 1]!;
      if (state.get(node) === undefined) {
        state.set(node, "open");
        for (let i = node.inputs.length - 1; i >= 0; i--) {
          const dep = node.inputs[i]!.node;
          if (!state.has(dep)) stack.push(dep);
        }
      } else {
        stack.pop();
        if (state.get(node) === "open") order.push(node);
        state.set(node, "done");
      }
    }
  }
  return order;
};

/** All nodes of a program in execution order. */
export const nodesOf = (program: Program): Node[] => toposort(leaves<Value>(program.outputs));

/**
 * What a rewrite does to one node: replacement outputs, or undefined to keep it (on its rewritten inputs).
 */
export type NodeRewrite = (node: Node, inputs: readonly Value[]) => readonly Value[] | undefined;

/** The outputs of `node` on `inputs`: itself where they are its own, else the same op applied anew. */
export const keep = (node: Node, inputs: readonly Value[]): readonly Value[] =>
  inputs.every((v, i) => v === node.inputs[i]) ? node.outputs : apply(node.op, inputs, node.attrs);

/** Rebuilds a program bottom-up; inputs stay the same Values. */
export const rewriteProgram = <P extends Program>(program: P, rewrite: NodeRewrite): P => {
  const replaced = new Map<Node, readonly Value[]>();
  const lookup = (v: Value): Value => replaced.get(v.node)![v.index]!;
  for (const node of nodesOf(program)) {
    const inputs = node.inputs.map(lookup);
    replaced.set(node, rewrite(node, inputs) ?? keep(node, inputs));
  }
  return { ...program, outputs: mapTree<Value, Value>(program.outputs, lookup) };
};

/**
 * Replaces inputs by constants of the same names: what bakes weights into a program for evaluation and
 * shipping.
 */
export const bindInputs = <P extends Program>(program: P, values: ReadonlyMap<string, Attr>): P =>
  rewriteProgram(program, (node) => {
    const value = isInput(node) ? values.get(node.attrs.name) : undefined;
    return value === undefined || !isInput(node) ? undefined : [constant(value as never, node.attrs.name)];
  });

const attrText = (attr: Attr): string => {
  if (typeof attr !== "object") return String(attr);
  if (!("dtype" in attr)) return `[${(attr as readonly (number | string)[]).join(",")}]`;
  const { dtype, shape, data } = attr;
  return data.length <= 4 ? `${dtype}${shapeText(shape)}{${data.join(",")}}` : `${dtype}${shapeText(shape)}`;
};

/**
 * A program as text, one node a line: `%3 float32[B, 4] = add(%1, x)`. Stable: the committed snapshots depend
 * on it.
 */
export const print = (program: Program): string => {
  const names = new Map<Value, string>();
  const lines: string[] = [];
  for (const node of nodesOf(program)) {
    if (isInput(node)) {
      names.set(node.outputs[0]!, node.attrs.name);
      lines.push(`input ${node.attrs.name}: ${node.attrs.dtype}${shapeText(node.attrs.shape)}`);
      continue;
    }
    const outs = node.outputs.map((v) => {
      const name = isConstant(node) && node.attrs.name !== undefined ? node.attrs.name : `%${names.size}`;
      names.set(v, name);
      return `${name} ${v.dtype}${shapeText(v.shape)}`;
    });
    const attrs = Object.entries(node.attrs as Record<string, Attr | undefined>)
      .filter(([key, v]) => v !== undefined && key !== "name")
      .map(([k, v]) => `${k}=${attrText(v!)}`);
    const args = [...node.inputs.map((v) => names.get(v)!), ...attrs];
    lines.push(`${outs.join(", ")} = ${node.op.name}(${args.join(", ")})`);
  }
  for (const [path, v] of entries<Value>(program.outputs)) lines.push(`output ${path} = ${names.get(v)}`);
  return `${lines.join("\n")}\n`;
};
