/** From a config.json and tensors to a model. */
import { sizeOf, type Tensor, tensor } from "../../ir/tensor.ts";
import { initialize, type ParamSpec } from "../../nn/param.ts";
import { widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { mapTree, type Tree } from "../../util/tree.ts";
import { headOf } from "../head.ts";
import type { HistoryStep, Model } from "../model.ts";
import { isSeparate } from "../ties.ts";
import type { LoadOptions } from "./config.ts";
import { type LoadPlan, planOf } from "./plan.ts";

const widened = (t: Tensor): Tensor => {
  if (t.dtype === "float32") return t;
  const data = new Float32Array(sizeOf(t.shape));
  (t.dtype === "float16" ? widenFloat16 : widenBfloat16)(t.data as Uint16Array, data);
  return tensor("float32", t.shape, data);
};

const copied = ({ shape, data }: Tensor): Tensor =>
  tensor("float32", shape, new Float32Array(data as Float32Array));

/** The step that says which part of a model did not come from its checkpoint, and what did not come along. */
const headStep = ({ arch, config, dropped, initialized: made, headless, seed }: LoadPlan): HistoryStep[] => {
  if (headless !== undefined) return [{ name: "bareBody", options: { named: headless, dropped } }];
  const initialized = made.filter((name) => arch.optional?.includes(name) !== true);
  return dropped.length + initialized.length === 0
    ? []
    : [{ name: "newHead", options: { task: headOf(arch, config), dropped, initialized, seed } }];
};

/**
 * The model of a plan; `weights` holds the tensors of `plan.sources` and `plan.twins` by the weights'
 * names, as float32. New weights are made from the plan's seed. Throws FormatError where tied weights
 * differ that cannot be separate.
 */
export const modelFrom = (plan: LoadPlan, weights: ReadonlyMap<string, Tensor>): Model => {
  const { config, specs } = isSeparate(plan, weights) ? plan.untied! : plan;
  const used = new Set<Tensor>();
  const tree = mapTree<ParamSpec, Tensor>(specs, (spec, name) => {
    const found = weights.get(name) ?? weights.get(plan.tied.get(name) ?? "");
    if (found === undefined)
      return (initialize({ [name]: spec }, plan.seed) as Record<string, Tensor>)[name]!;
    // Weights that are trained apart must not share their memory.
    const own = used.has(found) ? copied(found) : found;
    used.add(own);
    return own;
  }) as Tree<Tensor>;
  return { arch: plan.arch, config, weights: tree, history: headStep(plan) };
};

/**
 * The model of a config and its tensors, for the checkpoint's own task or another. A new head and what was
 * dropped for it stand in the history. Throws ConfigError, or FormatError listing what does not fit.
 */
export const modelOf = (
  config: unknown,
  tensors: ReadonlyMap<string, Tensor>,
  file: string,
  options: LoadOptions = {},
): Model => {
  const plan = planOf(config, tensors, file, options);
  const weights = Array.from(
    [...plan.sources, ...plan.twins],
    ([name, source]) => [name, widened(tensors.get(source)!)] as const,
  );
  return modelFrom(plan, new Map(weights));
};
