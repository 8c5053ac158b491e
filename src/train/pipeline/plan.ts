/** What each rank of a pipeline needs, worked out before it starts. */
import { vjp } from "../../autodiff/grad.ts";
import { onnxBytes } from "../../engine/compile.ts";
import { cut, type Stage } from "../../ir/cut.ts";
import { constant, input, type Value } from "../../ir/op.ts";
import type { Program } from "../../ir/program.ts";
import { scalar } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { add } from "../../ops/elementwise.ts";
import { optimize } from "../../rewrite/index.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries, flatten } from "../../util/tree.ts";
import { byWidth, ownerPlan } from "../ranks/plan.ts";
import type { RankPlan } from "../ranks/rank.ts";
import { lossStep, paramTypes, type StepOptions } from "../step.ts";
import { weightStages } from "./divided.ts";
import { flowBack, flowInto, type StageGraphs } from "./flow.ts";
import { inStages, linksOf, paramsRead } from "./stages.ts";

/**
 * The forward and the backward pass of a stage in one program: what flows into its ends is an input, unless
 * it ends in the loss. With `accumulate` gradients are added to `sums`.
 */
const bothPasses = ({ program, kept, taken }: Stage, { accumulate = 1 }: StepOptions): Program => {
  const outputs = flatten<Value>(program.outputs);
  const given = flatten<Value>(program.inputs);
  const params = paramsRead(program);
  const seeds = Array.from(outputs, ([name, v]) =>
    name in kept ? input(flowInto(name), v) : constant(scalar(1)),
  );
  const wrt = {
    grads: Object.fromEntries(params),
    back: Object.fromEntries(Object.keys(taken).map((name) => [name, given.get(name)!])),
  };
  const found = vjp([...outputs.values()], seeds, wrt);
  const sums = new Map<string, Value>();
  if (accumulate > 1) for (const [path, v] of params) sums.set(`sums.${path}`, input(`sums.${path}`, v));
  const grads = Object.entries(found.grads as Record<string, Value>).map(([path, g]) => {
    const sum = sums.get(`sums.${path}`);
    return [`grads.${path}`, sum === undefined ? g : add(sum, g)] as const;
  });
  const back = Object.entries(found.back as Record<string, Value>).map(
    ([name, g]) => [flowBack(name), g] as const,
  );
  const flows = Object.keys(kept).map((name, i) => [flowInto(name), seeds[i]!] as const);
  return {
    inputs: Object.fromEntries([...given, ...sums, ...flows]),
    outputs: Object.fromEntries([...outputs, ...grads, ...back]),
  };
};

const graphsOf = (stages: readonly Stage[], k: number, options: StepOptions): StageGraphs => {
  const { kept, taken } = stages[k]!;
  const both = optimize(bothPasses(stages[k]!, options));
  const same = { ...linksOf(stages, k), types: { ...kept, ...taken } };
  if (k === stages.length - 1) return { ...same, backward: onnxBytes(both, { halt: true }), kept: {} };
  const names = Array.from(entries<Value>(both.outputs), ([name]) => name);
  const groups = [names.filter((name) => name in kept), names.filter((name) => !(name in kept))];
  const [forward, backward] = cut(both, groups, "activation");
  return {
    ...same,
    forward: onnxBytes(forward!.program, { halt: true }),
    backward: onnxBytes(backward!.program, { halt: true }),
    kept: forward!.kept,
  };
};

/** Which rank of how many. */
export interface Placed {
  readonly rank: number;
  readonly size: number;
  readonly threads: number;
}

/**
 * The plan of a rank of a pipeline, whose one shard is what its stage reads. Throws ConfigError where layers
 * do not suffice, or a stage would have nothing to train.
 */
export const pipelinePlan = (model: Model, options: StepOptions, placed: Placed): RankPlan => {
  const { rank, size, threads } = placed;
  const weights = weightStages(model, size);
  const cuts = byWidth(options, (own) => inStages(lossStep(model, own), weights, size));
  const [stages] = Object.values(cuts);
  const read = stages!.map(({ program }) => paramsRead(program));
  const empty = read.findIndex((params) => params.size === 0);
  if (empty >= 0) {
    throw new ConfigError(`has nothing to train on rank ${empty} of ${size}`, {
      field: "train.pipeline",
      hint: "start fewer ranks, or freeze less",
    });
  }
  const trained = Object.entries(paramTypes(model, options));
  const shard = Object.fromEntries(trained.filter(([path]) => read[rank]!.has(path)));
  const holders = (path: string): number[] => read.flatMap((paths, r) => (paths.has(path) ? [r] : []));
  const shared = Object.keys(shard).flatMap((path) => {
    const ranks = holders(path);
    return ranks.length > 1 ? [{ path, ranks }] : [];
  });
  const graphs = Object.fromEntries(
    Object.entries(cuts).map(([width, cutIn]) => [width, graphsOf(cutIn, rank, options)]),
  );
  // One step of each tensor is enough for the norm of all gradients.
  const counted = (path: string): boolean => holders(path)[0] === rank;
  return {
    ...ownerPlan(model, options, { shard, joined: false, ranks: 1, whole: size === 1, counted }),
    ...{ shards: [shard], threads, pipeline: { graphs, shared } },
  };
};
