/**
 * Blocks of a model as its program has them: the matrices of one layer, and the values through which they
 * reach all that comes behind. They are found by what depends on what, so no family is named: of a decoder's
 * layer it is the residual stream behind it, of BERT's the second norm.
 */
import { isConstant, isInput, type Node, type Value } from "../../ir/op.ts";
import { nodesOf, type Program } from "../../ir/program.ts";
import { leaves } from "../../util/tree.ts";

/** One layer. */
export interface Block {
  /** "model.encoder.layers.3" */
  readonly name: string;
  readonly paths: readonly string[];
  /** What the block is there for; nothing else of it is read behind it, but what is computed of these. */
  readonly outputs: readonly Value[];
}

/** The matrices that a value is made of, of values that depend on nothing else. */
type Carried = ReadonlyMap<Node, ReadonlySet<string>>;

const pathOf = (node: Node): string | undefined =>
  isInput(node) ? /^w\.(.*)$/.exec(node.attrs.name)?.[1] : undefined;

const carriedIn = (order: readonly Node[]): Carried => {
  const carried = new Map<Node, Set<string>>();
  for (const node of order) {
    const path = pathOf(node);
    if (path !== undefined) carried.set(node, new Set([path]));
    else if (node.inputs.length > 0 && node.inputs.every((v) => carried.has(v.node) || isConstant(v.node))) {
      const all = new Set(node.inputs.flatMap((v) => [...(carried.get(v.node) ?? [])]));
      if (all.size > 0) carried.set(node, all);
    }
  }
  return carried;
};

/** What depends on the matrices `own`, up to where other matrices multiply it. */
const regionOf = (order: readonly Node[], carried: Carried, own: ReadonlySet<string>) => {
  const region = new Set<Node>();
  const behind = new Set<Node>();
  /** Nodes that multiply by a matrix of the block. */
  const products = new Set<Node>();
  for (const node of order) {
    if (carried.has(node)) continue;
    const reads = node.inputs.flatMap((v) => [...(carried.get(v.node) ?? [])]);
    const reached = node.inputs.some((v) => region.has(v.node));
    const others = reads.some((path) => !own.has(path));
    if (node.inputs.some((v) => behind.has(v.node)) || (reached && others)) behind.add(node);
    else if (reached || reads.some((path) => own.has(path))) region.add(node);
    if (reads.some((path) => own.has(path))) products.add(node);
  }
  return { region, behind, products };
};

type Region = ReturnType<typeof regionOf>;

/** Whether a value depends on the block by another way than through other values of `outputs`. */
const isOwn = (value: Value, outputs: ReadonlySet<Value>, { region, products }: Region): boolean => {
  const seen = new Set<Node>();
  const open = [value.node];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (products.has(node)) return true;
    for (const v of node.inputs) if (region.has(v.node) && !outputs.has(v)) open.push(v.node);
  }
  return false;
};

const outputsOf = (order: readonly Node[], results: ReadonlySet<Value>, found: Region): Value[] => {
  const { region, behind } = found;
  const read = new Set<Value>([...results].filter((v) => region.has(v.node)));
  for (const node of order) {
    if (behind.has(node)) for (const v of node.inputs) if (region.has(v.node)) read.add(v);
  }
  return [...read].filter((v) => isOwn(v, read, found));
};

/** The blocks of a program whose matrices are inputs `w.PATH`, in the order that they are computed in. */
export const blocksIn = (program: Program, paths: Iterable<string>): Block[] => {
  const order = nodesOf(program);
  const carried = carriedIn(order);
  const place = new Map(order.map((node, i) => [node, i]));
  const results = new Set(leaves<Value>(program.outputs));
  const named = new Map<string, string[]>();
  for (const path of paths) {
    const name = /^.*?\.\d+(?=\.)/.exec(path)?.[0];
    if (name !== undefined) named.set(name, [...(named.get(name) ?? []), path]);
  }
  const blocks = Array.from(named, ([name, own]): Block => {
    const found = regionOf(order, carried, new Set(own));
    return { name, paths: own, outputs: outputsOf(order, results, found) };
  });
  const last = ({ outputs }: Block): number => Math.max(...outputs.map((v) => place.get(v.node)!));
  return blocks.filter(({ outputs }) => outputs.length > 0).sort((a, b) => last(a) - last(b));
};
