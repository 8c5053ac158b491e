/** A search under way: what was found, and how a dense model with its forms joins it. */
import type { Context } from "../../compress/pass.ts";
import type { Model } from "../../models/model.ts";
import type { ShipDtype } from "../../ship/onnx/dtype.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import { type Bound, boundsOf } from "../budget.ts";
import { asha } from "../fidelity/asha.ts";
import { type Budget, type Figure, measuredValue, SIZE } from "../figures.ts";
import type { Point } from "../front/sort.ts";
import type { Start } from "../quality.ts";
import type { SamplerName } from "../samplers/index.ts";
import { keyOf, type Space, type Values } from "../space/space.ts";
import type { Outcome, Study } from "../study.ts";
import type { Trial } from "../trial.ts";
import type { ProbeInTurns } from "./again.ts";
import { type Base, type BaseParity, type Candidate, type TrialRecord, withForms } from "./candidate.ts";
import { fittedTo, sizeLimit } from "./fitted.ts";
import type { Foreteller, ForetellOptions } from "./foretell.ts";
import { roundedByGptq } from "./forms.ts";
import type { Keeping } from "./keeping.ts";
import { type MakeOptions, makeDense } from "./makeBase.ts";
import { type Measuring, measureForm, startOf } from "./measure.ts";
import { pointOf, violationsOf } from "./objectives.ts";
import { baseKey, baseName, dtypeIn, formName, isTaught } from "./space.ts";

/** What was found so far. */
export interface Standing {
  readonly candidates: readonly Candidate[];
  /** By the base's name. */
  readonly parity: ReadonlyMap<string, BaseParity>;
}

/** What candidates are made, measured and chosen by. */
export interface OptimizeOptions extends MakeOptions, Omit<Measuring, "score"> {
  readonly budget: Budget;
  /** The candidates' figures: those of the task's quality, and those that `probe` gives. */
  readonly figures: readonly Figure[];
  /** What is tried; few candidates unless told. */
  readonly space?: Space;
  /** All of the space in its order unless told. */
  readonly sampler?: SamplerName;
  /** Smaller models that are made at most; all that the space has unless told. */
  readonly trials?: number;
  /** Aborted: nothing more is begun, and what learns is given up; the best so far is the result. */
  readonly until?: AbortSignal;
  /** Whether what a limit on its cost rules out is not made, and what learns badly is stopped. */
  readonly spares?: boolean;
  /** Keeps how fast shapes are; a search measures them anew unless given. */
  readonly shares?: ForetellOptions["shares"];
  readonly keeping?: Keeping;
  /** Measures the start and the chosen one again at the end; unless given what was measured once stands. */
  readonly again?: ProbeInTurns;
  readonly onCandidate?: (candidate: Candidate) => void;
  /** Told of what was not measured. */
  readonly onGivenUp?: (record: TrialRecord) => void;
  /** Told when the forms of a dense model are measured. */
  readonly onBase?: (bases: readonly Base[], standing: Standing) => Promise<void>;
}

/** All that a search knows. */
export interface Run {
  readonly options: OptimizeOptions & Measuring & { readonly keeping: Keeping; readonly space: Space };
  readonly context: Context;
  readonly whole: Model;
  readonly study: Study;
  readonly objectives: readonly Figure[];
  readonly records: TrialRecord[];
  readonly scores: Map<number, Float32Array>;
  /** By name, those that are at hand. */
  readonly held: Map<string, Base>;
  /** What was foretold of configurations, by their text. */
  readonly foretold: Map<string, Foretold>;
  bounds?: readonly Bound[];
  start?: Start;
  foreteller?: Foreteller;
}

/** What was foretold of a configuration, by the figures' names. */
export type Foretold = Readonly<Record<string, number>>;

/** What ended a trial besides a measurement. */
export type GivenUp = Pick<TrialRecord, "stage" | "why"> & Partial<Pick<TrialRecord, "rungs" | "objectives">>;

const layersIn = ({ whole }: Run): number => whole.arch.cache(whole.config).layers;

/** The names of a configuration's dense model and form. */
export const namesOf = (run: Run, values: Values): { readonly base: string; readonly form: string } => {
  const base = baseName(run.options.space, values, layersIn(run));
  return { base, form: formName(base, values) };
};

const finish = (run: Run, record: TrialRecord, scores?: Float32Array): void => {
  run.records.push(record);
  if (scores !== undefined) run.scores.set(record.number, scores);
  run.options.keeping.ends({ record, ...(scores === undefined ? {} : { scores }) });
};

