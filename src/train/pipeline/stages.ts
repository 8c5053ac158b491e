/** A model's program in stages, each of which has the weights of successive layers. */
import { cutAt, type Stage, type StageOf } from "../../ir/cut.ts";
import { isConstant, isInput, type Node, type Value } from "../../ir/op.ts";
import { nodesOf, type Program } from "../../ir/program.ts";
import { entries } from "../../util/tree.ts";
import type { Links } from "./flow.ts";

/** A weight's name in a program: an input's after its prefix, a constant's as it is. */
const weightOf = (node: Node): string | undefined => {
  if (isConstant(node)) return node.attrs.name;
  return isInput(node) ? /^(?:params|frozen)\.(.*)$/.exec(node.attrs.name)?.[1] : undefined;
};

/**
 * The stage of all that is made of both weights and a batch: that of the last of the weights that it is made
 * of. What is made of one of them alone, as masks are, is computed wherever it is needed.
 */
const placed = (order: readonly Node[], weights: ReadonlyMap<string, number>): StageOf => {
  const last = new Map<Node, number>();
  const reads = new Set<Node>();
  const stageOf = new Map<Node, number>();
  for (const node of order) {
    const own = weights.get(weightOf(node) ?? "");
    const stages = node.inputs.flatMap((v) => last.get(v.node) ?? []);
    const stage = own ?? (stages.length > 0 ? Math.max(...stages) : undefined);
    if (stage !== undefined) last.set(node, stage);
    const isBatch = isInput(node) && node.attrs.name.startsWith("batch.");
    if (isBatch || node.inputs.some((v) => reads.has(v.node))) reads.add(node);
    if (stage !== undefined && reads.has(node)) stageOf.set(node, stage);
  }
  return stageOf;
};

/** `program` in `count` stages by its weights, all outputs from the last. */
export const inStages = (
  program: Program,
  weights: ReadonlyMap<string, number>,
  count: number,
): readonly Stage[] => {
  const outputs = Array.from(entries<Value>(program.outputs), ([path]) => path);
  const groups = Array.from({ length: count }, (_, k) => (k === count - 1 ? outputs : []));
  return cutAt(program, placed(nodesOf(program), weights), groups, "between");
};

/** What stage `k` takes and gives. */
export const linksOf = (stages: readonly Stage[], k: number): Links => ({
  takes: Object.keys(stages[k]!.taken).map((name) => ({
    name,
    from: stages.findIndex(({ kept }) => name in kept),
  })),
  gives: Object.keys(stages[k]!.kept).map((name) => ({
    name,
    to: stages.flatMap(({ taken }, r) => (name in taken ? [r] : [])),
  })),
});

/** The paths of inputs `params.PATH` that a program reads. */
export const paramsRead = (program: Program): ReadonlyMap<string, Value> =>
  new Map(
    nodesOf(program).flatMap((node) => {
      const path = isInput(node) ? /^params\.(.*)$/.exec(node.attrs.name)?.[1] : undefined;
      return path === undefined ? [] : [[path, node.outputs[0]!] as const];
    }),
  );
