/**
 * Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980). The state holds m / (1 - b1) and v / (1 - b2),
 * the plain accumulations, which saves two passes; both factors and the bias corrections are scalars. The
 * result equals the paper's to rounding.
 */
import type { Value } from "../ir/op.ts";
import { add, div, mul, sqrt, tanh } from "../ops/elementwise.ts";
import { flatten, mapTree } from "../util/tree.ts";
import { addDecayedWeights, type DecayOptions } from "./decay.ts";
import { accumulate } from "./momentum.ts";
import { decayRate, positive } from "./options.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer, type Params, stateLike, type Transform } from "./transform.ts";
import { type Factor, materialize, scale, type Update } from "./update.ts";

/** Adam's decays and epsilon. */
export interface ScaleByAdamOptions {
  /** Decay of the first moment (0.9 unless told). */
  readonly b1?: number;
  /** Decay of the second moment (0.999 unless told). */
  readonly b2?: number;
  /** Added to the root of the second moment (1e-8 unless told). */
  readonly eps?: number;
}

/** (1 - b) / (1 - b^step), the factor that makes an accumulation an unbiased average. */
const unbias = (b: number, step: Value): Factor => {
  if (b === 0) return 1;
  // 1 - b^step = 2h / (1 + h), h = tanh(-step * ln(b) / 2): the difference loses 3 of 7 digits at b = 0.999.
  const h = tanh(mul(step, -Math.log(b) / 2));
  return div(mul(add(h, 1), (1 - b) / 2), h);
};

/**
 * m' = b1 * m + u, v' = b2 * v + u^2 -> c1 * m' / (sqrt(c2 * v') + eps), c_i = (1 - b_i) / (1 - b_i^step).
 * Computed as (c1 / sqrt(c2)) * (m' / (sqrt(v') + eps / sqrt(c2))).
 */
export const scaleByAdam = (options: ScaleByAdamOptions = {}): Transform<{ m: Params; v: Params }> => {
  const { b1 = 0.9, b2 = 0.999, eps = 1e-8 } = options;
  decayRate("b1", b1);
  decayRate("b2", b2);
  positive("eps", eps);
  return {
    name: "adam",
    elementwise: true,
    state: (params) => ({ m: stateLike(params), v: stateLike(params) }),
    update(updates, state, _, { step }) {
      const gradients = mapTree<Update, Value>(updates, materialize);
      const squares = mapTree<Value, Value>(gradients, (g) => mul(g, g));
      const m = accumulate(state.m, gradients, b1);
      const v = accumulate(state.v, squares, b2);
      const c2 = unbias(b2, step);
      const root = typeof c2 === "number" ? Math.sqrt(c2) : sqrt(c2);
      const factor = div(unbias(b1, step), root);
      const floor = div(eps, root);
      const second = flatten<Value>(v);
      const directions = mapTree<Value, Update>(m, (value, path) =>
        scale(div(value, add(sqrt(second.get(path)!), floor)), factor),
      );
      return [directions, { m, v }];
    },
  };
};

/** Adam's options, and decay. */
export interface AdamOptions extends ScaleByAdamOptions, DecayOptions {}

/** p' = p - lr * adam(g + weightDecay * p); weightDecay is 0 unless told. Equals torch.optim.Adam. */
export const adam = ({ weightDecay = 0, decayMask, ...options }: AdamOptions = {}): Optimizer =>
  chain("adam", addDecayedWeights(weightDecay, decayMask), scaleByAdam(options), scaleByLearningRate());
