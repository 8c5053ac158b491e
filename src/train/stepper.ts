/** What trains: weights and optimizer state that live in memory, and the steps on them. */
import { always, byShape } from "../engine/byShape.ts";
import { compile, compileStep, type Resident } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import { openPasses } from "../engine/onePass/passes.ts";
import type { PassPlan } from "../engine/onePass/plan.ts";
import { NEXT } from "../formats/onnx/lower.ts";
import { scalar, sizeOf, type Tensor, type TensorType, tensorOf } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { tensorsOf } from "../nn/param.ts";
import { entries, leaves, type Tree } from "../util/tree.ts";
import { type Counter, openCounter } from "./counter.ts";
import type { Bucket } from "./ranks/bucket.ts";
import { alone } from "./ranks/collective.ts";
import { allocate, checkSame, prefixed as feedsOf, fillWith } from "./ranks/held.ts";
import { layoutOf, rankPlans } from "./ranks/plan.ts";
import { openRank, type Rank, type StepResult } from "./ranks/rank.ts";
import {
  frozenTensors,
  fusedStep,
  gradientsOfMean,
  paramTypes,
  type StepOptions,
  shardStateTypes,
  storage,
  updatePasses,
} from "./step.ts";
import type { Validator, ValidatorOptions, Windows } from "./validate.ts";
import { widthOf } from "./width.ts";

/** Something that trains: holds weights and optimizer state, and takes steps on them. */
export interface Stepper {
  /**
   * One update from `accumulate` micro-batches (feeds without the "batch." prefix); `step` counts from 1. An
   * update whose loss or gradients are not finite is left out, and its result says so.
   */
  run(micro: readonly Feeds[], lr: number, step: number): Promise<StepResult>;
  /** The weights that are trained, by path; overwritten by later steps. */
  weights(): ReadonlyMap<string, Tensor>;
  /**
   * Weights ("params.x") and optimizer state ("opt.y") by name; overwritten by later steps. Of several ranks
   * each has a part, which together are the whole.
   */
  state(): Promise<ReadonlyMap<string, Tensor>>;
  /** Of ranks whose messages travel while they step: resolves when `weights` are those of all. */
  settled?(): Promise<void>;
  /** Of several ranks that each run the loop: whether this one saves the weight at a path. */
  writes?(path: string): boolean;
  /** Of ranks that hold parts of the model: whether this one needs a tensor of a checkpoint, by its name. */
  wants?(name: string): boolean;
  /** Of such ranks: how they measure held-out data together. */
  validator?(windows: Windows, options: ValidatorOptions): Promise<Validator>;
  /** Of such ranks: the weights of all on the first; those of this one elsewhere. */
  whole?(weights: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>>;
  /** Goes on from a state. Throws CheckpointError, with nothing copied, where it is of something else. */
  load(state: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Of several ranks that each run the loop: the figures of rank 0, by which all go. */
  agreed?(values: readonly number[]): Promise<readonly number[]>;
  dispose(): Promise<void>;
}

/** Makes a stepper that has the model's weights, and an optimizer that has seen nothing. */
export type MakeStepper = (engine: Engine, model: Model, options: StepOptions) => Promise<Stepper>;

type Tensors = ReadonlyMap<string, Tensor>;

/** The model's tensors by name. */
export const weightsOf = (model: Model): Tensors => new Map(tensorsOf(model.weights));

/** What stands under `prefix` in a state. */
export const under = (prefix: string, state: Tensors): Map<string, Tensor> =>
  new Map(
    Array.from(state).flatMap(([name, t]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), t] as const] : [],
    ),
  );

const prefixed = (prefix: string, tensors: Tensors): [string, Tensor][] =>
  Array.from(tensors, ([path, t]) => [prefix + path, t]);

/** Feeds as a step's programs name them. */
export const asBatch = (feeds: Feeds): Feeds =>
  Object.fromEntries(prefixed("batch.", new Map(Object.entries(feeds))));

/** All of a step in one graph. */
const whole = (update: Resident, { view }: Bucket, frozen: Feeds): Stepper => ({
  async run([feeds], lr, step) {
    const out = await update.run({ ...frozen, ...asBatch(feeds!), lr: scalar(lr), step: scalar(step) });
    const [loss, gradNorm] = [Number(out.loss!.data[0]), Number(out.gradNorm!.data[0])];
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) update.revert();
    return { loss, gradNorm };
  },
  weights: () => under("params.", view(update.state())),
  state: async () => view(update.state()),
  async load(state) {
    checkSame(view(update.state()), state);
    fillWith(view(update.state()), state);
  },
  dispose: () => update.dispose(),
});

type Types = Tree<TensorType>;

