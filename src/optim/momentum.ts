/** Gradient descent with heavy-ball momentum (Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5). */
import type { Value } from "../ir/op.ts";
import { flatten, mapTree } from "../util/tree.ts";
import { addDecayedWeights, type DecayOptions } from "./decay.ts";
import { decayRate } from "./options.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer, type Params, stateLike, type Transform } from "./transform.ts";
import { materialize, scale, total, type Update, type Updates } from "./update.ts";

/** m' = decay * m + u for each param: an average short of the factor 1 - decay, which costs a pass less. */
export const accumulate = (m: Params, updates: Updates, decay: number): Params => {
  const byPath = flatten<Value>(m);
  return mapTree<Update, Value>(updates, (update, path) =>
    materialize(total(scale(byPath.get(path)!, decay), update)),
  );
};

/** How long momentum lasts, and whether it looks ahead. */
export interface ScaleByMomentumOptions {
  /** Share of the earlier updates that is kept at each step. */
  readonly decay: number;
  /** Look ahead: u + decay * m' instead of m'. */
  readonly nesterov?: boolean;
}

/** m' = decay * m + u -> m', or u + decay * m' with nesterov (PyTorch's forms, without dampening). */
export const scaleByMomentum = ({
  decay,
  nesterov = false,
}: ScaleByMomentumOptions): Transform<{ m: Params }> => {
  decayRate("decay", decay);
  return {
    name: "momentum",
    elementwise: true,
    state: (params) => ({ m: stateLike(params) }),
    update(updates, state) {
      const m = accumulate(state.m, updates, decay);
      if (!nesterov) return [m, { m }];
      const byPath = flatten<Value>(m);
      const ahead = mapTree<Update, Update>(updates, (update, path) =>
        total(update, scale(byPath.get(path)!, decay)),
      );
      return [ahead, { m }];
    },
  };
};

/** Momentum's options, and decay. */
export interface MomentumOptions extends DecayOptions {
  /** Share of the earlier updates that is kept at each step (0.9 unless told). */
  readonly decay?: number;
}

/**
 * m' = decay * m + g + weightDecay * p, p' = p - lr * m'; weightDecay is 0 unless told. Equals
 * torch.optim.SGD.
 */
export const momentum = ({ decay = 0.9, weightDecay = 0, decayMask }: MomentumOptions = {}): Optimizer =>
  chain(
    "momentum",
    addDecayedWeights(weightDecay, decayMask),
    scaleByMomentum({ decay }),
    scaleByLearningRate(),
  );
