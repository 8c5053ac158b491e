/**
 * Which layers a model misses least: each is left out in turn and the model is measured; the one whose
 * absence costs least goes, and the rest are asked again (the criterion of Kim et al. 2024,
 * https://arxiv.org/abs/2402.02834, asked anew after each cut).
 */
import type { Model } from "../models/model.ts";
import { ConfigError } from "../util/errors.ts";

/** How layers are chosen. */
export interface ChooseLayersOptions {
  /** How many layers stay. */
  readonly keep: number;
  /** What a model costs: less is better. */
  readonly cost: (model: Model) => Promise<number>;
  /** Told after each measurement: how many of how many. */
  readonly onMeasured?: (done: number, of: number) => void;
}

/** Measurements that leave `keep` of `layers`. */
const measurements = (layers: number, keep: number): number => ((layers + keep + 1) * (layers - keep)) / 2;

/** The layers that stay, by index, ascending. Throws ConfigError for a number that the model has not. */
export const chooseLayers = async (
  model: Model,
  { keep, cost, onMeasured }: ChooseLayersOptions,
): Promise<number[]> => {
  const { arch, config, weights } = model;
  const { layers } = arch.cache(config);
  if (!Number.isInteger(keep) || keep < 1 || keep > layers) {
    throw new ConfigError(`must be from 1 to the model's ${layers} layers, not ${keep}`, {
      field: "prune.layers",
      hint: "choose another number with --layers",
    });
  }
  let kept = Array.from({ length: layers }, (_, i) => i);
  let done = 0;
  while (kept.length > keep) {
    let best: { readonly cost: number; readonly layers: number[] } | undefined;
    for (const layer of kept) {
      const rest = kept.filter((other) => other !== layer);
      const found = await cost({ ...model, ...arch.keepLayers(config, weights, rest) });
      onMeasured?.(++done, measurements(layers, keep));
      if (best === undefined || found < best.cost) best = { cost: found, layers: rest };
    }
    kept = best!.layers;
  }
  return kept;
};