/** Ends a trial that was not measured. */
export const giveUp = (run: Run, trial: Trial, { stage, why, ...more }: GivenUp, seconds: number): void => {
  const outcome: Outcome =
    stage === "rung" ? { state: "pruned", ...more } : { state: "failed", violations: [1] };
  const { number, values, state, ...told } = run.study.tell(trial.number, outcome);
  const { form } = namesOf(run, values);
  const record: TrialRecord = {
    ...{ number, values, state, ...told, name: form, stage, seconds },
    ...defined({ why, foretold: run.foretold.get(keyOf(values)) }),
  };
  finish(run, record);
  run.options.onGivenUp?.(record);
};

/** Scores to what is lost of the criterion. */
const lossScale = ({ options, start }: Run): number => {
  const mean = start!.scores.reduce((sum, x) => sum + x, 0) / start!.scores.length;
  return options.task.criterion.better === "less" ? Math.abs(start!.quality / mean) : 1;
};

/** What is lost at a measurement on the way. */
const lostAt = (run: Run, { valLoss, figure }: MetricsRow): number => {
  const { options, start } = run;
  const { judge } = options.lesson;
  if (judge !== undefined && figure !== undefined)
    return (judge.better === "less" ? 1 : -1) * (figure - start!.quality);
  const mean = start!.scores.reduce((sum, x) => sum + x, 0) / start!.scores.length;
  return ((valLoss ?? Number.NaN) - mean) * lossScale(run);
};

/** Stops what learns where others say that it comes to nothing. */
const watcher = async (run: Run, trial: Trial) => {
  const stop = new AbortController();
  const { options, foreteller, study, objectives } = run;
  const rungs: Point[] = [];
  if (options.spares !== true || foreteller === undefined || !isTaught(trial.values)) return { stop, rungs };
  const foretold = await foreteller.figures(trial.values);
  // What is not foretold is taken to be the same of all.
  const costs = objectives.slice(1).map(({ name, better }) => {
    return (better === "less" ? 1 : -1) * (foretold[name] ?? 0);
  });
  const { steps } = options.teaching(trial.values);
  const onRow = (row: MetricsRow): void => {
    if (row.valLoss === undefined || row.step === 0 || row.step >= steps) return;
    rungs.push([lostAt(run, row), ...costs]);
    const others = study.trials.filter(({ number }) => number !== trial.number);
    if (asha({ ...trial, rungs: [...rungs] }, others).stop) stop.abort();
  };
  return { stop, rungs, onRow };
};

/** The dense model of a trial, from what was kept where it was; undefined where it came to nothing. */
const denseOf = async (run: Run, trial: Trial, rungs: Point[]): Promise<Model | undefined> => {
  const { options, context, whole } = run;
  const key = baseKey(trial.values);
  const kept = await options.keeping.dense(key);
  if (kept !== undefined) return kept;
  const watch = await watcher(run, trial);
  const stops = [watch.stop.signal, ...(options.until === undefined ? [] : [options.until])];
  const watching = { stop: AbortSignal.any(stops), ...(watch.onRow ? { onRow: watch.onRow } : {}) };
  const made = await makeDense(whole, trial.values, options, context, watching);
  rungs.push(...watch.rungs);
  if (made.stopped) return undefined;
  if (made.dense !== whole) await options.keeping.keep(key, made.dense);
  return made.dense;
};

/** The usual forms that configurations need, the roundings of one's own apart. */
const dtypesOf = (all: readonly Values[]): ShipDtype[] => {
  const fitted = all.some(({ rounding }) => rounding === "fitted");
  return [...new Set([...all.map(dtypeIn), ...(fitted ? (["q8", "q4"] as const) : [])])];
};

/** Bytes of a form's files: as they were measured, else as they were foretold, where they were too many. */
const sizeOf = ({ records, foreteller }: Run, base: Base, values: Values, dtype: ShipDtype): number => {
  const own = records.find(({ candidate }) => candidate?.base === base.name && candidate.dtype === dtype);
  if (own !== undefined) return measuredValue(own.candidate!, SIZE);
  return foreteller?.size({ ...values, dtype }) ?? Number.NaN;
};

/** The base that a configuration is a form of; undefined where a limit leaves no room for another form. */
export const variantOf = async (run: Run, base: Base, values: Values): Promise<Base | undefined> => {
  const { rounding = "search" } = values;
  const { options, context, bounds = [] } = run;
  if (rounding === "search") return base;
  if (rounding === "gptq") {
    return options.batches === undefined ? undefined : roundedByGptq(base, options.batches, context);
  }
  const limit = sizeLimit(bounds);
  if (limit === undefined) return undefined;
  const sizes = { q4: sizeOf(run, base, values, "q4"), q8: sizeOf(run, base, values, "q8") };
  return fittedTo(base, { limit, sizes }, context);
};

