/** The training loop: steps, held-out loss, early stopping, the watchdog, checkpoints, interruption. */
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { HistoryStep, Model } from "../models/model.ts";
import { withTensors } from "../nn/param.ts";
import { languageModelling } from "../tasks/languageModelling.ts";
import type { BatchSource, Judge } from "../tasks/task.ts";
import { CheckpointError, ConfigError, RunError } from "../util/errors.ts";
import { type Average, type Averaging, averaging } from "./average.ts";
import type { Checkpoints, Snapshot } from "./checkpoint.ts";
import { type Progress, progressOf, snapshotOf } from "./progress.ts";
import { checkSame } from "./ranks/held.ts";
import type { StepResult } from "./ranks/rank.ts";
import type { StepOptions } from "./step.ts";
import { agreedOn, type MakeStepper, type Stepper, seedTensor, stepper } from "./stepper.ts";
import { type Validator, validator, type Windows } from "./validate.ts";

/** The step's options, and how long, how fast and until when a run goes. */
export interface TrainOptions extends Omit<StepOptions, "objective"> {
  readonly objective?: StepOptions["objective"];
  /** Updates in all. */
  readonly steps: number;
  /** Learning rate of each update, counted from 0. */
  readonly schedule: (step: number) => number;
  readonly seed?: number;
  /** Updates between measurements of the held-out loss; it is also measured at the end. */
  readonly evalEvery?: number;
  /** Updates between checkpoints; there is also one at the end and one when interrupted. */
  readonly checkpointEvery?: number;
  /** Measurements without a better held-out loss after which training stops; the best weights are kept. */
  readonly patience?: number;
  /** "last": the newest weights are the result, whatever is measured, and nothing stops early. */
  readonly keep?: "best" | "last";
  /** What a loss or gradient that is not finite leads to: "skip" undoes that update, "stop" fails the run. */
  readonly onNan?: "stop" | "skip";
  /** Averaged weights are then what is measured, kept as the best, and the result. */
  readonly average?: Averaging;
  /** How the run appears in the model's history. */
  readonly record?: HistoryStep;
}

/** One line of metrics.jsonl. */
export interface MetricsRow {
  readonly step: number;
  readonly loss?: number;
  readonly valLoss?: number;
  /** The judge's figure of held-out data. */
  readonly figure?: number;
  readonly lr?: number;
  readonly gradNorm?: number;
  readonly tokens?: number;
  readonly event?: string;
}

/** What a run reads and tells besides its batches. */
export interface TrainHooks {
  /**
   * Held-out batches with what the objective reads; without them there is no early stopping, and the last
   * weights are the result.
   */
  readonly validation?: Windows;
  /** What the best weights are told by; the held-out loss unless told. */
  readonly judge?: Judge;
  readonly checkpoints?: Checkpoints;
  /** Go on from the newest checkpoint; fails where there is none. */
  readonly resume?: boolean;
  /** Aborted: finish the step, save a checkpoint, return. */
  readonly signal?: AbortSignal;
  readonly onRow?: (row: MetricsRow) => void;
  /** What takes the steps (all in this thread unless told). */
  readonly stepper?: MakeStepper;
}

/** The trained model, and how the run ended. */
export interface TrainResult {
  readonly model: Model;
  readonly steps: number;
  /** Held-out loss of the returned weights, nats per token. */
  readonly valLoss?: number;
  /** The judge's figure of the returned weights. */
  readonly figure?: number;
  readonly bestStep: number;
  readonly ended: "done" | "early" | "interrupted";
}

/** Consecutive undone updates after which "skip" gives up: the weights themselves are then at fault. */
const MAX_SKIPS = 10;

