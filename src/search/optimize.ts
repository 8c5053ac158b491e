/**
 * The heart: from one trained model to the best that a budget allows. Candidates are the model itself, the
 * model with layers dropped, and that one distilled from the full one; each in every shipped dtype, each
 * measured, and each judged: one whose graph computes something else is shown and never chosen.
 */
import { distill, dropLayers } from "../compress/index.ts";
import type { Context } from "../compress/pass.ts";
import type { Figures } from "../metrics/metric.ts";
import type { Model } from "../models/model.ts";
import { countParams } from "../nn/param.ts";
import { dtypes, type ShipDtype } from "../ship/onnx/dtype.ts";
import type { DtypeParity } from "../ship/verify/verify.ts";
import { meanOf } from "../tasks/scores.ts";
import type { Lesson, Scorer, Task } from "../tasks/task.ts";
import type { TrainHooks, TrainOptions } from "../train/loop.ts";
import { type Choice, type Choosable, choose } from "./budget.ts";
import { type Doubt, doubtsOf } from "./doubts.ts";
import { type Budget, type Figure, figureNamed, LOST, measuredValue, SIZE } from "./figures.ts";
import { fittedBases } from "./fitted.ts";
import { checkBudget } from "./limit.ts";
import { paretoFront } from "./pareto.ts";
import { qualityFigures, type Start } from "./quality.ts";

/** One measured form of a model. */
export interface Candidate extends Choosable {
  /** "full q8" */
  readonly name: string;
  /** Which dense model it is a form of. */
  readonly base: string;
  readonly dtype: ShipDtype;
  readonly layers: number;
  readonly params: number;
  /** Mean score of the held-out examples, in the criterion's unit. */
  readonly score: number;
  /** All that was measured, by the names of `figuresOf`. */
  readonly figures: Figures;
  /** Not dominated in what is lost, size, median time and what else the budget limits. */
  readonly onFront: boolean;
  readonly note?: string;
}

/** A dense model and its forms in every dtype. */
export interface Base {
  readonly name: string;
  readonly dense: Model;
  readonly forms: Readonly<Record<ShipDtype, Model>>;
}

/** What each form of a dense model computes against it. */
export type BaseParity = Readonly<Record<ShipDtype, DtypeParity>>;

/**
 * Writes a model's graphs somewhere and measures what it costs there: its size, and figures of each target.
 */
export type ProbeModel = (
  model: Model,
) => Promise<{ readonly figures: Figures /** Where it does not run. */; readonly fault?: string }>;

/** A dense model in every shipped dtype. */
export const formsOf = async (name: string, dense: Model, context: Context): Promise<Base> => {
  const forms: Partial<Record<ShipDtype, Model>> = {};
  for (const [dtype, { pass }] of Object.entries(dtypes)) {
    forms[dtype as ShipDtype] = await pass.run(dense, context);
  }
  return { name, dense, forms: forms as Base["forms"] };
};

/** What candidates are made, measured and chosen by. */
export interface OptimizeOptions {
  readonly task: Task;
  readonly lesson: Lesson;
  readonly budget: Budget;
  /** The candidates' figures: those of the task's quality, and those that `probe` gives. */
  readonly figures: readonly Figure[];
  /** Layers that the smaller model keeps; half unless told. */
  readonly keep?: number;
  /** How the smaller model is distilled. */
  readonly distill: Omit<TrainOptions, "objective" | "record"> &
    TrainHooks & { readonly alpha?: number; readonly temperature?: number };
  readonly probe: ProbeModel;
  /** Judges the dtypes that are named, all unless told. */
  readonly judge: (base: Base, only?: readonly ShipDtype[]) => Promise<BaseParity>;
  readonly onCandidate?: (candidate: Candidate) => void;
}

/** The candidates, and which was chosen. */
export interface Optimized {
  readonly task: Task;
  /** What the candidates' figures are. */
  readonly figures: readonly Figure[];
  /** The limits by the figures' whole names. */
  readonly budget: Budget;
  readonly candidates: readonly Candidate[];
  readonly bases: ReadonlyMap<string, Base>;
  /** By the base's name. */
  readonly parity: ReadonlyMap<string, BaseParity>;
  readonly choice: Choice<Candidate>;
  /** What decided the choice and is smaller than the noise of the held-out text. */
  readonly doubts: readonly Doubt[];
}

type MeasuredCandidate = Omit<Candidate, "onFront">;

/** What a front is made of: what is lost, size, the median time, and what else the budget limits. */
const objectivesOf = (figures: readonly Figure[], budget: Budget) => {
  const usual = [LOST, SIZE, figureNamed(figures, "p50Ms")?.name ?? SIZE];
  // Quality is one objective, whatever it is counted in.
  const limited = budget.map(({ figure }) => figureNamed(figures, figure)!).filter((f) => !f.quality);
  return [...new Set([...usual, ...limited.map(({ name }) => name)])].map((name) => {
    const sign = figureNamed(figures, name)!.better === "less" ? 1 : -1;
    return (c: Choosable): number => sign * measuredValue(c, name);
  });
};

