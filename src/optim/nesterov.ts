/**
 * Nesterov's accelerated gradient in the form of Sutskever et al. 2013
 * (https://proceedings.mlr.press/v28/sutskever13.html) as PyTorch writes it: the gradient is taken at the
 * params, and the step looks ahead.
 */
import { addDecayedWeights } from "./decay.ts";
import { type MomentumOptions, scaleByMomentum } from "./momentum.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer } from "./transform.ts";

/**
 * u = g + weightDecay * p, m' = decay * m + u, p' = p - lr * (u + decay * m'); weightDecay is 0 unless told.
 * Equals torch.optim.SGD with nesterov.
 */
export const nesterov = ({ decay = 0.9, weightDecay = 0, decayMask }: MomentumOptions = {}): Optimizer =>
  chain(
    "nesterov",
    addDecayedWeights(weightDecay, decayMask),
    scaleByMomentum({ decay, nesterov: true }),
    scaleByLearningRate(),
  );
