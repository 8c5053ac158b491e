/**
 * The heart: from one trained model to the best that a budget allows. Configurations of a space say how a
 * smaller model is made of it and in which form it is; each that may keep the budget is made, measured and
 * judged: one whose graph computes something else is shown and never chosen. The cheapest question comes
 * first: size and speed are foretold from the start's own, and what learns badly is stopped.
 */
import type { Context } from "../../compress/pass.ts";
import type { Model } from "../../models/model.ts";
import { watchedScorer } from "../../tasks/scores.ts";
import type { Task } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import { boundsOf, type Choice, choose } from "../budget.ts";
import { type Doubt, doubtsOf } from "../doubts.ts";
import { type Budget, type Figure, measuredValue, SIZE } from "../figures.ts";
import { checkBudget } from "../limit.ts";
import { paretoFront } from "../pareto.ts";
import { type NamedPick, picksOf } from "../picks/picks.ts";
import { keyOf, type Space } from "../space/space.ts";
import { study } from "../study.ts";
import { type Repeated, ratiosOf, type Turn, withAgain } from "./again.ts";
import {
  type Base,
  type BaseParity,
  type Candidate,
  type MeasuredCandidate,
  type TrialRecord,
  withForms,
} from "./candidate.ts";
import { sizeBound } from "./fitted.ts";
import { foreteller } from "./foretell.ts";
import type { Form, FormFormat } from "./formats/format.ts";
import { onnxFormat } from "./formats/onnx.ts";
import { runGroup } from "./group.ts";
import { forgetting } from "./keeping.ts";
import { startOf } from "./measure.ts";
import { objectiveFigures } from "./objectives.ts";
import { namesOf, type OptimizeOptions, type Run } from "./run.ts";
import { baseKey, cuttableOf, dtypeIn, siblingsIn, smallSpace, startIn } from "./space.ts";
import { startCosts } from "./startCosts.ts";
import { isTried, tryAll } from "./trying.ts";
import { variantOf } from "./variant.ts";

/** The candidates, and which was chosen. */
export interface Optimized {
  readonly task: Task;
  /** What the candidates' forms are. */
  readonly format: FormFormat;
  /** What the candidates' figures are. */
  readonly figures: readonly Figure[];
  /** The limits by the figures' whole names. */
  readonly budget: Budget;
  readonly candidates: readonly Candidate[];
  /** What became of each configuration that was asked for. */
  readonly records: readonly TrialRecord[];
  /** By the base's name. */
  readonly parity: ReadonlyMap<string, BaseParity>;
  readonly choice: Choice<Candidate>;
  /** What decided the choice and is smaller than the noise of the held-out text. */
  readonly doubts: readonly Doubt[];
  /** What was searched. */
  readonly space: Space;
  /** The smallest, the fastest and the best, beside the chosen one. */
  readonly picks: readonly NamedPick<Candidate>[];
  /** What each held-out example costs, by the candidate's name: more is worse. */
  readonly losses: ReadonlyMap<string, Float32Array>;
  /** A dense model with its forms; made again where it is not at hand. */
  base(name: string): Promise<Base>;
}

const measuredIn = (records: readonly TrialRecord[]): MeasuredCandidate[] =>
  records.flatMap(({ candidate }) => (candidate === undefined ? [] : [candidate]));

/** By the base's name; the roundings of one's own beside the usual forms. */
const parityOf = (run: Run): Map<string, BaseParity> => {
  const parity = new Map<string, BaseParity>();
  for (const { candidate, values, parity: judged } of run.records) {
    if (candidate === undefined || judged === undefined) continue;
    const before = parity.get(candidate.base) ?? parity.get(namesOf(run, values).base);
    parity.set(candidate.base, { ...before, [candidate.dtype]: judged });
  }
  return parity;
};

