/** Successive layers divided among stages. */
import { sizeOf } from "../../ir/tensor.ts";
import { type Depths, depthsOf } from "../../models/depth.ts";
import type { Model } from "../../models/model.ts";
import { tensorsOf } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";

/**
 * The part of each of `loads`, in their order: `count` parts, none empty, of which the heaviest weighs as
 * little as can be.
 */
export const divided = (loads: readonly number[], count: number): readonly number[] => {
  const sums = [0];
  for (const load of loads) sums.push(sums.at(-1)! + load);
  // best[k][i]: the first i in k parts: their heaviest, and where the last of them begins.
  let best = sums.map((sum, i) => ({ most: i === 0 ? 0 : sum, begins: [0] }));
  for (let k = 2; k <= count; k++) {
    best = sums.map((sum, i) => {
      let found = { most: Number.POSITIVE_INFINITY, begins: [0] };
      for (let j = k - 1; j < i; j++) {
        const most = Math.max(best[j]!.most, sum - sums[j]!);
        if (most < found.most) found = { most, begins: [...best[j]!.begins, j] };
      }
      return found;
    });
  }
  const { begins } = best.at(-1)!;
  return loads.map((_, i) => begins.filter((begin) => begin <= i).length - 1);
};

/** How deep weights stand in the order of the layers: those of a pair's decoder follow on its encoder's. */
const orderOf = (model: Model): Depths => {
  const depths = depthsOf(model);
  if (model.arch.kind !== "seq2seq") return depths;
  const layers = depths.top - 1;
  const top = layers + depths.top;
  return {
    top,
    of(name) {
      const [depth, stack] = [depths.of(name), /(?:^|\.)(encoder|decoder)\./.exec(name)?.[1]];
      // What stands above the encoder's layers is with the last of them; tables are of both.
      if (stack === "encoder") return Math.min(depth, layers);
      if (stack === "decoder") return depth === 0 ? 0 : layers + depth;
      return depth === depths.top ? top : depth;
    },
  };
};

/**
 * The stage of each of a model's tensors by name: those of successive layers, of about as many numbers. A
 * head that is an embedding weighs where it is the head, too. Throws ConfigError where there are more stages
 * than layers.
 */
export const weightStages = (model: Model, stages: number): ReadonlyMap<string, number> => {
  const { arch, config, weights } = model;
  const { top, of } = orderOf(model);
  const loads = new Array<number>(top + 1).fill(0);
  for (const [name, { shape }] of tensorsOf(weights)) loads[of(name)]! += sizeOf(shape);
  const sizes = new Map(tensorsOf(weights));
  for (const { path, reads } of arch.linears(config)) {
    if (reads === "head" && of(path) === 0) loads[top]! += sizeOf(sizes.get(path)?.shape ?? []);
  }
  const used = loads.flatMap((load, depth) => (load > 0 ? [depth] : []));
  if (stages > used.length) {
    throw new ConfigError(`${stages} ranks share ${used.length} layers, embeddings and head among them`, {
      field: "train.pipeline",
      hint: `start at most ${used.length} ranks`,
    });
  }
  const parts = divided(
    used.map((depth) => loads[depth]!),
    stages,
  );
  const stageAt = new Map(used.map((depth, i) => [depth, parts[i]!]));
  return new Map(Array.from(sizes.keys(), (name) => [name, stageAt.get(of(name))!]));
};
