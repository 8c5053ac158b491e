/** A row for each optimizer: what it is tried with on the standard functions. */
import type { OptimizerName, OptimizerOptions } from "../../src/optim/index.ts";

export interface OptimizerCase {
  /** Learning rate and number of steps that bring a parabola near its minimum. */
  readonly parabola: { readonly lr: number; readonly steps: number };
  /** Learning rate and number of steps that bring the Rosenbrock function below a tenth of its start. */
  readonly rosenbrock: { readonly lr: number; readonly steps: number };
  readonly options?: OptimizerOptions;
}

export const optimizerCases: Record<OptimizerName, OptimizerCase> = {
  sgd: { parabola: { lr: 0.1, steps: 100 }, rosenbrock: { lr: 0.002, steps: 2000 } },
  momentum: { parabola: { lr: 0.02, steps: 150 }, rosenbrock: { lr: 0.0005, steps: 1000 } },
  nesterov: { parabola: { lr: 0.02, steps: 150 }, rosenbrock: { lr: 0.0005, steps: 1000 } },
  adam: { parabola: { lr: 0.1, steps: 200 }, rosenbrock: { lr: 0.05, steps: 500 } },
  adamw: {
    parabola: { lr: 0.1, steps: 200 },
    rosenbrock: { lr: 0.05, steps: 500 },
    options: { weightDecay: 0 },
  },
  lamb: {
    parabola: { lr: 0.05, steps: 300 },
    rosenbrock: { lr: 0.01, steps: 500 },
    options: { weightDecay: 0 },
  },
  lion: { parabola: { lr: 0.05, steps: 200 }, rosenbrock: { lr: 0.01, steps: 500 } },
  muon: {
    parabola: { lr: 0.1, steps: 200 },
    rosenbrock: { lr: 0.02, steps: 500 },
    options: { weightDecay: 0 },
  },
};