/** Gradients by a graph for each width, and the update in passes over what lies in their memory. */
const inPasses = async (
  engine: Engine,
  model: Model,
  options: StepOptions,
  plan: PassPlan,
): Promise<Stepper> => {
  const bucket = storage(model, options);
  const stored = bucket.stored as Types;
  const opt = shardStateTypes(stored, options);
  const passes = openPasses(
    plan,
    [stored, stored, opt].flatMap((types) => leaves<TensorType>(types)),
  );
  const made = (types: Types) => allocate(entries<TensorType>(types), passes.zeros);
  const [params, grads, moments] = [made(stored), made(stored), made(opt)];
  const state: Tensors = new Map([...prefixed("params.", params), ...prefixed("opt.", moments)]);
  const next = Object.fromEntries(Array.from(state, ([name, t]) => [name + NEXT, t]));
  const how = { layout: layoutOf(model, options), inPlace: true } as const;
  const open = (own: StepOptions, idle: "spin" | "sleep") =>
    compile(engine, gradientsOfMean(model, own), { ...how, idle });
  const sessions = options.widths
    ? byShape((feeds) => open({ ...options, ...widthOf(feeds, "batch.") }, "sleep"))
    : always(await open(options, "spin"));
  const frozen = feedsOf("frozen", frozenTensors(model, options));
  const [loss, gradNorm, limited] = [scalar(0), scalar(0), scalar(0)];
  const results = { loss, gradNorm, ...(options.clipValue ? { limited } : {}), ...feedsOf("grads", grads) };
  const fixed: Feeds = { ...frozen, ...feedsOf("params", params) };
  const given: Feeds = { ...Object.fromEntries(state), ...feedsOf("grads", grads) };
  return {
    async run([feeds], lr, step) {
      const batch = asBatch(feeds!);
      const session = await sessions.at(batch);
      const all: Feeds = { ...fixed, ...batch };
      const read = session.inputNames.map((name) => [name, all[name]!] as const);
      await session.run(Object.fromEntries(read), results);
      const result = { loss: Number(loss.data[0]), gradNorm: Number(gradNorm.data[0]) };
      if (Number.isFinite(result.loss) && Number.isFinite(result.gradNorm)) {
        const norm = options.clipValue ? limited : gradNorm;
        passes.run({ ...given, gradNorm: norm, lr: scalar(lr), step: scalar(step) }, next);
      }
      return result;
    },
    weights: () => under("params.", bucket.view(state)),
    state: async () => bucket.view(state),
    async load(from) {
      checkSame(bucket.view(state), from);
      fillWith(bucket.view(state), from);
    },
    dispose: () => sessions.dispose(),
  };
};

/** What one rank holds, as a stepper shows it. */
export const heldBy = (rank: Rank): Pick<Stepper, "weights" | "state" | "load"> => {
  const state = () => new Map([...prefixed("params.", rank.params()), ...prefixed("opt.", rank.opt())]);
  return {
    weights: () => rank.params(),
    state: async () => state(),
    async load(given) {
      checkSame(state(), given);
      rank.load(under("params.", given), under("opt.", given));
    },
  };
};

/** A step in three graphs, on one rank. */
const single = (rank: Rank, counter: Counter): Stepper => {
  return {
    ...heldBy(rank),
    async run(micro, lr, step) {
      const batches = micro.map(asBatch);
      return rank.step(batches, { lr, step, scale: await counter.scale(batches) });
    },
    async dispose() {
      await rank.dispose();
      await counter.dispose();
    },
  };
};

/**
 * Trained params above which a step is taken as that of one rank: one graph would have two sets of state, and
 * large weights can be trained where they lie.
 */
export const IN_THREE = 16e6;

/** The weights of which each has a buffer of its own. */
export const apart = (weights: Tensors): Tensors => {
  const uses = new Map<ArrayBufferLike, number>();
  for (const { data } of weights.values()) uses.set(data.buffer, (uses.get(data.buffer) ?? 0) + 1);
  return new Map([...weights].filter(([, { data }]) => uses.get(data.buffer) === 1));
};

/** Compiles the step for `engine` and loads the model's weights into it. */
export const stepper: MakeStepper = async (engine, model, options) => {
  const trained = Object.values(paramTypes(model, options)).reduce((n, { shape }) => n + sizeOf(shape), 0);
  if ((options.accumulate ?? 1) > 1 || trained > IN_THREE) {
    const [plan] = rankPlans(model, options, { ranks: 1, threads: engine.threads });
    const own = weightsOf(model);
    const taken = options.takesWeights ? { taken: apart(own) } : {};
    const rank = await openRank(engine, { ...plan!, ...taken }, alone);
    rank.load(own);
    return single(rank, await openCounter(engine, model, options));
  }
  const passes = updatePasses(storage(model, options).stored as Types, options);
  if (passes !== undefined) {
    const made = await inPasses(engine, model, options, passes);
    fillWith(made.weights(), weightsOf(model));
    return made;
  }
  // Sessions of several widths take turns: threads of one that spin are in the way of the next one's.
  const several = {
    programFor: (feeds: Feeds) => fusedStep(model, { ...options, ...widthOf(feeds, "batch.") }),
    idle: "sleep" as const,
  };
  const how = { layout: layoutOf(model, options), ...(options.widths ? several : {}) };
  const update = await compileStep(engine, fusedStep(model, options), how);
  const frozen = feedsOf("frozen", frozenTensors(model, options));
  const made = whole(update, storage(model, options), frozen);
  fillWith(made.weights(), weightsOf(model));
  return made;
};

/** What was measured of held-out data. */
interface Figures {
  readonly loss: number;
  readonly figure?: number | undefined;
}

/** What was measured, as all ranks go by it: machines may differ in a last bit, and decide by it. */
export const agreedOn = async ({ agreed }: Pick<Stepper, "agreed">, own: Figures): Promise<Figures> => {
  if (agreed === undefined) return own;
  const [loss, figure] = await agreed(own.figure === undefined ? [own.loss] : [own.loss, own.figure]);
  return { loss: loss!, figure };
};

/** A dropout seed for a micro-batch: distinct for each (run seed, step, micro-batch). */
export const seedTensor = (seed: number, step: number, micro: number): Tensor =>
  tensorOf("int32", [], [(Math.imul(seed, 0x9e3779b1) + Math.imul(step, 0x85ebca6b) + micro) | 0]);
