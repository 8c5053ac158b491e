/**
 * Whether a model can learn one batch by heart (Karpathy 2019, "overfit one batch",
 * https://karpathy.github.io/2019/04/25/recipe/): what cannot do that has a fault in its labels, its masks,
 * its rate, or in what is frozen.
 */
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Model } from "../models/model.ts";
import type { StepOptions } from "./step.ts";
import { type MakeStepper, seedTensor, stepper } from "./stepper.ts";
import { validator } from "./validate.ts";

/** How the batch is learnt. */
export interface OverfitOptions extends Omit<StepOptions, "accumulate"> {
  readonly lr: number;
  /** Most updates. Default 200. */
  readonly steps?: number;
  readonly seed?: number;
  readonly stepper?: MakeStepper;
  readonly signal?: AbortSignal;
  readonly onStep?: (step: number, loss: number) => void;
}

/** How it went. */
export interface Overfit {
  readonly learnt: boolean;
  /** Loss of the batch without dropout, before and after. */
  readonly before: number;
  readonly after: number;
  /** What counts in the batch: labels, tokens. */
  readonly counted: number;
  readonly steps: number;
  readonly lr: number;
  /** Largest norm of the gradients; 0 where nothing reaches a weight that trains. */
  readonly gradNorm: number;
}

/** Share of the first loss, and the loss itself, at which the batch is known by heart. */
const KNOWN = { share: 0.1, loss: 0.02 };
/** Updates between looks at the loss without dropout. */
const EVERY = 10;

const isKnown = (loss: number, before: number): boolean => loss <= KNOWN.loss || loss <= KNOWN.share * before;

/**
 * Trains a copy of the model's weights on one batch alone, at one rate, until its loss is a tenth of what it
 * was or near nothing, and throws it away.
 */
export const overfit = async (
  engine: Engine,
  model: Model,
  batch: Feeds,
  options: OverfitOptions,
): Promise<Overfit> => {
  const { lr, steps = 200, seed = 1, objective, signal, onStep } = options;
  const held = await validator(engine, model, [batch], { objective });
  const made = await (options.stepper ?? stepper)(engine, model, options);
  try {
    const { loss: before, tokens: counted } = await held.run(made.weights());
    let [after, gradNorm, step] = [before, 0, 0];
    while (step < steps && !isKnown(after, before) && Number.isFinite(after)) {
      signal?.throwIfAborted();
      const result = await made.run([{ ...batch, seed: seedTensor(seed, step, 0) }], lr, step + 1);
      step++;
      gradNorm = Math.max(gradNorm, result.gradNorm);
      if (!Number.isFinite(result.loss)) after = result.loss;
      else if (step % EVERY === 0 || step === steps) after = (await held.run(made.weights())).loss;
      onStep?.(step, result.loss);
      if (gradNorm === 0 && step >= EVERY) break;
    }
    return { learnt: isKnown(after, before), before, after, counted, steps: step, lr, gradNorm };
  } finally {
    await made.dispose();
    await held.dispose();
  }
};