const copy = (weights: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map(Array.from(weights, ([name, t]) => [name, { ...t, data: t.data.slice() }]));

interface Run {
  readonly options: TrainOptions;
  readonly hooks: TrainHooks;
  readonly stepper: Stepper;
  readonly validate?: Validator;
  readonly average?: Average;
  readonly progress: Progress;
  readonly emit: (row: MetricsRow) => void;
}

/** The weights that a run has come to: averaged where it averages, and there is something to average. */
const reached = ({ stepper, average }: Run): ReadonlyMap<string, Tensor> =>
  average?.weights() ?? stepper.weights();

const check = (options: TrainOptions & TrainHooks): void => {
  if (options.validation?.length === 0)
    throw new ConfigError("has no windows", { field: "validation", hint: "leave it out, or give some" });
  for (const field of ["steps", "batch", "context"] as const) {
    if (!(options[field] >= 1)) throw new ConfigError("must be at least 1", { field: `train.${field}` });
  }
};

const averageIn = ({ average }: Snapshot): ReadonlyMap<string, Tensor> => {
  if (average !== undefined) return average;
  throw new CheckpointError("holds no average of the weights", {
    hint: "resume with the options of the run, or start another run directory",
  });
};

const restore = async ({ stepper, progress, average }: Run, snapshot: Snapshot): Promise<void> => {
  const saved = progressOf(snapshot);
  if (snapshot.best !== undefined) checkSame(stepper.weights(), snapshot.best);
  average?.load(averageIn(snapshot), stepper.weights());
  await stepper.load(snapshot.state);
  Object.assign(progress, saved, snapshot.best === undefined ? {} : { best: snapshot.best });
};

const onNotFinite = (run: Run, result: StepResult): void => {
  const { options, progress, emit } = run;
  progress.skips++;
  const what = Number.isFinite(result.loss) ? "gradient" : "loss";
  emit({ step: progress.step, event: `${what} is not finite: update undone` });
  if (options.onNan === "skip" && progress.skips < MAX_SKIPS) return;
  throw new RunError(`the ${what} of step ${progress.step + 1} is not finite`, {
    hint: "lower --lr or clip the gradients (--clip-norm 1); --on-nan skip leaves such updates out",
  });
};

const update = async (run: Run, source: BatchSource): Promise<void> => {
  const { options, progress, stepper, emit } = run;
  const { accumulate = 1, seed = 1, schedule } = options;
  const micro: Feeds[] = [];
  for (let m = 0; m < accumulate; m++) {
    const index = progress.step * accumulate + m;
    micro.push({ ...(await source(index)), seed: seedTensor(seed, progress.step, m) });
  }
  const lr = schedule(progress.step);
  const result = await stepper.run(micro, lr, progress.step + 1);
  if (!Number.isFinite(result.loss) || !Number.isFinite(result.gradNorm)) onNotFinite(run, result);
  else {
    progress.skips = 0;
    run.average?.updated(stepper.weights());
  }
  progress.step++;
  progress.tokens += micro.reduce((sum, { inputIds }) => sum + inputIds!.data.length, 0);
  const { tokens } = progress;
  emit({ step: progress.step, loss: result.loss, lr, gradNorm: result.gradNorm, tokens });
};

const outOfPatience = ({ options, progress }: Run): boolean =>
  options.patience !== undefined && progress.sinceBest >= options.patience;

/** Whether a measurement's weights are kept: by the judge's figure, and by the loss where that is equal. */
const isKept = ({ progress, hooks, options }: Run, loss: number, figure: number | undefined): boolean => {
  if (options.keep === "last") return true;
  const { bestLoss, bestFigure } = progress;
  if (figure === undefined || bestFigure === undefined || figure === bestFigure) return loss < bestLoss;
  return hooks.judge?.better === "more" ? figure > bestFigure : figure < bestFigure;
};

/** Measures the held-out loss; true when patience has run out. */
const measure = async (run: Run): Promise<boolean> => {
  const { validate, progress, emit } = run;
  if (validate === undefined) return false;
  await run.stepper.settled?.();
  const weights = reached(run);
  const { loss, figure } = await agreedOn(run.stepper, await validate.run(weights));
  const said = figure === undefined ? {} : { figure };
  emit({ step: progress.step, valLoss: loss, ...said });
  if (isKept(run, loss, figure)) {
    Object.assign(progress, {
      bestLoss: loss,
      ...(figure === undefined ? {} : { bestFigure: figure }),
      bestStep: progress.step,
      sinceBest: 0,
      best: copy(weights),
    });
    return false;
  }
  progress.sinceBest++;
  return outOfPatience(run);
};

const due = (step: number, every: number | undefined): boolean =>
  every !== undefined && every > 0 && step % every === 0;

const loop = async (run: Run, source: BatchSource): Promise<TrainResult["ended"]> => {
  const { options, hooks, progress } = run;
  if (outOfPatience(run)) return "early";
  const save = async () => hooks.checkpoints?.save(await snapshotOf(run.stepper, run.progress, run.average));
  while (progress.step < options.steps) {
    if (hooks.signal?.aborted) {
      await save();
      return "interrupted";
    }
    await update(run, source);
    const last = progress.step === options.steps;
    const saved = last || due(progress.step, options.checkpointEvery);
    if (saved) run.average?.reached(run.stepper.weights());
    const early = last || due(progress.step, options.evalEvery) ? await measure(run) : false;
    if (saved || early) await save();
    if (early) return "early";
  }
  return "done";
};

const finished = async (model: Model, run: Run, ended: TrainResult["ended"]): Promise<TrainResult> => {
  const { options, progress, stepper: made } = run;
  const own = progress.best ?? copy(reached(run));
  const weights = (await made.whole?.(own)) ?? own;
  const record = options.record ?? { name: "train", options: { steps: options.steps } };
  return {
    model: {
      ...model,
      weights: withTensors(model.weights, weights),
      history: [...model.history, record],
    },
    steps: progress.step,
    bestStep: progress.best === undefined ? progress.step : progress.bestStep,
    ended,
    ...(Number.isFinite(progress.bestLoss) ? { valLoss: progress.bestLoss } : {}),
    ...(progress.bestFigure === undefined ? {} : { figure: progress.bestFigure }),
  };
};

/**
 * Trains `model` on micro-batches from `source` and returns it with its best weights by held-out loss. Data
 * order and dropout depend on the step alone, so a resumed run ends with the same bytes as one never stopped.
 * Throws ConfigError, CheckpointError (nothing to resume from) or RunError (loss not finite).
 */
export const train = async (
  engine: Engine,
  model: Model,
  source: BatchSource,
  options: TrainOptions & TrainHooks,
): Promise<TrainResult> => {
  check(options);
  const made = await (options.stepper ?? stepper)(engine, model, {
    ...options,
    objective: options.objective ?? languageModelling,
  });
  try {
    return await trainWith(made, engine, model, source, options);
  } finally {
    await made.dispose();
  }
};

const trainWith = async (
  made: Stepper,
  engine: Engine,
  model: Model,
  source: BatchSource,
  options: TrainOptions & TrainHooks,
): Promise<TrainResult> => {
  const { validation, objective, judge } = options;
  const open: NonNullable<Stepper["validator"]> =
    made.validator ?? ((windows, how) => validator(engine, model, windows, how));
  const validate = validation ? await open(validation, { objective, judge }) : undefined;
  const none = { step: 0, bestStep: 0, sinceBest: 0, skips: 0, tokens: 0 };
  const progress: Progress = { ...none, bestLoss: Number.POSITIVE_INFINITY };
  const emit = options.onRow ?? (() => {});
  const run: Run = {
    options,
    hooks: options,
    stepper: made,
    progress,
    emit,
    ...(validate ? { validate } : {}),
    ...(options.average === undefined ? {} : { average: averaging(options.average) }),
  };
  try {
    if (options.resume) {
      await restore(run, await resumable(options.checkpoints, made));
      emit({ step: progress.step, event: "resumed" });
    }
    return await finished(model, run, await loop(run, source));
  } finally {
    await validate?.dispose();
  }
};

const resumable = (
  checkpoints: Checkpoints | undefined,
  { wants }: Pick<Stepper, "wants">,
): Promise<Snapshot> => {
  if (checkpoints === undefined) throw new ConfigError("resume needs a run directory", { field: "run" });
  return checkpoints.load(wants);
};
