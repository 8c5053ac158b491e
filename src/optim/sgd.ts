/**
 * Stochastic gradient descent: p - lr * g (Robbins & Monro 1951, https://doi.org/10.1214/aoms/1177729586).
 */
import { neg } from "../ops/elementwise.ts";
import { addDecayedWeights, type DecayOptions } from "./decay.ts";
import { chain, type Optimizer, stateless, type Transform } from "./transform.ts";
import { scale } from "./update.ts";

/** -lr * u: the last transform of every optimizer. */
export const scaleByLearningRate = (): Transform =>
  stateless("lr", (update, _, { lr }) => scale(update, neg(lr)));

/** p' = p - lr * (g + weightDecay * p); weightDecay is 0 unless told. Equals torch.optim.SGD. */
export const sgd = ({ weightDecay = 0, decayMask }: DecayOptions = {}): Optimizer =>
  chain("sgd", addDecayedWeights(weightDecay, decayMask), scaleByLearningRate());