/** Measures the untrained cut in float32 only: it is there to show what teaching gains. */
const plans = (full: Base, pruned: Base, distilled: Base): [Base, ShipDtype][] => {
  const all = Object.keys(dtypes) as ShipDtype[];
  return [
    ...all.map((dtype) => [full, dtype] as [Base, ShipDtype]),
    [pruned, "fp32"],
    ...all.map((dtype) => [distilled, dtype] as [Base, ShipDtype]),
  ];
};

/** Makes the smaller model: layers dropped, then distilled from the full one. */
const shrink = async (model: Model, { task, lesson, ...options }: OptimizeOptions, context: Context) => {
  const { layers } = model.arch.cache(model.config);
  const keep = options.keep ?? Math.max(1, layers >> 1);
  const { alpha = 0.9, temperature = 1, ...train } = options.distill;
  const pruned = await dropLayers({ keep }).run(model, context);
  context.log(`student: ${keep} of ${layers} layers`);
  const how = { alpha, temperature };
  const teaching = task.teaching(lesson, how, model);
  const teach = distill({ teacher: model, teaching, source: lesson.source, train, said: how });
  return { keep, pruned, distilled: await teach.run(pruned, context) };
};

/** Every base's forms, judged. */
const judgeAll = async (
  bases: readonly Base[],
  { judge }: OptimizeOptions,
  { signal }: Context,
): Promise<Map<string, BaseParity>> => {
  const parity = new Map<string, BaseParity>();
  for (const base of bases) {
    signal?.throwIfAborted();
    parity.set(base.name, await judge(base));
  }
  return parity;
};

/** What candidates are measured by, and what is known of those that were. */
interface Measurement {
  readonly parity: ReadonlyMap<string, BaseParity>;
  readonly losses: Map<string, Float32Array>;
  readonly options: OptimizeOptions & { readonly score: Scorer };
  start?: Start;
}

/** Measures each plan in turn; the first of all is the start, which the others lose against. */
const measureAll = async (
  planned: readonly (readonly [Base, ShipDtype])[],
  way: Measurement,
  { signal }: Context,
): Promise<MeasuredCandidate[]> => {
  const { score, ...options } = way.options;
  const { task, lesson } = options;
  const sign = task.criterion.better === "less" ? 1 : -1;
  const measured: MeasuredCandidate[] = [];
  for (const [base, dtype] of planned) {
    signal?.throwIfAborted();
    const model = base.forms[dtype];
    const judged = way.parity.get(base.name)![dtype];
    const scores = await score(model);
    const quality = qualityFigures(task, scores, { heldOut: lesson.heldOut, start: way.start });
    way.start ??= { scores, quality: task.criterion.of(scores, lesson.heldOut) };
    const { figures, fault } = await options.probe(model);
    const faults = [
      ...(judged.status === "failed" ? [judged.reason ?? "it computes something else"] : []),
      ...(fault === undefined ? [] : [fault]),
    ];
    const candidate: MeasuredCandidate = {
      name: `${base.name} ${dtype}`,
      ...{ base: base.name, dtype },
      layers: model.arch.cache(model.config).layers,
      params: countParams(model.weights),
      score: meanOf(scores),
      figures: { ...quality, ...figures },
      ...(faults.length === 0 ? {} : { fault: faults.join("; ") }),
    };
    way.losses.set(
      candidate.name,
      scores.map((x) => sign * x),
    );
    measured.push(candidate);
    options.onCandidate?.({ ...candidate, onFront: false });
  }
  return measured;
};

/**
 * Makes, judges and measures the candidates of `model` and chooses among them. Throws ConfigError for a
 * budget
 * that cannot be before anything is made.
 */
export const optimize = async (
  model: Model,
  options: OptimizeOptions,
  context: Context,
): Promise<Optimized> => {
  const { task, lesson, figures } = options;
  const budget = checkBudget(options.budget, figures);
  const { keep, pruned, distilled } = await shrink(model, options, context);
  const full = await formsOf("full", model, context);
  const small = await formsOf(`${keep}-layer pruned`, pruned, context);
  const student = await formsOf(`${keep}-layer distilled`, distilled, context);
  const all = [full, small, student];
  const parity = await judgeAll(all, options, context);
  const score = await task.scorer(context.engine, lesson.heldOut, model);
  const way: Measurement = { parity, losses: new Map(), options: { ...options, score } };
  const usual = await measureAll(plans(full, small, student), way, context);
  const fitted = await fittedBases([full, student], usual, { budget, figures }, context);
  for (const base of fitted) {
    const judged = await options.judge(base, ["q4"]);
    parity.set(base.name, { ...parity.get(base.of.name)!, q4: judged.q4 });
  }
  const further = await measureAll(
    fitted.map((base) => [base, "q4"]),
    way,
    context,
  );
  const measured = [...usual, ...further];
  const sound = measured.filter(({ fault }) => fault === undefined);
  const front = new Set(paretoFront(sound, objectivesOf(figures, budget)));
  const candidates = measured.map((c) => ({ ...c, onFront: front.has(c) }));
  const choice = choose(candidates, { budget, figures });
  const [whole] = candidates;
  const scale = measuredValue(whole!, figures[0]!.name) / whole!.score;
  const doubts = doubtsOf({ candidates, losses: way.losses, choice, budget, figures, scale });
  const bases = new Map([...all, ...fitted].map((base) => [base.name, base]));
  return { task, figures, budget, candidates, bases, parity, choice, doubts };
};
