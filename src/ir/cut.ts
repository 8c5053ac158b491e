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
}

/** The stage in which each node is needed first. */
const stagesOf = (groups: readonly (readonly Value[])[]): Map<Node, number> => {
  const stage = new Map<Node, number>();
  for (const [k, outputs] of groups.entries()) {
    for (const node of toposort(outputs)) if (!stage.has(node)) stage.set(node, k);
  }
  return stage;
};

/** Inputs and constants are there in every stage. */
const isEverywhere = (node: Node): boolean => isInput(node) || isConstant(node);

/**
 * Cuts `program` into one for each of `groups` of its outputs' paths: what a group needs is computed in the
 * first that needs it. Together they compute what `program` does, and nothing twice. Each output is in one
 * group.
 */
export const cut = (program: Program, groups: readonly (readonly string[])[]): readonly Stage[] => {
  const outputs = flatten<Value>(program.outputs);
  const wanted = groups.map((paths) => paths.map((path) => outputs.get(path)!));
  const stageOf = stagesOf(wanted);
  const names = new Map<Value, string>();
  const keeping = (v: Value): string => {
    const name = names.get(v) ?? `kept.${names.size}`;
    names.set(v, name);
    return name;
  };
  const made = wanted.map((values, k) => {
    const replaced = new Map<Value, Value>();
    const lookup = (v: Value): Value => {
      const known = replaced.get(v);
      if (known !== undefined || isEverywhere(v.node)) return known ?? v;
      // It is of an earlier stage: those of this one stand in order.
      const kept = input(keeping(v), v);
      replaced.set(v, kept);
      return kept;
    };
    for (const node of toposort(values)) {
      if (stageOf.get(node) !== k || isEverywhere(node)) continue;
      const fresh = apply(node.op, node.inputs.map(lookup), node.attrs) as readonly Value[];
      for (const [i, v] of node.outputs.entries()) replaced.set(v, fresh[i]!);
    }
    const own = groups[k]!.map((path, i) => [path, lookup(values[i]!)] as const);
    return { own, replaced };
  });
  const inputs = new Map(entries<Value>(program.inputs));
  return made.map(({ own, replaced }, k) => {
    const given = [...names].filter(([v]) => stageOf.get(v.node) === k);
    const taken = [...names].flatMap(([v, name]) =>
      stageOf.get(v.node)! < k && replaced.has(v) ? [[name, replaced.get(v)!] as const] : [],
    );
    return {
      program: {
        inputs: Object.fromEntries([...inputs, ...taken]),
        outputs: Object.fromEntries([...own, ...given.map(([v, name]) => [name, replaced.get(v)!] as const)]),
      },
      kept: Object.fromEntries(given.map(([{ dtype, shape }, name]) => [name, { dtype, shape }])),
    };
  });
};
