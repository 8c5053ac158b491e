/** Where a program's products read: the values that matrices multiply. */
import { isInput, type Node, type Value } from "../ir/op.ts";
import { nodesOf, type Program } from "../ir/program.ts";
import { leaves } from "../util/tree.ts";

/** What one or several products read. */
export interface Site {
  readonly x: Value;
  readonly paths: string[];
  params: number;
}

/** The path of the matrix that a product's node multiplies by, if it is one of a probe's inputs. */
export const matrixRead = ({ op, inputs }: Node): string | undefined => {
  const w = op.isProduct === true ? inputs[1]!.node : undefined;
  if (w === undefined || !isInput(w)) return undefined;
  return /^w\.(.*)$/.exec(w.attrs.name)?.[1];
};

/** The inputs of all products with a matrix, each with the matrices that read it, in order of execution. */
export const sitesOf = (program: Program): Site[] => {
  const sites = new Map<Value, Site>();
  for (const node of nodesOf(program)) {
    const path = matrixRead(node);
    if (path === undefined) continue;
    const [x, w] = node.inputs as [Value, Value];
    const site = sites.get(x) ?? { x, paths: [], params: 0 };
    site.paths.push(path);
    site.params += (w.shape as number[]).reduce((a, b) => a * b, 1);
    sites.set(x, site);
  }
  return [...sites.values()];
};

/** Who reads each value; undefined for a program's output. */
export type Readers = ReadonlyMap<Value, readonly (Node | undefined)[]>;

/** Who reads each value; a program's outputs are read by nobody that is known (undefined). */
export const readersOf = (program: Program): Readers => {
  const readers = new Map<Value, (Node | undefined)[]>();
  const note = (v: Value, by: Node | undefined) => readers.set(v, [...(readers.get(v) ?? []), by]);
  for (const node of nodesOf(program)) for (const v of node.inputs) note(v, node);
  for (const v of leaves<Value>(program.outputs)) note(v, undefined);
  return readers;
};
