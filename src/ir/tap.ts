/** Taps: what matrices of a program multiply, for statistics of activations. */
import { ConfigError } from "../util/errors.ts";
import { isConstant, isInput, type Node, type Value } from "./op.ts";
import { nodesOf, type Program } from "./program.ts";

/** The name of a constant or an input. */
const nameOf = (node: Node): string | undefined =>
  isConstant(node) || isInput(node) ? node.attrs.name : undefined;

/** Whether `name` is the weight at `path` or a part of it, by itself or as an input "params.path". */
const isOf = (path: string, name: string): boolean =>
  [name, name.slice(name.indexOf(".") + 1)].some((own) => own === path || own.startsWith(`${path}.`));

/** What the first product with the weight at `path` reads. */
const readBy = (nodes: readonly Node[], path: string): Value => {
  const isWeight = ({ node }: Value): boolean => {
    const name = nameOf(node);
    return name !== undefined && isOf(path, name);
  };
  const product = nodes.find(({ op, inputs }) => op.isProduct === true && inputs.slice(1).some(isWeight));
  if (product !== undefined) return product.inputs[0]!;
  throw new ConfigError("is multiplied by nothing in this program", { tensor: path });
};

/**
 * `program` with one output more, `taps.PATH` [..., K], for each weight at `paths`: what is multiplied by it.
 * Throws ConfigError for a weight that no product reads.
 */
export const tap = (program: Program, paths: readonly string[]): Program => {
  const nodes = nodesOf(program);
  const taps = Object.fromEntries(paths.map((path) => [path, readBy(nodes, path)]));
  return { ...program, outputs: { ...program.outputs, taps } };
};
