/** What a rank among others does otherwise: it writes nothing, and trains on its share. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { requireAgreement, tellAll } from "../../distribute/agree.ts";
import { gathered } from "../../distribute/gather.ts";
import { localSteps } from "../../distribute/localSteps.ts";
import { pipeline } from "../../distribute/pipeline.ts";
import { type Spmd, spmd } from "../../distribute/spmd.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { checkpointStore } from "../../node/files/checkpoints.ts";
import { type Checkpoints, checkpointsIn, type Snapshot } from "../../train/checkpoint.ts";
import { alone, type Collective } from "../../train/ranks/collective.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions, TrainingOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { weightsHash } from "./identity.ts";
import type { Method } from "./method.ts";
import { onReplicas, onWholeBatches, replicasOf } from "./replicas.ts";
import { takeRun } from "./takeRun.ts";

/** Where a run of this process is. */
export interface Place {
  /** Options whose folder is one that this process may write to. */
  readonly options: RunOptions;
  /** Where the run's checkpoints are. */
  readonly checkpoints: string;
  /** Gives the place back. */
  release(): Promise<void>;
}

/** Whether this process writes the result: it is alone, or the first of the ranks. */
export const isFirst = ({ ranks }: Pick<RecipeHooks, "ranks">): boolean =>
  (ranks?.collective.rank ?? 0) === 0;

const notAmongRanks = (field: string, value: unknown, hint: string): ConfigError =>
  new ConfigError(`is ${value}, where several ranks train`, { field, hint });

const checkShares = ({ batch, replicas, pipeline: layers }: TrainingOptions, size: number): void => {
  if (replicas > 1) throw notAmongRanks("train.replicas", replicas, "leave it out: start more ranks instead");
  if (layers || batch % size === 0) return;
  throw new ConfigError(`a batch of ${batch} does not divide among ${size} ranks`, {
    field: "train.batch",
    hint: `make the batch a multiple of ${size}, or start fewer ranks`,
  });
};

/**
 * Takes OUT for this process: its run, as `takeRun` does, or for ranks after the first a folder of their own
 * that goes with them. Throws as `takeRun`, and ConfigError where the ranks' options differ or the batch does
 * not divide among them.
 */
export const takePlace = async (options: RunOptions, { ranks }: RecipeHooks): Promise<Place> => {
  const checkpoints = join(options.out, "run", "checkpoints");
  if (ranks === undefined) return { options, checkpoints, release: await takeRun(options.out) };
  const { collective } = ranks;
  const { threads: _, ...same } = options;
  await requireAgreement(collective, { version, options: same });
  checkShares(options.train, collective.size);
  if (collective.rank === 0) return { options, checkpoints, release: await takeRun(options.out) };
  const out = await mkdtemp(join(tmpdir(), "anneal-rank-"));
  await mkdir(join(out, "run"));
  return {
    ...{ options: { ...options, out }, checkpoints },
    release: () => rm(out, { recursive: true, force: true }),
  };
};

/** What decides whether a run is one with that of the other ranks, or of a checkpoint. */
export interface Subject {
  readonly identity: Json;
  /** The model before its first step. */
  readonly model: Model;
  /** Where its checkpoints are. */
  readonly dir: string;
}

/** Whether all ranks see one folder: that of which the first has taken the lock. */
export const seeOne = async (folder: string, collective: Collective): Promise<boolean> => {
  const lock = () => readFile(join(folder, "lock"), "utf8").catch(() => "");
  const [first] = await tellAll(collective, collective.rank === 0 ? await lock() : "");
  const seen = await tellAll(collective, first !== "" && (await lock()) === first);
  return !seen.includes(false);
};

/**
 * The checkpoints of a run, which all ranks write together where they see one folder; else the first writes
 * what all give it. All ranks have come as far as this when it resolves. Throws ConfigError where their data
 * or weights differ.
 */
