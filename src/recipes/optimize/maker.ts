/** Taking part in a search: dense models are made that its process asks for, until that ends. */
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { makeWatched } from "../../search/candidates/dense.ts";
import type { MakeOptions } from "../../search/candidates/makeBase.ts";
import type { Made } from "../../search/candidates/makers.ts";
import { baseKey } from "../../search/candidates/space.ts";
import type { Pace } from "../../search/candidates/watched.ts";
import type { MetricsRow } from "../../train/loop.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { UserData } from "../data/userData.ts";
import { onReplicas } from "../train/replicas.ts";
import { joinFolder } from "./joined.ts";
import type { Maker, Taken } from "./queue.ts";
import { joinByRedis, type SharedHooks } from "./redis/redis.ts";
import { askedOf, contextOf, taughtBy } from "./searched.ts";
import { searchIdentity } from "./space.ts";
import type { JoinedStore } from "./store.ts";
import { teaching } from "./teaching.ts";

/** Milliseconds between two looks at whether a job is still asked for. */
const LOOK = 500;

/** What a job is made with. */
export interface MakingJob {
  readonly engine: Engine;
  readonly model: Model;
  readonly data: UserData;
  readonly options: RunOptions;
  readonly made: MakeOptions;
  readonly store: JoinedStore;
  readonly signal: AbortSignal;
}

/** A signal that a job is no longer asked for, until `end`. */
const whileAsked = ({ isAsked }: Pick<Taken, "isAsked">) => {
  const controller = new AbortController();
  const timer = setInterval(() => {
    if (!isAsked()) controller.abort();
  }, LOOK);
  timer.unref();
  return { dropped: controller.signal, end: () => clearInterval(timer) };
};

/** Makes the dense model of a job and keeps it; undefined where it was left. */
export const makeDenseOf = async (
  { engine, model, data, options, made, store, signal }: MakingJob,
  taken: Pick<Taken, "job" | "isAsked">,
): Promise<Made | undefined> => {
  const { number, values, watched, leftMs = Number.POSITIVE_INFINITY } = taken.job;
  const since = performance.now();
  const { dropped, end } = whileAsked(taken);
  const rows: MetricsRow[] = [];
  let pace: Pace | undefined;
  const until = AbortSignal.any([signal, dropped]);
  try {
    const { model: dense, ...more } = await makeWatched(
      { number, values, state: "running" },
      {
        ...{ whole: model, until, ...defined({ watched }), others: store.trials },
        options: {
          ...made,
          teaching: (of) => ({
            ...{ ...made.teaching(of), ...onReplicas(options.train, model, engine) },
            onRow: (row) => rows.push(row),
          }),
        },
        context: { ...contextOf(engine, data, options), log: () => {} },
        left: () => leftMs - (performance.now() - since),
        onPace: (found) => {
          pace = found;
        },
      },
    );
    if (until.aborted) return undefined;
    if (dense !== undefined && dense !== model) {
      await store.keep(baseKey(values), { model: dense, rungs: more.rungs });
    }
    return { stopped: dense === undefined, rows, ...more, ...defined({ pace }) };
  } catch (error) {
    if (until.aborted) return undefined;
    const said = error instanceof Error ? error.message : String(error);
    return { stopped: false, rows, rungs: [], error: said, ...defined({ pace }) };
  } finally {
    end();
  }
};

/** Makes job after job until the signal says so. */
const makeAll = async (maker: Maker, making: MakingJob, { ui }: RecipeHooks): Promise<void> => {
  while (!making.signal.aborted) {
    const taken = await maker.next();
    if (taken === undefined) continue;
    const { job } = taken;
    const said = Object.entries(job.values).map(([name, value]) => `${name} ${value}`);
    ui.line(`making ${said.join(", ")}`);
    await taken.end(await makeDenseOf(making, taken));
  }
};

/** What dense models are made with by a process that rests in between. */
const resting = (
  { asked }: ReturnType<typeof askedOf>,
  { model, options, maker }: Pick<MakingJob, "model" | "options"> & { readonly maker: Maker },
): MakeOptions => ({
  ...asked,
  lesson: {
    ...asked.lesson,
    source: async (index) => {
      await maker.rest();
      return asked.lesson.source(index);
    },
  },
  teaching: (values) => teaching(taughtBy(options, values), asked.lesson, { model }),
  onFit: maker.rest,
});

/**
 * Makes dense models for the search that another process has begun, in OUT or by a Redis, until that has
 * ended. Throws ConfigError where there is none, or where it is another than these options and data make, and
 * what `openJobs` throws.
 */
export const makeForSearch = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: SharedHooks,
): Promise<void> => {
  const { signal, ui, redis } = hooks;
  const about = askedOf(engine, model, { data, options });
  const { space } = about.asked;
  ui.stage("Making models for the search");
  const identity = searchIdentity(options, data, model, space);
  const given = { identity, whole: model, space, signal, ui };
  const joined = await (redis === undefined
    ? joinFolder({ ...given, run: join(options.out, "run") })
    : joinByRedis(redis, given));
  const { store, maker, gone } = joined;
  const made = resting(about, { model, options, maker });
  const signals = [gone, ...(signal === undefined ? [] : [signal])];
  try {
    const making = { engine, model, data, options, made, store, signal: AbortSignal.any(signals) };
    await makeAll(maker, making, hooks);
    if (gone.aborted && gone.reason.name !== "AbortError") throw gone.reason;
  } catch (error) {
    // What was asked for goes with who asked.
    if (await joined.isThere()) throw error;
  } finally {
    await joined.leave();
  }
};