const withFront = ({ records, objectives }: Run, measured = measuredIn(records)): Candidate[] => {
  const sound = measured.filter(({ fault }) => fault === undefined);
  const axes = objectives.map(({ name, better }) => (c: MeasuredCandidate) => {
    return (better === "less" ? 1 : -1) * measuredValue(c, name);
  });
  const front = new Set(paretoFront(sound, axes));
  return measured.map((c) => ({ ...c, onFront: front.has(c) }));
};

/** Few candidates. */
const usualSpace = (
  model: Model,
  { teaching, format = onnxFormat }: OptimizeOptions,
  budget: Budget,
): Space =>
  smallSpace({
    format,
    ...cuttableOf(model),
    steps: teaching({}).steps,
    fits: budget.some(({ figure, most }) => figure === SIZE && most !== undefined),
  });

const begin = async (model: Model, options: OptimizeOptions, context: Context): Promise<Run> => {
  const { task, lesson, figures, sampler = "grid", keeping = forgetting, format = onnxFormat } = options;
  const budget = checkBudget(options.budget, figures);
  const space = options.space ?? usualSpace(model, options, budget);
  const earlier = keeping.earlier.map(({ record }) => record);
  const scorer = options.scorer ?? (await watchedScorer(task, context.engine, lesson.heldOut, model));
  const score = (form: Form) => scorer(form, options.onScored);
  return {
    options: { ...options, budget, keeping, score, space, format },
    ...{ context, whole: model },
    study: study(space, {
      ...{ sampler, seed: context.seed, trials: earlier },
      begun: keeping.open.map(({ number }) => number),
    }),
    objectives: objectiveFigures(figures, budget),
    records: [...earlier],
    scores: new Map(
      keeping.earlier.flatMap(({ record, scores }) => (scores ? [[record.number, scores]] : [])),
    ),
    held: new Map(),
    foretold: new Map(),
    again: { between: [], atMs: performance.now(), tookMs: 0 },
  };
};

/** A dense model that is not at hand, with its forms. Throws Error for one that no candidate is of. */
const remade = async (run: Run, name: string): Promise<Base> => {
  const { options, context, whole, records } = run;
  const own = records.find(({ candidate }) => candidate?.base === name);
  if (own === undefined) throw new Error(`no candidate is a form of ${name}`);
  const dense = (await options.keeping.dense(baseKey(own.values)))?.model ?? whole;
  const wanted = [...new Set(siblingsIn(options.space, own.values).map(dtypeIn))];
  const usual = { name: namesOf(run, own.values).base, dense, forms: {} };
  const base = await withForms(usual, wanted, { context, format: options.format });
  const limit = sizeBound(run.bounds ?? [])?.bound;
  return (await variantOf(base, own.values, { ...options, ...defined({ limit }) }, context)) ?? base;
};

/**
 * A dense model with every form that was judged of it: what is held may be of some alone, where one failed.
 */
const wholeBase = async (run: Run, name: string): Promise<Base> => {
  const held = run.held.get(name);
  if (held === undefined) return remade(run, name);
  const judged = Object.keys(parityOf(run).get(name) ?? {}) as (keyof BaseParity)[];
  const { context, options } = run;
  return withForms(held, judged, { context, format: options.format });
};

/** The best so far; undefined where nothing may be chosen. */
const chosenSoFar = ({ records, options }: Run): MeasuredCandidate | undefined => {
  const { budget, figures } = options;
  const sound = measuredIn(records).some(({ fault }) => fault === undefined);
  return sound ? choose(measuredIn(records), { budget, figures }).chosen : undefined;
};

/** Holds what is needed again: the start, and what is chosen so far. What is kept elsewhere is let go. */
const hold = async (run: Run, bases: readonly Base[]): Promise<void> => {
  for (const base of bases) run.held.set(base.name, base);
  await run.options.onBase?.(bases, { candidates: withFront(run), parity: parityOf(run) });
  if (run.options.keeping === forgetting) return;
  const needed = [measuredIn(run.records)[0]?.base, chosenSoFar(run)?.base];
  for (const name of [...run.held.keys()]) if (!needed.includes(name)) run.held.delete(name);
};

