/**
 * Training of a model whose layers several ranks share, each with those of one stage: for models that do not
 * fit into the memory of one. All ranks see all batches; the micro-batches of an update flow through them.
 */
import type { Tensor } from "../ir/tensor.ts";
import { openCounter } from "../train/counter.ts";
import { pipelinePlan } from "../train/pipeline/plan.ts";
import type { Collective } from "../train/ranks/collective.ts";
import { openRank, type Rank, type RankPlan } from "../train/ranks/rank.ts";
import { paramTypes } from "../train/step.ts";
import { apart, asBatch, heldBy, type MakeStepper, type Stepper, weightsOf } from "../train/stepper.ts";
import { gathered } from "./gather.ts";
import { pipelineValidator } from "./pipelineValidator.ts";
import type { Spmd, SpmdOptions } from "./spmd.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Gives the memory of tensors back, which are empty from then on. */
const release = (tensors: Iterable<Tensor>): void => {
  for (const { data } of tensors) {
    const { buffer } = data;
    if (buffer instanceof ArrayBuffer) structuredClone(buffer, { transfer: [buffer] });
  }
};

/** What a rank saves and loads: its stage; of what several ranks hold the first saves it. */
const kept = (
  { rank }: Collective,
  { pipeline }: RankPlan,
  own: Rank,
): Required<Pick<Stepper, "weights" | "state" | "load" | "writes" | "wants">> => {
  const held = heldBy(own);
  const others = pipeline!.shared.filter(({ ranks }) => ranks[0] !== rank).map(({ path }) => path);
  const saved = ([name]: readonly [string, unknown]): boolean =>
    others.every((path) => !name.endsWith(`.${path}`));
  return {
    ...held,
    state: async () => new Map([...(await held.state())].filter(saved)),
    writes: (path) => own.params().has(path) && !others.includes(path),
    wants(name) {
      const [, , path = ""] = /^(params|\d+)\.(.*)$/.exec(name) ?? [];
      const weights = own.params();
      if (weights.has(name) || weights.has(path) || name === "count") return true;
      return name.startsWith("opt.") && own.opt().has(name.slice("opt.".length));
    },
  };
};

/**
 * Training on all ranks of `collective`, of which each calls this with the same model and holds the params,
 * gradients and optimizer's state of its stage. With `takesWeights` the memory of the others' weights is
 * given back. Throws ConfigError as `pipelinePlan`.
 */
export const pipeline = (collective: Collective, { signal }: Pick<SpmdOptions, "signal"> = {}): Spmd => {
  const leaving = new AbortController();
  const { rank, size } = collective;
  const stepper: MakeStepper = async (engine, model, options) => {
    const plan = pipelinePlan(model, options, { rank, size, threads: engine.threads });
    const all: Tensors = weightsOf(model);
    const trained = paramTypes(model, options);
    const alone = options.takesWeights ? apart(all) : new Map<string, Tensor>();
    const own = await openRank(engine, { ...plan, taken: alone }, collective);
    own.load(all);
    const frees = (path: string): boolean => path in trained && !own.params().has(path);
    release([...alone].flatMap(([path, t]) => (frees(path) ? [t] : [])));
    const counter = await openCounter(engine, model, options);
    return {
      ...kept(collective, plan, own),
      validator: pipelineValidator(engine, model, collective),
      whole: (weights) => gathered(collective, weights),
      async run(micro, lr, step) {
        const batches = micro.map(asBatch);
        const update = { lr, step, scale: await counter.scale(batches), asks: signal?.aborted ?? false };
        const result = await own.step(batches, update);
        if (result.leaves) leaving.abort(signal?.reason);
        return result;
      },
      async dispose() {
        await own.dispose();
        await counter.dispose();
      },
    };
  };
  return { stepper, signal: leaving.signal };
};
