/** A search under way: what was found, and how a dense model with its forms joins it. */
import type { Context } from "../../compress/pass.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Model } from "../../models/model.ts";
import { defined } from "../../util/defined.ts";
import type { Bound } from "../budget.ts";
import type { Budget, Figure } from "../figures.ts";
import type { Start } from "../quality.ts";
import type { SamplerName } from "../samplers/index.ts";
import { keyOf, type Space, type Values } from "../space/space.ts";
import type { Outcome, Study } from "../study.ts";
import type { Trial } from "../trial.ts";
import type { ProbeInTurns } from "./again.ts";
import type { Base, BaseParity, Candidate, TrialRecord } from "./candidate.ts";
import type { Foreteller } from "./foretell.ts";
import type { Form, FormFormat } from "./formats/format.ts";
import type { Keeping } from "./keeping.ts";
import type { MakeOptions } from "./makeBase.ts";
import type { Makers, Rehearsal } from "./makers.ts";
import type { Measuring } from "./measure.ts";
import { baseName, formName } from "./space.ts";
import type { SpeedOptions } from "./speeds.ts";
import type { Pace } from "./watched.ts";

/** What was found so far. */
export interface Standing {
  readonly candidates: readonly Candidate[];
  /** By the base's name. */
  readonly parity: ReadonlyMap<string, BaseParity>;
}

/** How far the measuring of a form has come. */
export type FormStep = "begun" | "made" | "judged" | "scored";

/** What candidates are made, measured and chosen by. */
export interface OptimizeOptions extends MakeOptions, Omit<Measuring, "score"> {
  readonly budget: Budget;
  /** The candidates' figures: those of the task's quality, and those that `probe` gives. */
  readonly figures: readonly Figure[];
  /** What forms of dense models there are; those of graphs unless told. */
  readonly format?: FormFormat;
  /** Scores forms where that is not by the task's own scorer, on the engine. */
  readonly scorer?: (form: Form, onBatch?: (done: number, of: number) => void) => Promise<Float32Array>;
  /** What is tried; few candidates unless told. */
  readonly space?: Space;
  /** All of the space in its order unless told. */
  readonly sampler?: SamplerName;
  /** Smaller models that are made at most; all that the space has unless told. */
  readonly trials?: number;
  /**
   * Aborted: nothing more is begun, and what is made or learns is given up; the best so far is the result.
   */
  readonly until?: AbortSignal;
  /** Milliseconds until then; what is seen to take longer is not begun. */
  readonly left?: () => number;
  /** Whether what a limit on its cost rules out is not made, and what learns badly is stopped. */
  readonly spares?: boolean;
  /** Keeps how fast shapes are; a search measures them anew unless given. */
  readonly shares?: SpeedOptions["shares"];
  readonly keeping?: Keeping;
  /** Other processes that make dense models; there are none unless given. */
  readonly makers?: Makers;
  /** Has a process of its own try what processes ended in; resolves to what ended that one, too. */
  readonly rehearse?: (what: Rehearsal, signal?: AbortSignal) => Promise<string | undefined>;
  /**
   * Measures the start again now and then, and in turns with the chosen one at the end; unless given what was
   * measured once stands.
   */
  readonly again?: ProbeInTurns;
  readonly onCandidate?: (candidate: Candidate) => void;
  /** Told how far a form has come: begun, made, judged, scored; then it is measured. */
  readonly onForm?: (name: string, at: FormStep) => void;
  /** Told how far the scoring of a form is, in batches. */
  readonly onScored?: (done: number, of: number) => void;
  /** Told of what was not measured. */
  readonly onGivenUp?: (record: TrialRecord) => void;
  /** Told when the forms of a dense model are measured. */
  readonly onBase?: (bases: readonly Base[], standing: Standing) => Promise<void>;
}

/** All that a search knows. */
export interface Run {
  readonly options: OptimizeOptions &
    Measuring & { readonly keeping: Keeping; readonly space: Space; readonly format: FormFormat };
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
  /** The start's figures of later processes, when the last began, and how long it took. */
  readonly again: { readonly between: Figures[]; atMs: number; tookMs: number };
  bounds?: readonly Bound[];
  start?: Start;
  foreteller?: Foreteller;
  /** How long updates of what was taught took. */
  pace?: Pace;
  /** Longest that scoring and timing a form took, milliseconds. */
  formMs?: number;
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

/** Notes what became of a trial. */
export const finish = (run: Run, record: TrialRecord, scores?: Float32Array): void => {
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

/** Whether the time is over, or will be before so many more milliseconds. */
export const isOver = ({ options: { until, left } }: Run, ms = 0): boolean =>
  until?.aborted === true || (left !== undefined && left() < ms);

/** Ends at the end of the time too; the start's first form, without which there is nothing, does not. */
export const untilOver = ({ context, options: { until }, start }: Run): Context => {
  if (start === undefined || until === undefined) return context;
  return { ...context, signal: AbortSignal.any([until, ...(context.signal ? [context.signal] : [])]) };
};

/** Lets a trial be, that may be gone on with another time. */
export const postpone = (run: Run, trial: Trial, why: string, seconds: number): void => {
  const { number, values, state } = run.study.tell(trial.number, { state: "failed", violations: [1] });
  const record: TrialRecord = {
    number,
    values,
    state,
    name: namesOf(run, values).form,
    stage: "time",
    why,
    seconds,
  };
  run.records.push(record);
  run.options.onGivenUp?.(record);
};

/** "teaching it takes about 52 more minutes" */
export const lateWords = (ms: number): string => {
  const [amount, unit] = ms < 120_000 ? [ms / 1000, "seconds"] : [ms / 60_000, "minutes"];
  return `teaching it would take about ${Math.ceil(amount)} ${unit} more, longer than there is`;
};
