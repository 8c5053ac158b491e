/** Searches the candidates of a model, telling of each; the points of the front are written as they come. */
import { join } from "node:path";
import { memoOf } from "../../compress/pass.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { type Leases, leases } from "../../node/files/lease.ts";
import { shapeMeasurements } from "../../node/runtime/measurements.ts";
import type { Place } from "../../node/targets/target.ts";
import type { Candidate, TrialRecord } from "../../search/candidates/candidate.ts";
import type { Keeping } from "../../search/candidates/keeping.ts";
import { type Optimized, optimize } from "../../search/candidates/optimize.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { figureNamed, measuredValue, writtenValue } from "../../search/figures.ts";
import type { Space, Values } from "../../search/space/space.ts";
import { taskOf } from "../../tasks/index.ts";
import { defined } from "../../util/defined.ts";
import { budgetOf } from "../config/budget.ts";
import type { RunOptions } from "../config/options.ts";
import { progressOf } from "../context/ui.ts";
import { version } from "../context/version.ts";
import type { UserData } from "../data/userData.ts";
import { lookedAt, trainingBatches } from "../data/windows.ts";
import type { Source } from "../model/source.ts";
import type { Curve } from "../train/pretrain.ts";
import { onReplicas } from "../train/replicas.ts";
import { type Clock, clockOf } from "./clock.ts";
import { formatOf, type Searched, shippingOf, withFiles } from "./formats.ts";
import { type Front, frontIn } from "./front.ts";
import { judgeOn } from "./judge.ts";
import { judgingGguf } from "./judgeGguf.ts";
import { type PlacesOptions, type Probes, targetsNamed, withPlaces } from "./places.ts";
import { type Asking, openQueue } from "./queue.ts";
import { ownByRedis, type SharedHooks } from "./redis/redis.ts";
import { type Showing, showing } from "./showing.ts";
import { isWide, samplerOf, searchIdentity, spaceOf } from "./space.ts";
import { openStore, searchIn } from "./store.ts";
import { lessonOf, teaching } from "./teaching.ts";

/** What a run has besides its options: where words go, what was trained before, what it began with. */
export type SearchHooks = SharedHooks & {
  readonly curves: readonly Curve[];
  readonly source?: Source;
  /** When the run began, on performance.now()'s clock. */
  readonly startedMs: number;
} & Pick<OptimizeOptions, "rehearse">;

/** Tells of a candidate as it is measured. */
const candidateLine = (candidate: Candidate, { figures }: Pick<OptimizeOptions, "figures">): string => {
  const [criterion] = figures;
  const told = [criterion!.name, "p50Ms", "sizeBytes"].map((name) => {
    const figure = figureNamed(figures, name)!;
    const words = figure === criterion ? figure.label : figure.unit;
    return `${writtenValue(figure, measuredValue(candidate, figure.name))} ${words}`;
  });
  return `${candidate.name}: ${told.join(", ")}`;
};

/** Of a search whose time is limited: "; 12 min left". */
const leftText = (ms: number): string => {
  if (!Number.isFinite(ms)) return "";
  return ms < 100_000
    ? `; ${Math.max(0, Math.round(ms / 1000))} s left`
    : `; ${Math.round(ms / 60_000)} min left`;
};

/** Tokens of text that smaller models are fitted on. */
const FITTED_ON = 8192;

/** The options of a run whose smaller model is taught as a configuration says. */
export const taughtBy = (options: RunOptions, { steps, lr, alpha, temperature }: Values): RunOptions => {
  const { distill } = options;
  const own = { steps, lrPeak: lr, alpha, temperature };
  const told = Object.entries(own).filter(([, value]) => typeof value === "number");
  return { ...options, distill: { ...distill, ...Object.fromEntries(told) } };
};

const givenUpLine = ({ name, stage, why }: TrialRecord): string =>
  `${name}: ${stage === "rung" ? "stopped" : stage === "failed" ? "failed" : "not made"}: ${why}`;

