/** How many threads share a run's batches. */
import { dataParallel } from "../../distribute/dataParallel.ts";
import type { Engine } from "../../engine/engine.ts";
import { sizeOf } from "../../ir/tensor.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { countParams, trainedTensors } from "../../nn/param.ts";
import { threadTeam } from "../../node/ranks/threadTeam.ts";
import { cachedStepper } from "../../train/cachedStepper.ts";
import type { MakeStepper } from "../../train/stepper.ts";
import { ConfigError } from "../../util/errors.ts";
import type { TrainingOptions } from "../config/options.ts";

/**
 * Params up to which replicas pay. On two cores, against two threads inside each op, a step takes 0.73 of the
 * time at 1.1 M params, 0.93 at 4.3 M, 1.03 at 21 M and 1.05 at 91 M (`bench replicas`).
 */
const SMALL = 16e6;

/**
 * The share of the params that a token is multiplied by, from which replicas pay: a table that is only looked
 * up costs each step as long to exchange as any other params, and takes next to no time to find gradients
 * for. A classifier of one layer, 64 wide, with 16,000 tokens (0.05) takes 1.4 times as long on two replicas.
 */
const MULTIPLIED = 1 / 8;

/** Most replicas where none are asked for: each gives to each other, and any model has more tensors. */
const MOST = 8;

/** The share of the params that are not of tables which are only looked up. */
const multiplied = ({ arch, config, weights }: Model): number => {
  if (headOf(arch, config).endsWith("-lm")) return 1;
  const tables = [...trainedTensors(weights)].filter(([, { shape }]) => shape[0] === config.vocab_size);
  return 1 - tables.reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0) / countParams(weights);
};

/**
 * The replicas that `model` trains on. Where the options leave it open, a small model gets as many as there
 * are threads and trained tensors, and the batch divides into; a large one has a single one, as has one that
 * is hardly more than a table of embeddings.
 */
export const replicasOf = (
  { replicas, batch }: TrainingOptions,
  model: Model,
  { threads }: Engine,
  frozen: (path: string) => boolean = () => false,
): number => {
  if (replicas > 0) return replicas;
  if (countParams(model.weights) > SMALL || multiplied(model) < MULTIPLIED) return 1;
  const tensors = [...trainedTensors(model.weights)].filter(([path]) => !frozen(path)).length;
  let count = Math.max(1, Math.min(threads, batch, tensors, MOST));
  while (batch % count !== 0) count--;
  return count;
};

/**
 * How steps are taken by an objective that compares the texts of a batch with each other: on one replica, in
 * chunks where asked for. Throws ConfigError where several replicas are asked for: each would see its share
 * alone.
 */
export const onWholeBatches = ({ replicas, chunk }: TrainingOptions): { readonly stepper?: MakeStepper } => {
  if (replicas > 1) {
    throw new ConfigError(`is ${replicas}: the texts of a batch are compared with each other`, {
      field: "train.replicas",
      hint: "leave it out; --chunk bounds the memory of a batch",
    });
  }
  return chunk > 0 ? { stepper: cachedStepper(chunk) } : {};
};

/** The training hook that makes `model` train on the options' replicas; nothing for one alone. */
export const onReplicas = (
  options: TrainingOptions,
  model: Model,
  engine: Engine,
  frozen?: (path: string) => boolean,
): { readonly stepper?: MakeStepper } => {
  const count = replicasOf(options, model, engine, frozen);
  return count > 1 ? { stepper: dataParallel(threadTeam(count)) } : {};
};
