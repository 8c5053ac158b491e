/** What training takes of memory and disk, by a formula of the model, its optimizer and its batch. */
import { byteLength, type TensorType } from "../../ir/tensor.ts";
import type { Architecture, ModelConfig } from "../../models/model.ts";
import { requireDisk, requireMemory } from "../../node/runtime/resources.ts";
import { optimizers } from "../../optim/index.ts";
import { leaves } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";

/** What Node and the runtime take before any model is there, bytes. */
const PROGRAM = 150e6;
/** Checkpoints that are on the disk while one is written. */
const CHECKPOINTS = 3;

/** What training takes. */
export interface Needs {
  readonly params: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

const sum = (types: Iterable<TensorType>): number => {
  let bytes = 0;
  for (const type of types) bytes += byteLength(type);
  return bytes;
};

/**
 * The least that training takes. Memory: the weights as they were given, the params, their gradients, the
 * optimizer's state, the logits [B, T, V] with their gradient. Disk: three checkpoints of params and state,
 * and the model twice, as safetensors and as a graph.
 */
export const trainingNeeds = (
  arch: Architecture,
  config: ModelConfig,
  { train, model }: RunOptions,
): Needs => {
  const specs = arch.params(config);
  const weights = sum(leaves<TensorType>(specs));
  const state = sum(leaves<TensorType>(optimizers[train.optimizer]({}).state(specs)));
  const logits = 2 * 4 * train.batch * model.n_positions * Number(config.vocab_size ?? 0);
  return {
    params: weights / 4,
    memoryBytes: PROGRAM + 3 * weights + state + logits,
    diskBytes: CHECKPOINTS * (weights + state) + 2 * weights,
  };
};

/** Throws MissingError where training needs more memory or room on the disk than there is. */
export const requireTraining = async (
  arch: Architecture,
  config: ModelConfig,
  options: RunOptions,
): Promise<void> => {
  const { params, memoryBytes, diskBytes } = trainingNeeds(arch, config, options);
  const what = `training ${(params / 1e6).toFixed(1)} M parameters with ${options.train.optimizer}`;
  requireMemory(what, memoryBytes, {
    hint: "use a smaller --width, --layers, --vocab or --batch, or more memory",
  });
  await requireDisk(what, diskBytes, options.out);
};
