/** The training loop's options from those of a run. */
import { optimizers } from "../../optim/index.ts";
import { scheduleOf } from "../../optim/schedule.ts";
import type { TrainOptions } from "../../train/loop.ts";
import type { TrainingOptions } from "../config/options.ts";

/** A multiple of the steps between two meetings of ranks: there are checkpoints at those alone. */
const atMeetings = (every: number, { localSteps }: TrainingOptions): number =>
  localSteps > 0 ? Math.ceil(every / localSteps) * localSteps : every;

/** The loop's options from those of a run. */
export const loopOptions = (t: TrainingOptions, context: number, seed: number): TrainOptions => ({
  steps: t.steps,
  batch: t.batch,
  context,
  accumulate: t.accumulate,
  optimizer: optimizers[t.optimizer]({ weightDecay: t.weightDecay, adjustLr: "matchRmsAdamw" }),
  schedule: scheduleOf({
    kind: t.schedule,
    lrPeak: t.lrPeak,
    lrMin: t.lrMin,
    warmup: t.warmup,
    steps: t.steps,
  }),
  seed,
  clipNorm: t.clipNorm,
  clipValue: t.clipValue,
  evalEvery: atMeetings(t.evalEvery, t),
  checkpointEvery: atMeetings(t.checkpointEvery, t),
  onNan: t.onNan,
  ...(t.recompute ? { recompute: true } : {}),
  ...(t.lossRows > 0 ? { lossRows: t.lossRows } : {}),
  ...(t.patience > 0 ? { patience: t.patience } : {}),
  ...(t.ema > 0 ? { average: { ema: t.ema } } : {}),
  ...(t.averageLast > 0 ? { average: { last: t.averageLast } } : {}),
});
