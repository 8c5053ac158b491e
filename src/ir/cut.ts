/**
 * A program in several that run one after another: what a later one needs of an earlier one is kept for it.
 */

import { entries, flatten } from "../util/tree.ts";
import { apply, input, isConstant, isInput, type Node, type Value } from "./op.ts";
import { type Program, toposort } from "./program.ts";
import type { TensorType } from "./tensor.ts";

/** One of the programs. */
export interface Stage {
  readonly program: Program;
  /** What it gives to later ones, as outputs that are their inputs, by name. */
  readonly kept: Readonly<Record<string, TensorType>>;
  /** What it takes of earlier ones, by name. */
  readonly taken: Readonly<Record<string, TensorType>>;
}

/** The nodes that are computed in one stage alone, and that stage; others are there in every one. */
export type StageOf = ReadonlyMap<Node, number>;

/** Inputs and constants are there in every stage. */
const isEverywhere = (node: Node): boolean => isInput(node) || isConstant(node);

/** The stage in which each node is needed first. */
const neededIn = (groups: readonly (readonly Value[])[]): StageOf => {
  const stage = new Map<Node, number>();
  const seen = new Set<Node>();
  for (const [k, outputs] of groups.entries()) {
    for (const node of toposort(outputs)) {
      if (!seen.has(node) && !isEverywhere(node)) stage.set(node, k);
      seen.add(node);
    }
  }
  return stage;
};

const typesOf = (values: readonly (readonly [name: string, v: Value])[]): Record<string, TensorType> =>
  Object.fromEntries(values.map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

/**
 * Cuts `program` into one for each of `groups` of its outputs' paths, by the stage of each node, which is
 * none before those of its inputs. What stages need of earlier ones bears `name` and a number.
 */
export const cutAt = (
  program: Program,
  stageOf: StageOf,
  groups: readonly (readonly string[])[],
  name = "kept",
): readonly Stage[] => {
  const outputs = flatten<Value>(program.outputs);
  const wanted = groups.map((paths) => paths.map((path) => outputs.get(path)!));
  const order = toposort(wanted.flat());
  const names = new Map<Value, string>();
  const keeping = (v: Value): string => {
    const known = names.get(v) ?? `${name}.${names.size}`;
    names.set(v, known);
    return known;
  };
  const made = wanted.map((values, k) => {
    const replaced = new Map<Value, Value>();
    const lookup = (v: Value): Value => {
      const known = replaced.get(v);
      if (known !== undefined || !stageOf.has(v.node)) return known ?? v;
      // It is of an earlier stage: those of this one stand in order.
      const kept = input(keeping(v), v);
      replaced.set(v, kept);
      return kept;
    };
    for (const node of order) {
      if (stageOf.get(node) !== k) continue;
      const fresh = apply(node.op, node.inputs.map(lookup), node.attrs) as readonly Value[];
      for (const [i, v] of node.outputs.entries()) replaced.set(v, fresh[i]!);
    }
    const own = groups[k]!.map((path, i) => [path, lookup(values[i]!)] as const);
    return { own, replaced };
  });
  const inputs = new Map(entries<Value>(program.inputs));
  return made.map(({ own, replaced }, k) => {
    const given = [...names].flatMap(([v, known]) =>
      stageOf.get(v.node) === k ? [[known, replaced.get(v)!] as const] : [],
    );
    const taken = [...names].flatMap(([v, known]) =>
      stageOf.get(v.node)! < k && replaced.has(v) ? [[known, replaced.get(v)!] as const] : [],
    );
    return {
      program: {
        inputs: Object.fromEntries([...inputs, ...taken]),
        outputs: Object.fromEntries([...own, ...given]),
      },
      kept: typesOf(given),
      taken: typesOf(taken),
    };
  });
};

/**
 * Cuts `program` into one for each of `groups` of its outputs' paths: what a group needs is computed in the
 * first that needs it. Together they compute what `program` does, and nothing twice. Each output is in one
 * group.
 */
export const cut = (
  program: Program,
  groups: readonly (readonly string[])[],
  name?: string,
): readonly Stage[] => {
  const outputs = flatten<Value>(program.outputs);
  const wanted = groups.map((paths) => paths.map((path) => outputs.get(path)!));
  return cutAt(program, neededIn(wanted), groups, name);
};