export const runCheckpoints = async (
  { identity, model, dir }: Subject,
  { ranks, ui }: RecipeHooks,
): Promise<Checkpoints> => {
  const options = { onWarning: (line: string) => ui.warn(line) };
  if (ranks === undefined) return checkpointsIn(checkpointStore(dir, options), identity);
  const { collective } = ranks;
  await requireAgreement(collective, { run: identity, weights: weightsHash(model) });
  ranks.watch();
  if (await seeOne(dirname(dir), collective)) {
    const writers = { rank: collective.rank, tell: (own: Json) => tellAll(collective, own) };
    return checkpointsIn(checkpointStore(dir, { ...options, writers }), identity, collective.rank);
  }
  const checkpoints = checkpointsIn(checkpointStore(dir, options), identity);
  return {
    ...checkpoints,
    async save({ step, meta, ...own }) {
      const parts = await allParts(collective, own);
      if (isFirst({ ranks })) await checkpoints.save({ step, meta, ...parts });
    },
  };
};

type Parts = Pick<Snapshot, "state" | "best" | "average">;

/** The parts of a snapshot that all ranks hold, on the first. All have the same parts. */
const allParts = async (collective: Collective, { state, best, average }: Parts): Promise<Parts> => ({
  state: await gathered(collective, state),
  ...(best === undefined ? {} : { best: await gathered(collective, best) }),
  ...(average === undefined ? {} : { average: await gathered(collective, average) }),
});

/** How a model's steps are taken. */
export interface Steps extends Partial<Spmd> {
  /** Such as "2 replicas"; undefined for one process alone. */
  readonly shared?: string;
}

/** How `model`'s steps are taken: on the ranks there are, else on as many replicas as the options say. */
export const shareSteps = (
  t: TrainingOptions,
  { model, engine, frozen }: Pick<Method, "model" | "frozen"> & { readonly engine: Engine },
  { ranks, signal }: Pick<RecipeHooks, "ranks" | "signal">,
): Steps => {
  const { localSteps: every, overlap, outerLr, outerMomentum, wire } = t;
  if (t.pipeline) {
    const { collective } = ranks ?? { collective: alone };
    if (collective.size === 1) {
      throw new ConfigError("shares out layers among ranks, and there is one", {
        field: "train.pipeline",
        hint: "start it under mpirun with a rank for each part, or leave out --pipeline",
      });
    }
    // Filling and emptying the pipeline takes as long as a micro-batch for each rank but one.
    const busy = t.accumulate / (t.accumulate + collective.size - 1);
    const most = `at most ${(100 * busy).toFixed(0)} % of the time (--accumulate ${t.accumulate})`;
    return {
      ...pipeline(collective, { signal }),
      shared: `${collective.size} ranks by layers, at work for ${most}`,
    };
  }
  if (every > 0) {
    const collective = ranks?.collective ?? alone;
    checkShares(t, collective.size);
    const shared = `${collective.size} ranks that meet every ${every} steps`;
    return {
      ...localSteps(collective, { every, overlap, steps: t.steps, outerLr, outerMomentum, wire, signal }),
      shared,
    };
  }
  if (ranks !== undefined) {
    const { collective } = ranks;
    checkShares(t, collective.size);
    return {
      ...spmd(collective, { signal, wire, zero: t.zero === 2 ? 2 : 1 }),
      shared: `${collective.size} ranks`,
    };
  }
  const replicas = replicasOf(t, model, engine, frozen);
  return {
    ...onReplicas(t, model, engine, frozen),
    ...(replicas > 1 ? { shared: `${replicas} replicas` } : {}),
    ...defined({ signal }),
  };
};

/**
 * How steps are taken by an objective that compares the texts of a batch with each other: as `onWholeBatches`
 * says. Throws ConfigError among ranks, too.
 */
export const wholeSteps = (
  t: TrainingOptions,
  { ranks, signal }: Pick<RecipeHooks, "ranks" | "signal">,
): Steps => {
  if (t.localSteps > 0) {
    throw new ConfigError("compares the texts of a batch with each other: no rank steps by itself", {
      field: "train.objective",
      hint: "leave --local-steps out",
    });
  }
  if (ranks === undefined) return { ...onWholeBatches(t), ...defined({ signal }) };
  throw new ConfigError("compares the texts of a batch with each other: a rank sees its share alone", {
    field: "train.objective",
    hint: "start it without the launcher, on one process; --chunk bounds the memory of a batch",
  });
};
