/** Weight decay, coupled (before the optimizer proper: L2) or decoupled (after it). */
import { notNegative } from "./options.ts";
import { isMatrix, masked, type ParamMask, stateless, type Transform } from "./transform.ts";
import { scale, total } from "./update.ts";

/** How much params decay, and which. */
export interface DecayOptions {
  /** Factor on the params; each optimizer has its own default. */
  readonly weightDecay?: number;
  /** Which params decay: those of at least two dimensions unless told. */
  readonly decayMask?: ParamMask;
}

/**
 * u + weightDecay * p. Before an adaptive scaling this is L2 regularization; between it and the learning rate
 * it is decoupled decay (Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101).
 */
export const addDecayedWeights = (weightDecay: number, mask: ParamMask = isMatrix): Transform => {
  notNegative("weightDecay", weightDecay);
  const decay = stateless("decay", (update, param) =>
    weightDecay === 0 ? update : total(update, scale(param, weightDecay)),
  );
  return masked(decay, mask);
};