/** What is made, measured and chosen by, as the options say. */
export const askedOf = (engine: Engine, model: Model, about: Searched) => {
  const { data, options } = about;
  const task = taskOf(model);
  const { targets, ...stated } = budgetOf(options.budget, { ...model, task });
  const format = formatOf(targets, model, about);
  const space = spaceOf(options, model, { budget: stated.budget, format });
  const wide = isWide(options);
  const { trials } = options.search;
  return {
    targets,
    asked: {
      ...{ task, lesson: lessonOf(model, data, options), space, format, ...stated },
      ...{ judge: judgeOn(engine, data), spares: wide },
      batches: trainingBatches(model, data.material, { tokens: FITTED_ON, seed: options.seed }),
      ...(wide ? { sampler: samplerOf(options, space) } : {}),
      ...(trials > 0 ? { trials } : {}),
    },
  };
};

/** What is told, and written, while a search goes on. */
const tellingOf = (
  { ui }: SearchHooks,
  shown: Showing,
  front: Front | undefined,
  figures: OptimizeOptions["figures"],
  clock: Clock,
): Pick<OptimizeOptions, "onCandidate" | "onForm" | "onScored" | "onFit" | "onGivenUp" | "onBase"> => ({
  ...{ onForm: shown.onForm, onScored: shown.onScored, onFit: shown.onFit },
  onCandidate: (candidate) => {
    shown.done();
    ui.line(`${candidateLine(candidate, { figures })}${leftText(clock.left())}`);
  },
  onGivenUp: (record) => {
    shown.done();
    ui.line(givenUpLine(record));
  },
  ...(front === undefined
    ? {}
    : { onBase: (bases, standing) => clock.shipping(() => front.update(bases, standing)) }),
});

/** How fast shapes of a model are on this machine, kept for later searches. */
const sharesOf = (
  { name, version: runtime }: Engine,
  model: Model,
  { targets, threads, place }: Pick<PlacesOptions, "targets" | "threads"> & { readonly place: Place },
): OptimizeOptions["shares"] => {
  const by = [version, name, runtime, Object.keys(targets), threads, place.engine ?? ""].join(" ");
  const { of } = shapeMeasurements(model, { version: by, leastMs: 0 });
  return (shape, make) => of("least time of a shape", shape, async () => ({ ...(await make()) }));
};

/** What passes are made with, besides who is told. */
export const contextOf = (engine: Engine, data: UserData, { seed }: RunOptions) => ({
  ...{ engine, seed, calibration: lookedAt(data, seed), memo: memoOf() },
});

/** Measuring while nobody else computes on this machine. */
const quietProbes = (
  { probe, again }: Probes,
  { quietly }: Pick<Asking, "quietly">,
): Pick<Probes, "probe" | "again"> => ({
  probe: (model) => quietly(() => probe(model)),
  again: (...given) => quietly(() => again(...given)),
});

/** Makes, measures, judges and chooses, telling of each candidate. */
export const searched = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: SearchHooks,
): Promise<{ readonly optimized: Optimized; readonly curves: readonly Curve[] }> => {
  const own = leases();
  try {
    return await searchWith(own, { engine, model, data, options, hooks });
  } finally {
    own.close();
  }
};

/** What a search is made of. */
interface Searching {
  readonly engine: Engine;
  readonly model: Model;
  readonly data: UserData;
  readonly options: RunOptions;
  readonly hooks: SearchHooks;
}

/** What candidates are measured by. */
interface Measuring {
  readonly asked: ReturnType<typeof askedOf>["asked"];
  readonly where: Omit<PlacesOptions, "files">;
  readonly makers: Pick<Asking, "quietly">;
}