/** A form of a dense model, and what was found on the way there. */
interface Formed {
  readonly trial: Trial;
  readonly base: Base;
  readonly parity: BaseParity;
  readonly rungs: readonly Point[];
  readonly seconds: number;
}

const measured = async (run: Run, { trial, base, parity, rungs, seconds }: Formed): Promise<void> => {
  const { options, study } = run;
  const began = performance.now();
  const { number, values } = trial;
  const { form: name } = namesOf(run, values);
  const { candidate, scores } = await measureForm(base, { number, name, values }, parity, options, run.start);
  run.start ??= startOf(options, scores);
  run.bounds ??= boundsOf(options.budget, options.figures, candidate);
  const told = study.tell(number, {
    state: "complete",
    objectives: pointOf(run.objectives, candidate.figures),
    violations: violationsOf(candidate, run.bounds),
    ...(rungs.length > 0 ? { rungs } : {}),
  });
  const more = { parity: parity[candidate.dtype], foretold: run.foretold.get(keyOf(values)) };
  const all = seconds + (performance.now() - began) / 1000;
  finish(run, { ...told, name, stage: "measured", seconds: all, candidate, ...defined(more) }, scores);
  options.onCandidate?.({ ...candidate, onFront: false });
};

/** What a trial begins with: its dense model's forms that are to be measured, its own first or not. */
interface Group {
  readonly lead: Trial;
  readonly forms: readonly Values[];
}

/** Measures the forms of a dense model in turn; returns the bases that they are forms of. */
const measureForms = async (
  run: Run,
  { lead, forms }: Group,
  { whole, rungs, began }: { readonly whole: Base; readonly rungs: readonly Point[]; readonly began: number },
): Promise<Base[]> => {
  const { options, context } = run;
  const bases = new Map([[whole.name, whole]]);
  const usual = await options.judge(whole, dtypesOf(forms));
  let since = began;
  for (const values of forms) {
    context.signal?.throwIfAborted();
    const own = keyOf(values) === keyOf(lead.values);
    if (!own && options.until?.aborted) break;
    const trial = own ? lead : run.study.ask(values)!;
    if (!own) options.keeping.begins(trial.number, values);
    const base = await variantOf(run, whole, values);
    const seconds = (performance.now() - since) / 1000;
    if (base === undefined) {
      const why = "the limit on size leaves room for no other bits";
      giveUp(run, trial, { stage: "size", why }, seconds);
    } else {
      const parity = base === whole ? usual : { ...usual, ...(await options.judge(base, ["q4"])) };
      bases.set(base.name, base);
      await measured(run, { trial, base, parity, rungs: own ? rungs : [], seconds });
    }
    since = performance.now();
  }
  return [...bases.values()];
};

/** Ends a trial that was stopped while it learnt; one that the time ran out for is left as it is. */
const unfinished = (run: Run, lead: Trial, rungs: readonly Point[], seconds: number): void => {
  const { until, keeping } = run.options;
  if (until?.aborted) {
    keeping.leaves(lead.number, lead.values);
    return;
  }
  const why = "others had come further by then, at no more cost";
  giveUp(run, lead, { stage: "rung", why, rungs, objectives: rungs.at(-1)! }, seconds);
};

/**
 * Makes the dense model of a trial and measures some of its forms; returns the bases that they are forms of.
 * What fails is noted and nothing is thrown, unless it is the start; an interruption is.
 */
export const runGroup = async (run: Run, { lead, forms }: Group): Promise<Base[]> => {
  const { options, context } = run;
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  const rungs: Point[] = [];
  options.keeping.begins(lead.number, lead.values);
  try {
    const dense = await denseOf(run, lead, rungs);
    if (dense === undefined) {
      unfinished(run, lead, rungs, seconds());
      return [];
    }
    const { base: name } = namesOf(run, lead.values);
    const whole = await withForms({ name, dense, forms: {} }, dtypesOf(forms), context);
    return await measureForms(run, { lead, forms }, { whole, rungs, began });
  } catch (error) {
    const open = run.study.trials.find(({ state }) => state === "running");
    if (context.signal?.aborted && open !== undefined) options.keeping.leaves(open.number, open.values);
    if (context.signal?.aborted || run.start === undefined || open === undefined) throw error;
    const why = error instanceof Error ? error.message : String(error);
    giveUp(run, open, { stage: "failed", why }, seconds());
    return [];
  }
};
