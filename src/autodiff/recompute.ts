/**
 * Recompute of activations (Chen et al. 2016, https://arxiv.org/abs/1604.06174): a program is divided into
 * blocks, of which only the beginnings are kept for the backward pass; what lies within is computed again
 * when the gradients come there. The order is part of the method: a block is not computed again before its
 * gradient is there, and its gradient does not leave before those of its params are done (see ops/after.ts).
 * Blocks may be kept, too, for that order alone: onnxruntime makes the gradients of params last of all where
 * it may, and keeps for them what flowed through every layer.
 */
import { apply, type Node, type Value } from "../ir/op.ts";
import { after } from "../ops/after.ts";
import { isAgain, isBlock } from "../ops/block.ts";

/** The blocks of a program, and the copies of their nodes that gradients are made of. */
export interface Blocks {
  /** The node that a gradient is to be made of, given what flows into it. */
  again(node: Node, flowing: readonly (Value | null)[]): Node;
  /** Notes what flows out of a block by the side, into params. */
  leaves(from: Node, to: Node, part: Value): void;
  /** What flows out of a block's beginning, once all else of the block is done. */
  beyond(node: Node, g: Value): Value;
}

/** What is kept: nothing is computed again. */
export const keepAll: Blocks = {
  again: (node) => node,
  leaves: () => {},
  beyond: (_, g) => g,
};

/** The block of each node: 0 before the first, and the last is the one that is not computed again. */
const numbered = (
  order: readonly Node[],
): { readonly of: ReadonlyMap<Node, number>; readonly last: number } => {
  const of = new Map<Node, number>();
  let last = 0;
  for (const node of order) {
    if (isBlock(node)) of.set(node, ++last);
    else
      of.set(
        node,
        node.inputs.reduce((most, { node: input }) => Math.max(most, of.get(input)!), 0),
      );
  }
  return { of, last };
};

/** The blocks of a program whose nodes are in order; `keepAll` where it has none. */
export const blocksOf = (order: readonly Node[]): Blocks => {
  if (!order.some(isBlock)) return keepAll;
  const { of, last } = numbered(order);
  const begins = new Map(order.filter(isBlock).map((node) => [of.get(node)!, node.outputs[0]!]));
  const starts = new Map<number, Value>();
  const copies = new Map<Node, Node>();
  const sides = new Map<number, Value[]>();
  const copied = (v: Value, number: number): Value => {
    if (of.get(v.node) !== number) return v;
    if (isBlock(v.node)) return starts.get(number)!;
    return copy(v.node, number).outputs[v.index]!;
  };
  const copy = (node: Node, number: number): Node => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    const inputs = node.inputs.map((v) => copied(v, number));
    const made = (apply(node.op, inputs, node.attrs) as readonly Value[])[0]!.node;
    copies.set(node, made);
    return made;
  };
  return {
    again(node, flowing) {
      const number = of.get(node)!;
      if (number === 0 || number === last || isBlock(node) || !isAgain(begins.get(number)!.node)) return node;
      if (!starts.has(number)) {
        const first = flowing.filter((g) => g !== null);
        starts.set(number, after(begins.get(number)!, first));
      }
      return copy(node, number);
    },
    leaves(from, to, part) {
      const number = of.get(from)!;
      if (number === 0 || of.get(to) === number || (number === last && isAgain(begins.get(last)!.node)))
        return;
      sides.set(number, [...(sides.get(number) ?? []), part]);
    },
    beyond: (node, g) => (isBlock(node) ? after(g, sides.get(of.get(node)!) ?? []) : g),
  };
};