/** Measures the start in every form, and learns from it what others would cost. */
const measureStart = async (run: Run): Promise<void> => {
  const { options, whole, study: asked } = run;
  const known = (): MeasuredCandidate | undefined => {
    const [start] = measuredIn(run.records);
    if (start === undefined) return undefined;
    run.start = startOf(options, run.scores.get(start.number)!);
    run.bounds = boundsOf(options.budget, options.figures, start);
    return start;
  };
  known();
  const own = startIn(options.space, cuttableOf(whole));
  // A process before may have ended among them.
  const others = siblingsIn(options.space, own).filter((values) => keyOf(values) !== keyOf(own));
  const forms = [own, ...others].filter((values) => !isTried(run, values));
  const [first] = forms;
  if (first !== undefined) {
    const begun = options.keeping.open.find(({ values }) => keyOf(values) === keyOf(first));
    const lead = asked.ask(first, begun?.number)!;
    await runGroup(run, { lead, forms }, (bases) => hold(run, bases));
  }
  const { base: name } = known()!;
  if (options.spares !== true) return;
  const held = run.held.get(name) ?? { name, dense: whole, forms: {} };
  const { probe, shares, format } = options;
  const costs = await startCosts(held, { records: run.records, probe, format }, run.context);
  run.held.set(name, costs.start);
  run.foreteller = foreteller(costs, { probe, ...defined({ shares }) });
};

/** Times that another one is chosen by what measuring again has shown. */
const CHOICES = 3;

/** All candidates by what is known of several processes, of which the start and the chosen one have more. */
const measuredAgain = async (run: Run) => {
  const { again: probe, budget, figures } = run.options;
  const measured = measuredIn(run.records);
  const turns = new Map<string, readonly Turn[]>();
  const repeated: Repeated = { between: run.again.between, turns };
  let candidates = withFront(run);
  const [start] = candidates;
  for (let choice = 0; probe !== undefined && choice < CHOICES; choice++) {
    const { chosen } = choose(candidates, { budget, figures });
    if (turns.has(chosen.name)) break;
    const forms: Form[] = [];
    for (const { base: name, dtype } of new Set([start!, chosen])) {
      forms.push((await wholeBase(run, name)).forms[dtype]!);
    }
    const [first, own = first] = await probe(forms);
    turns.set(
      chosen.name,
      own!.map((found, i) => [first![i]!, found]),
    );
    candidates = withFront(run, withAgain(measured, repeated));
  }
  return { candidates, ratioOf: ratiosOf(measured, repeated) };
};

/**
 * Makes, judges and measures the candidates of `model` and chooses among them. Throws ConfigError for a
 * budget that cannot be before anything is made.
 */
export const optimize = async (
  model: Model,
  options: OptimizeOptions,
  context: Context,
): Promise<Optimized> => {
  const run = await begin(model, options, context);
  await measureStart(run);
  await tryAll(run, (bases) => hold(run, bases));
  const { figures, budget, task } = run.options;
  const { candidates, ratioOf } = await measuredAgain(run);
  const choice = choose(candidates, { budget, figures });
  const [whole] = candidates;
  const scale = measuredValue(whole!, figures[0]!.name) / whole!.score;
  const sign = task.criterion.better === "less" ? 1 : -1;
  const losses = new Map(
    candidates.map(({ name, number }) => [name, run.scores.get(number)!.map((x) => sign * x)]),
  );
  const known = { candidates, budget, figures, losses, scale };
  return {
    ...{ task, figures, budget, candidates, choice, losses },
    ...{ space: run.options.space, format: run.options.format },
    picks: picksOf({ ...known, ratioOf, chosen: choice.chosen.name }),
    records: [...run.records],
    parity: parityOf(run),
    doubts: doubtsOf({ ...known, choice }),
    base: (name) => wholeBase(run, name),
  };
};
