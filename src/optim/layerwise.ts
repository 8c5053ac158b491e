/**
 * Learning rates of each param's own, as factors on the one of the step. Falling from the output to the input
 * (Howard & Ruder 2018, https://arxiv.org/abs/1801.06146) they keep more of what lower layers know.
 */
import { ConfigError } from "../util/errors.ts";
import { chain, mapUpdates, type Optimizer, type Transform } from "./transform.ts";
import { scale } from "./update.ts";

/** factor(path) * u. Behind an optimizer it is a learning rate of the param's own, with its decay. */
export const scaleUpdates = (factor: (path: string) => number): Transform => ({
  name: "scaleUpdates",
  state: () => ({}),
  update: (updates, state, params) => [
    mapUpdates(updates, params, (update, _, path) => scale(update, factor(path))),
    state,
  ],
});

/** Where params stand: see `depthsOf` of models. */
export interface DepthsOfParams {
  /** The depth of what stands above all layers. */
  readonly top: number;
  of(path: string): number;
}

/**
 * `optimizer` at rates that fall by `decay` from each layer to the one below: lr * decay^(top - depth).
 * Throws ConfigError unless `decay` is above 0 and at most 1.
 */
export const layerwise = (optimizer: Optimizer, decay: number, { top, of }: DepthsOfParams): Optimizer => {
  if (!(decay > 0 && decay <= 1)) {
    throw new ConfigError(`must be above 0 and at most 1, not ${decay}`, { field: "train.layerDecay" });
  }
  if (decay === 1) return optimizer;
  return chain(
    optimizer.name,
    optimizer,
    scaleUpdates((path) => decay ** (top - of(path))),
  );
};
