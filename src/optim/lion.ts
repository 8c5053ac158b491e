/**
 * Lion: the sign of an interpolated momentum (Chen et al. 2023, https://arxiv.org/abs/2302.06675). Every
 * element moves by lr, so lr is 3 to 10 times smaller, and weightDecay as much larger, than AdamW's. The
 * state is m / (1 - b2).
 */
import type { Value } from "../ir/op.ts";
import { sign } from "../ops/elementwise.ts";
import { flatten, mapTree } from "../util/tree.ts";
import { addDecayedWeights, type DecayOptions } from "./decay.ts";
import { accumulate } from "./momentum.ts";
import { decayRate } from "./options.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer, type Params, stateLike, type Transform } from "./transform.ts";
import { materialize, scale, total, type Update } from "./update.ts";

/** Lion's two decays. */
export interface ScaleByLionOptions {
  /** Share of the momentum in the direction (0.9 unless told). */
  readonly b1?: number;
  /** Decay of the momentum (0.99 unless told). */
  readonly b2?: number;
}

/** sign(b1 * m + (1 - b1) * u), then m' = b2 * m + (1 - b2) * u. */
export const scaleByLion = ({ b1 = 0.9, b2 = 0.99 }: ScaleByLionOptions = {}): Transform<{ m: Params }> => {
  decayRate("b1", b1);
  decayRate("b2", b2);
  return {
    name: "lion",
    elementwise: true,
    state: (params) => ({ m: stateLike(params) }),
    update(updates, state) {
      const m = flatten<Value>(state.m);
      const gradients = mapTree<Update, Value>(updates, materialize);
      const share = (b1 * (1 - b2)) / (1 - b1);
      const directions = mapTree<Value, Value>(gradients, (g, path) =>
        sign(materialize(total(scale(m.get(path)!, share), g))),
      );
      return [directions, { m: accumulate(state.m, gradients, b2) }];
    },
  };
};

/** Lion's options, and decay. */
export interface LionOptions extends ScaleByLionOptions, DecayOptions {}

/** p' = (1 - lr * weightDecay) * p - lr * lion(g); weightDecay is 0 unless told. */
export const lion = ({ weightDecay = 0, decayMask, ...options }: LionOptions = {}): Optimizer =>
  chain("lion", scaleByLion(options), addDecayedWeights(weightDecay, decayMask), scaleByLearningRate());
