/**
 * Reverse-mode differentiation: one walk from the loss to the inputs, each op answering for itself. Where the
 * program is divided into blocks (ops/block.ts), activations within them are computed again (recompute.ts).
 */
import { constant, type Incoming, type Value, type Values } from "../ir/op.ts";
import { toposort } from "../ir/program.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { add } from "../ops/elementwise.ts";
import { expandTo } from "../ops/structure.ts";
import { ShapeError } from "../util/errors.ts";
import { leaves, type MapTree, mapTree, type Tree } from "../util/tree.ts";
import { blocksOf } from "./recompute.ts";

/** Nodes on a path from `wrt` to the loss: only they get cotangents. */
const reached = (order: ReturnType<typeof toposort>, wrt: ReadonlySet<Value>): Set<object> => {
  const on = new Set<object>();
  for (const node of order) {
    if (node.outputs.some((v) => wrt.has(v)) || node.inputs.some((v) => on.has(v.node))) on.add(node);
  }
  return on;
};

/**
 * Cotangents of `wrt` for cotangents of `outputs` (the vector-Jacobian product of the program between them).
 * Leaves that the outputs do not depend on get zeros.
 */
export function vjp<P extends Tree<Value>>(
  outputs: readonly Value[],
  seeds: readonly Value[],
  wrt: P,
): MapTree<P, Value, Value> {
  const order = toposort(outputs);
  const on = reached(order, new Set(leaves<Value>(wrt)));
  const blocks = blocksOf(order);
  const cotangents = new Map<Value, Value>();
  const accumulate = (v: Value, g: Value): void => {
    const before = cotangents.get(v);
    cotangents.set(v, before === undefined ? g : add(before, g));
  };
  outputs.forEach((v, i) => {
    accumulate(v, seeds[i]!);
  });
  for (const node of order.toReversed()) {
    const gs = node.outputs.map((v) => cotangents.get(v) ?? null);
    if (node.inputs.length === 0 || !on.has(node) || gs.every((g) => g === null)) continue;
    if (node.op.vjp === undefined) throw new ShapeError(`${node.op.name} has no gradient`);
    const parts = node.op.vjp(gs as Incoming<Values>, blocks.again(node, gs));
    node.inputs.forEach((v, i) => {
      const part = parts[i];
      if (part === null || part === undefined || !on.has(v.node)) return;
      blocks.leaves(node, v.node, part);
      accumulate(v, blocks.beyond(node, part));
    });
  }
  return mapTree<Value, Value, P>(wrt, (v) => cotangents.get(v) ?? zerosLike(v));
}

const zerosLike = (v: Value): Value => expandTo(constant(tensorOf(v.dtype, [], [0])), v.shape);

/** Gradients of a scalar `loss` with respect to a tree of Values. */
export function grad<P extends Tree<Value>>(loss: Value, wrt: P): MapTree<P, Value, Value> {
  if (loss.shape.length !== 0) throw new ShapeError(`grad needs a scalar loss, not ${shapeText(loss.shape)}`);
  return vjp([loss], [constant(tensorOf(loss.dtype, [], [1]))], wrt);
}
