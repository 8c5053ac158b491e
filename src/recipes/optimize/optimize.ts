/** Optimizing a model that is there. */
import { join } from "node:path";
import { requireAgreement } from "../../distribute/agree.ts";
import type { Engine } from "../../engine/engine.ts";
import { openModel } from "../../node/hub/hub.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import type { Rehearsal } from "../../search/candidates/makers.ts";
import { taskOf } from "../../tasks/index.ts";
import { ConfigError } from "../../util/errors.ts";
import { budgetOf } from "../config/budget.ts";
import { checkStudent } from "../config/check.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { userData } from "../data/read.ts";
import { bareBodyNotes } from "../model/bareBody.ts";
import { readingData } from "../model/cut.ts";
import { sourceIn } from "../model/source.ts";
import { isFirst, seeOne } from "../train/ranks.ts";
import { takeRun } from "../train/takeRun.ts";
import { compressAndShip, type Outcome } from "./compressAndShip.ts";
import { makeForSearch } from "./maker.ts";
import { byRedis } from "./redis/redis.ts";
import { rehearse } from "./rehearse.ts";
import { read, written } from "./store.ts";

/**
 * The part of this process in a search: it has the run, or joins the one that has, as ranks after the first
 * do.
 */
const takePart = async (options: RunOptions, { ranks, joins = false }: RecipeHooks) => {
  if (ranks === undefined) {
    return { joins, leave: joins ? async () => {} : await takeRun(options.out) };
  }
  const { collective } = ranks;
  const { threads: _, ...same } = options;
  await requireAgreement(collective, { version, options: same });
  const unlock = isFirst({ ranks }) ? await takeRun(options.out) : async () => {};
  if (await seeOne(join(options.out, "run"), collective))
    return { joins: !isFirst({ ranks }), leave: unlock };
  await unlock();
  throw new ConfigError("is not seen by all ranks, which make models for one search in it", {
    field: "out",
    hint: "name a folder that all machines share with --out",
  });
};

/** Has a process of its own try what processes ended in, where one can be started. */
const rehearsing = (ref: string, { threads }: Engine, { apart, ranks }: RecipeHooks) =>
  apart === undefined || ranks !== undefined
    ? {}
    : {
        rehearse: (what: Rehearsal, signal?: AbortSignal) =>
          apart({ ref, said: written(what), threads }, signal),
      };

/**
 * From a model's folder to the best candidate under the budget, shipped to OUT/model; its time counts from
 * `startedMs` on performance.now()'s clock. One that joins makes models for the search that another process
 * has begun, as ranks after the first do, and resolves to undefined.
 */
export const optimizeFolder = async (
  ref: string,
  options: RunOptions,
  hooks: RecipeHooks,
  startedMs = performance.now(),
): Promise<Outcome | undefined> => {
  const folder = await openModel(ref, { ...hooks.hub, adapters: options.model.adapters });
  const task = taskOf(folder.model);
  budgetOf(options.budget, { ...folder.model, task }); // refused before anything is read
  // What is taught and measured are sentence vectors as the folder says they are made.
  if (task.name === "embedding" && folder.pooling.fault !== undefined) throw folder.pooling.fault;
  for (const note of bareBodyNotes(folder.model)) hooks.ui.warn(note);
  checkStudent(options, folder.model.arch.cache(folder.model.config).layers);
  const whole = { model: folder.model, tokenizer: folder.tokenizer, source: await sourceIn(folder.dir, ref) };
  const { positions } = folder.model.arch.cache(folder.model.config);
  const context = Math.min(positions, task.textTokens);
  const fitted = { ...options, model: { ...options.model, n_positions: context } };
  const redis = await byRedis({ base: options, ref, hooks });
  const part = await takePart(options, hooks);
  try {
    const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
    hooks.ui.stage("Reading and cleaning text");
    const { cutVocab } = options.model;
    const { data, model, source } = await readingData(whole, { cutVocab, hooks }, (given, told) =>
      userData(fitted, told, { task, ...given }),
    );
    if (!part.joins) {
      const outcome = await compressAndShip(engine, model, data, fitted, {
        ...{ ...hooks, ...redis, ...rehearsing(ref, engine, hooks) },
        curves: [],
        source,
        startedMs,
      });
      return outcome;
    }
    const { asked, signal } = hooks;
    if (asked !== undefined) {
      await rehearse(engine, model, data, fitted, { what: read(asked) as Rehearsal, signal });
      return undefined;
    }
    await makeForSearch(engine, model, data, fitted, { ...hooks, ...redis });
    return undefined;
  } finally {
    await part.leave();
  }
};
