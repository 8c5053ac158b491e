/** A group of a search: a dense model is made, and its forms are measured one after the other. */
import { defined } from "../../util/defined.ts";
import { RunError } from "../../util/errors.ts";
import { boundsOf, mostLost } from "../budget.ts";
import { LOST, SIZE } from "../figures.ts";
import type { Point } from "../front/sort.ts";
import { keyOf, type Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import type { Base, BaseParity } from "./candidate.ts";
import { type Dense, denseOf } from "./dense.ts";
import { sizeBound } from "./fitted.ts";
import type { Form } from "./formats/format.ts";
import { requireHarmless } from "./harmless.ts";
import type { Made } from "./makers.ts";
import { measureForm, startOf } from "./measure.ts";
import { pointOf, violationsOf } from "./objectives.ts";
import { tooLarge } from "./ruledOut.ts";
import { finish, giveUp, isOver, lateWords, namesOf, postpone, type Run, untilOver } from "./run.ts";
import { baseKey, dtypeIn, siblingsIn } from "./space.ts";
import { steadied } from "./steady.ts";
import { variantFor } from "./variant.ts";

/** A form of a dense model, and what was found on the way there. */
interface Formed {
  readonly trial: Trial;
  readonly base: Base;
  readonly parity: BaseParity;
  readonly rungs: readonly Point[];
  /** When work on it began. */
  readonly since: number;
  /** Seconds that its dense model took before. */
  readonly making: number;
}

const secondsSince = (began: number): number => (performance.now() - began) / 1000;

const measured = async (run: Run, formed: Formed): Promise<void> => {
  const { trial, base, parity, rungs, since, making } = formed;
  const { options, study } = run;
  const { number, values } = trial;
  const { form: name } = namesOf(run, values);
  const score = async (form: Form): Promise<Float32Array> => {
    const scores = await options.score(form);
    options.onForm?.(name, "scored");
    return scores;
  };
  const way = { ...options, score, probe: steadied(options.probe, run.foretold.get(keyOf(values))) };
  const { candidate, scores } = await measureForm(base, { number, name, values }, parity, way, run.start);
  run.start ??= startOf(options, scores);
  run.bounds ??= boundsOf(options.budget, options.figures, candidate);
  const told = study.tell(number, {
    state: "complete",
    objectives: pointOf(run.objectives, candidate.figures),
    violations: violationsOf(candidate, run.bounds),
    ...(rungs.length > 0 ? { rungs } : {}),
    // What is dear is weighed where time is what there is of.
    ...(Number.isFinite(options.left?.() ?? Infinity) ? { compute: making + secondsSince(since) } : {}),
  });
  const more = { parity: parity[candidate.dtype], foretold: run.foretold.get(keyOf(values)) };
  const seconds = secondsSince(since);
  finish(run, { ...told, name, stage: "measured", seconds, candidate, ...defined(more) }, scores);
  options.onCandidate?.({ ...candidate, onFront: false });
};

/** The forms of a dense model that are to be measured, and the trial that it is made for. */
export interface Group {
  readonly lead: Trial;
  readonly forms: readonly Values[];
  /** What another process has made of it, which was begun when that was asked to. */
  readonly made?: Made;
}

/** Why a form is not measured: one of more bits has lost more than is allowed. */
const worseThan = ({ records, options }: Run, base: string, values: Values): string | undefined => {
  const bits = options.format.dtypes;
  const start = records.find(({ candidate }) => candidate !== undefined)?.candidate;
  const most = start === undefined ? undefined : mostLost(options.budget, options.figures, start);
  if (options.spares !== true || most === undefined) return undefined;
  const over = records.find(({ candidate: c }) => {
    const more = c?.base === base && bits.indexOf(c.dtype) < bits.indexOf(dtypeIn(values));
    return more && (c.figures[LOST]?.low ?? Number.NaN) > most;
  });
  return over === undefined ? undefined : `${over.name} has more bits, and lost more than is allowed`;
};

/**
 * Why codes by another rounding are not made: a form with the usual ones has the same products, and is beyond
 * a limit on speed or memory; of matrices that have 4 or 8 bits each, those of both are.
 */
const noFaster = ({ records, bounds = [] }: Run, base: string, values: Values): string | undefined => {
  const { rounding = "search" } = values;
  if (rounding === "search") return undefined;
  const alike = rounding === "fitted" ? ["q4", "q8"] : [dtypeIn(values)];
  const known = alike.map((dtype) => {
    const isUsual = (own: Values): boolean => (own.rounding ?? "search") === "search";
    return records.find(({ candidate: c, values: v }) => c?.base === base && c.dtype === dtype && isUsual(v));
  });
  const over = bounds.find(({ figure, most, bound }) => {
    const low = (at: number): number => known[at]?.candidate?.figures[figure.name]?.low ?? Number.NaN;
    return most && !figure.quality && figure.name !== SIZE && known.every((_, at) => low(at) > bound);
  });
  if (over === undefined) return undefined;
  const names = known.map((record) => record!.name).join(" and ");
  return `${names} compute${known.length > 1 ? "" : "s"} as much, beyond the limit on ${over.figure.label}`;
};

/** Whether a form is the smallest of the start's: the nearest to a limit that nothing may keep. */
const isSmallest = ({ records, options }: Run, values: Values): boolean => {
  const start = records.find(({ candidate }) => candidate !== undefined)?.values;
  const { rounding = "search" } = values;
  return (
    start !== undefined &&
    baseKey(start) === baseKey(values) &&
    rounding === "search" &&
    dtypeIn(values) === dtypeIn(siblingsIn(options.space, start).at(-1)!)
  );
};

/** Makes one form and measures it; returns the base that it is a form of, where there is room for it. */
const formed = async (run: Run, whole: Base, given: Omit<Formed, "base" | "parity">): Promise<Base[]> => {
  const { options } = run;
  const { trial, since } = given;
  const { values } = trial;
  const { form: name } = namesOf(run, values);
  const context = untilOver(run);
  const worse = worseThan(run, whole.name, values);
  if (worse !== undefined) {
    giveUp(run, trial, { stage: "quality", why: worse }, secondsSince(since));
    return [];
  }
  const slow = noFaster(run, whole.name, values);
  if (slow !== undefined) {
    giveUp(run, trial, { stage: "speed", why: slow }, secondsSince(since));
    return [];
  }
  options.onForm?.(name, "begun");
  const limit = sizeBound(run.bounds ?? [])?.bound;
  const { usual, base } = await variantFor(whole, values, { ...options, ...defined({ limit }) }, context);
  if (base === undefined) {
    const why = "the limit on size leaves room for no other bits";
    giveUp(run, trial, { stage: "size", why }, secondsSince(since));
    return [usual];
  }
  const large = isSmallest(run, values) ? undefined : tooLarge(run, base.forms[dtypeIn(values)]!);
  if (large !== undefined) {
    giveUp(run, trial, large, secondsSince(since));
    return [usual];
  }
  options.onForm?.(name, "made");
  const parity = await options.judge(base, [dtypeIn(values)]);
  context.signal?.throwIfAborted();
  options.onForm?.(name, "judged");
  const before = performance.now();
  await measured(run, { ...given, base, parity });
  run.formMs = Math.max(run.formMs ?? 0, performance.now() - before);
  return [usual, base];
};

/** Takes the bases of forms as they are measured, so that the best so far is at hand and on disk. */
export type Hold = (bases: readonly Base[]) => Promise<void>;

/** Between two measurements of the start: milliseconds at least, and times as long as one takes. */
const [APART_MS, APART] = [20_000, 25];

/** Measures the start again where the last time is a while ago. */
const startAgain = async (run: Run): Promise<void> => {
  const { options, again, held, records } = run;
  const start = records.find(({ candidate }) => candidate !== undefined)?.candidate;
  const form = start === undefined ? undefined : held.get(start.base)?.forms[start.dtype];
  const began = performance.now();
  if (options.again === undefined || form === undefined || isOver(run, again.tookMs)) return;
  if (began - again.atMs < Math.max(APART_MS, APART * again.tookMs)) return;
  const [turns] = await options.again([form], 1);
  again.between.push(...turns!);
  again.atMs = performance.now();
  again.tookMs = again.atMs - began;
};

/** A dense model whose forms are measured. */
interface Found {
  readonly name: string;
  readonly dense: Dense;
  readonly began: number;
  readonly hold: Hold;
}

/** Measures the forms of a dense model in turn. */
const measureForms = async (
  run: Run,
  { lead, forms }: Group,
  { name, dense, began, hold }: Found,
): Promise<void> => {
  const { options, context } = run;
  const madeIn = secondsSince(began);
  let whole: Base = { name, dense: dense.model!, forms: {} };
  let since = began;
  for (const values of forms) {
    context.signal?.throwIfAborted();
    const own = keyOf(values) === keyOf(lead.values);
    if (!own && isOver(run, run.formMs)) break;
    // One that an earlier process had begun keeps its number.
    const had = options.keeping.open.find((begun) => keyOf(begun.values) === keyOf(values))?.number;
    const trial = own ? lead : run.study.ask(values, had)!;
    if (!own) {
      options.keeping.begins(trial.number, values);
      await requireHarmless(run, trial);
    }
    const rungs = own ? dense.rungs : [];
    const making = since === began ? 0 : madeIn;
    const bases = await formed(run, whole, { trial, rungs, since, making });
    whole = bases[0] ?? whole;
    await hold(bases);
    await startAgain(run);
    since = performance.now();
  }
};

/** Ends a trial that was stopped while it was made; one that the time runs out for is left as it is. */
const unfinished = (run: Run, lead: Trial, { rungs, lateMs }: Dense, seconds: number): void => {
  const { until, keeping } = run.options;
  if (until?.aborted || lateMs !== undefined) {
    keeping.leaves(lead.number, lead.values);
    if (lateMs !== undefined) postpone(run, lead, lateWords(lateMs), seconds);
    return;
  }
  const why = "others had come further by then, at no more cost";
  giveUp(run, lead, { stage: "rung", why, rungs, objectives: rungs.at(-1)! }, seconds);
};

/** Whether the file system failed, of which no trial is the cause: others would meet it too. */
const isOfMachine = (error: unknown): boolean =>
  error instanceof RunError && (error.cause as NodeJS.ErrnoException | undefined)?.code !== undefined;

/**
 * Makes the dense model of a trial and measures some of its forms, whose bases `hold` is given. What fails is
 * noted and nothing is thrown, unless it is the start or the file system; an interruption is.
 */
export const runGroup = async (run: Run, group: Group, hold: Hold): Promise<void> => {
  const { lead, made } = group;
  const { options, context } = run;
  const began = performance.now();
  if (made === undefined) options.keeping.begins(lead.number, lead.values);
  try {
    await requireHarmless(run, lead);
    const dense = await denseOf(run, lead, made);
    const { base: name } = namesOf(run, lead.values);
    if (dense.model === undefined) unfinished(run, lead, dense, secondsSince(began));
    else await measureForms(run, group, { name, dense, began, hold });
  } catch (error) {
    const own = baseKey(lead.values);
    const open = run.study.trials.find((t) => t.state === "running" && baseKey(t.values) === own);
    const ended = context.signal?.aborted === true;
    const over = run.start !== undefined && options.until?.aborted === true;
    const lost = isOfMachine(error);
    if ((ended || over || lost) && open !== undefined) options.keeping.leaves(open.number, open.values);
    if (ended || lost || run.start === undefined || open === undefined) throw error;
    const why = error instanceof Error ? error.message : String(error);
    if (!over) giveUp(run, open, { stage: "failed", why }, secondsSince(began));
  }
};
