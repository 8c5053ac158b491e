/** Adam with decoupled weight decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101). */
import { type AdamOptions, scaleByAdam } from "./adam.ts";
import { addDecayedWeights } from "./decay.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer } from "./transform.ts";

/**
 * p' = (1 - lr * weightDecay) * p - lr * adam(g); weightDecay is 0.01 unless told, and the decay follows the
 * learning rate. Equals torch.optim.AdamW, but that only params of at least two dimensions decay unless told.
 */
export const adamw = ({ weightDecay = 0.01, decayMask, ...options }: AdamOptions = {}): Optimizer =>
  chain("adamw", scaleByAdam(options), addDecayedWeights(weightDecay, decayMask), scaleByLearningRate());