/** Works where candidates can be measured, with what measures them, alone on the machine. */
const withMeasuring = <T>(
  { engine, model, data }: Searching,
  { asked, where, makers }: Measuring,
  work: (measuring: Pick<OptimizeOptions, "probe" | "again" | "shares" | "judge" | "scorer">) => Promise<T>,
): Promise<T> =>
  withFiles(asked.format.name, (files, dir) =>
    withPlaces({ ...where, files }, (loud) => {
      const { first: place } = loud;
      const { heldOut } = asked.lesson;
      const { judge } = asked;
      const judging =
        asked.format.name === "gguf" ? judgingGguf({ engine, data, heldOut, place, files, dir }) : { judge };
      const shares = sharesOf(engine, model, { ...where, place });
      return work({ ...quietProbes(loud, makers), ...judging, ...defined({ shares }) });
    }),
  );

/** Opens the search of the run, and asks others to take part: who share its folder, or a Redis. */
const openSearch = async (own: Leases, { model, data, options, hooks }: Searching, space: Space) => {
  const { ui, resume = false, redis, workers, ranks } = hooks;
  const run = join(options.out, "run");
  const identity = searchIdentity(options, data, model, space);
  const onWarning = (text: string): void => ui.warn(text);
  const { trials, ...keeping } = await openStore({ run, whole: model, resume, identity, onWarning });
  const started = workers ?? (ranks?.collective.size ?? 1) - 1;
  const makers = await (redis === undefined
    ? openQueue(run, own, started)
    : ownByRedis(redis, { identity, dir: searchIn(run), leases: own, started, trials, ui }));
  return { keeping, makers };
};

const searchWith = async (own: Leases, searching: Searching) => {
  const { engine, model, data, options, hooks } = searching;
  const about = askedOf(engine, model, { data, options, source: hooks.source });
  const { keeping, makers } = await openSearch(own, searching, about.asked.space);
  try {
    return await searchBeside(makers, { ...searching, ...about, keeping });
  } finally {
    await makers.end();
  }
};

/** Searches while `makers` make what is asked for. */
const searchBeside = async (
  makers: Asking,
  given: Searching & ReturnType<typeof askedOf> & { readonly keeping: Keeping },
) => {
  const { engine, model, data, options, hooks, targets, asked, keeping } = given;
  const clock = clockOf(options.search.timeSec, hooks.startedMs);
  const signals = [hooks.signal, makers.gone].filter((each) => each !== undefined);
  const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
  const { ui, source, command, rehearse } = hooks;
  const shown = showing({ space: asked.space, model, options, clock }, ui);
  const teachingOf = (values: Values) => {
    const own = teaching(taughtBy(options, values), asked.lesson, { model, signal });
    return {
      ...{ ...own, ...onReplicas(options.train, model, engine) },
      onRow: shown.watch(values, own.steps),
    };
  };
  const shipping = shippingOf(asked.format, { engine, data, options, ...defined({ source }) });
  const front = isWide(options) ? frontIn({ shipping, options, command }) : undefined;
  const told = tellingOf(hooks, shown, front, asked.figures, clock);
  const log = (line: string): void => ui.line(line);
  const context = { ...contextOf(engine, data, options), log, ...(signal ? { signal } : {}) };
  const timing = progressOf(ui, "measuring the start and the chosen one again");
  const where = {
    ...{ targets: targetsNamed(targets), threads: engine.threads, vocab: data.tokenizer.vocabSize },
    turns: clock.again,
    ...{ onProbe: clock.probed, onTurn: timing.update },
  };
  try {
    const optimized = await withMeasuring(given, { asked, where, makers }, ({ again, ...measuring }) => {
      const how = {
        ...{ ...asked, ...told, teaching: teachingOf, keeping, makers, ...measuring },
        ...{ until: clock.until, left: clock.left, ...defined({ rehearse }) },
        ...(isWide(options) ? defined({ again }) : {}),
      };
      return optimize(model, how, context);
    });
    if (isWide(options)) timing.done("measured the start and the chosen one again, in fresh processes");
    await front?.complete(optimized);
    return { optimized, curves: shown.curves() };
  } finally {
    clock.stop();
  }
};
