/** What each rank of a run needs, worked out once before any of them starts. */
import { onnxBytes } from "../../engine/compile.ts";
import type { MemoryLayout } from "../../engine/engine.ts";
import { inPlaceStates } from "../../engine/inPlace.ts";
import { toOnnx } from "../../formats/onnx/lower.ts";
import { encodeOnnx } from "../../formats/onnx/onnx.ts";
import type { TensorType } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { optimize } from "../../rewrite/index.ts";
import { entries, type Tree } from "../../util/tree.ts";
import {
  frozenTensors,
  gradientStep,
  type Parts,
  paramTypes,
  type StepOptions,
  shardStateTypes,
  sumStep,
  updatePasses,
  updateStep,
} from "../step.ts";
import { ONLY, widthKey, widthOptions } from "../width.ts";
import { bucket, unbucketed } from "./bucket.ts";
import { prefixed } from "./held.ts";
import type { RankPlan } from "./rank.ts";
import { type Shard, shardsOf } from "./shards.ts";
import { gradientGroups, type Stages, stageGraphs } from "./stages.ts";

/** Params above which a step's tensors are so large that its memory counts more than their number. */
const MEDIUM = 4e6;
/** Params above which what one graph of a step held would be missed by the next. */
const LARGE = 16e6;
/** Logits above which an engine that keeps what it took would hold far more than a step needs. */
const LOGITS = 64e6;

/**
 * How the engine lays out the memory of a model's steps. Steps of several widths are sessions that take
 * turns: each would keep what its own took at the most.
 */
export const layoutOf = ({ arch, config, weights }: Model, options: StepOptions): MemoryLayout => {
  const { recompute, lossRows, widths = [], batch, context } = options;
  if (recompute || lossRows !== undefined || widths.length > 1) return "given back";
  // An encoder's head reads a few of its tokens.
  if (arch.kind !== "encoder" && batch * context * config.vocab_size > LOGITS) return "given back";
  const count = countParams(weights);
  if (count > LARGE) return "given back";
  return count > MEDIUM ? "as needed" : "ahead";
};

/** How many ranks there are, and what each holds. */
export interface RankOptions {
  readonly ranks: number;
  readonly threads: number;
  /** The stage of ZeRO: 1 shards the optimizer's state, 2 gradients too (default: 1). */
  readonly zero?: 1 | 2;
}

/** What `of` makes of a step's options for each width of a batch's rows, by its name. */
export const byWidth = <T>(
  options: StepOptions,
  of: (own: StepOptions) => T,
): Readonly<Record<string, T>> => {
  const { context, target, widths } = options;
  const only = target === undefined ? context : { source: context, target };
  const made = (widths ?? [only]).map(widthOptions).map((width) => {
    return [widths === undefined ? ONLY : widthKey(width), of({ ...options, ...width })] as const;
  });
  return Object.fromEntries(made);
};

/** Gradients by stages; those of micro-batches are added up as they come. */
const stagesOf = (model: Model, options: StepOptions, ranks: number): Stages => {
  const groups = gradientGroups(paramTypes(model, options));
  const step = (own: StepOptions) => gradientStep(model, { ...own, accumulate: 1 }, { ranks });
  return { groups, graphs: byWidth(options, (own) => stageGraphs(step(own), groups)) };
};

/** A shard, and how its gradients become an update. */
export interface Owned extends Parts {
  readonly shard: Shard;
  /** Whether small params are stored joined. */
  readonly joined: boolean;
  /** Whether there are no others. */
  readonly whole: boolean;
}

/** What the owner of a shard needs besides the gradients. */
export const ownerPlan = (
  model: Model,
  options: StepOptions,
  { shard, joined, whole, ...parts }: Owned,
): Omit<RankPlan, "shards" | "threads"> => {
  const { stored } = (joined ? bucket : unbucketed)(shard);
  const passes = updatePasses(stored, options);
  const graph = passes ?? toOnnx(optimize(updateStep(stored, options, whole)), { halt: true });
  return {
    joined,
    opt: Object.fromEntries(entries<TensorType>(shardStateTypes(stored, options) as Tree<TensorType>)),
    accumulates: (options.accumulate ?? 1) > 1,
    layout: layoutOf(model, options),
    frozen: prefixed("frozen", frozenTensors(model, options)),
    graphs: {
      gradients: {},
      sum: onnxBytes(sumStep(stored, options, parts), { halt: true }),
      update: "code" in graph ? graph : encodeOnnx(graph).model,
    },
    inPlace: "code" in graph ? "all" : [...inPlaceStates(graph)],
  };
};

/** The plans of `ranks` ranks with `threads` threads each. */
export const rankPlans = (
  model: Model,
  options: StepOptions,
  { ranks, threads, zero = 1 }: RankOptions,
): readonly RankPlan[] => {
  const joined = options.optimizer.elementwise === true;
  const shards = shardsOf(paramTypes(model, options), ranks);
  const stages = zero === 2 ? { stages: stagesOf(model, options, ranks) } : {};
  const gradients =
    zero === 2
      ? {}
      : byWidth(options, (own) => onnxBytes(gradientStep(model, own, { ranks }), { halt: true }));
  return shards.map((shard): RankPlan => {
    const owned = { shard, joined, whole: ranks === 1, ranks: zero === 2 ? 1 : ranks };
    const { graphs, ...own } = ownerPlan(model, options, owned);
    return { ...own, ...stages, shards, threads, graphs: { ...graphs, gradients } };
  });
};
