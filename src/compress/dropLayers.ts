/**
 * Layer dropping: keeps some of a decoder's layers as they are. First and last layers matter most, so the
 * kept ones are spread evenly with both ends in (Sajjad et al. 2020, https://arxiv.org/abs/2004.03844 compare
 * such choices).
 */
import { ConfigError } from "../util/errors.ts";
import { derived, type Pass } from "./pass.ts";

/** How many layers stay. */
export interface DropLayersOptions {
  /** How many layers stay. */
  readonly keep: number;
}

/** Indices of `keep` of `layers` layers, spread evenly. */
export const spread = (layers: number, keep: number): number[] =>
  keep === 1 ? [0] : Array.from({ length: keep }, (_, i) => Math.round((i * (layers - 1)) / (keep - 1)));

/**
 * The pass that keeps `keep` layers, spread evenly. Running it throws ConfigError for a number that the model
 * has not.
 */
export const dropLayers = ({ keep }: DropLayersOptions): Pass => {
  const pass = { name: "dropLayers", options: { keep } };
  return {
    ...pass,
    run: async (model) => {
      const { layers } = model.arch.cache(model.config);
      if (!Number.isInteger(keep) || keep < 1 || keep > layers) {
        throw new ConfigError(`must be from 1 to the model's ${layers} layers, not ${keep}`, {
          field: "dropLayers.keep",
        });
      }
      return derived(model, pass, model.arch.keepLayers(model.config, model.weights, spread(layers, keep)));
    },
  };
};
