/** What training takes of memory and disk, by a formula of the model, its optimizer and its batch. */
import { maskedCount } from "../../data/batch/masking.ts";
import { byteLength, type TensorType } from "../../ir/tensor.ts";
import { isInner } from "../../models/linears.ts";
import type { Architecture, Model, ModelConfig } from "../../models/model.ts";
import { requireDisk, requireMemory } from "../../node/runtime/resources.ts";
import { optimizers } from "../../optim/index.ts";
import { stepMemory } from "../../train/memory.ts";
import { flatten, leaves, type Tree } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";

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

/** What is known of the rows of a batch: as the options say unless told. */
export interface Rows {
  /** Tokens of the longest row. */
  readonly context?: number;
  /** Rows that the language-model head reads. */
  readonly headRows?: number;
  /** Ranks among which the layers are shared out. */
  readonly stages?: number;
}

const bytesOf = (types: Iterable<TensorType>): number => {
  let bytes = 0;
  for (const type of types) bytes += byteLength(type);
  return bytes;
};

/** The types of what trains at least: adapters on inner matrices, nothing where some weights are frozen. */
const trainedTypes = (
  arch: Architecture,
  config: ModelConfig,
  { adapter, train }: RunOptions,
): Tree<TensorType> => {
  const specs = arch.params(config) as Tree<TensorType>;
  if (adapter.rank > 0) {
    const shapes = flatten<TensorType>(specs);
    const inner = adapter.targets.length > 0 ? [] : arch.linears(config).filter(isInner);
    return inner.map(({ path }) => {
      const [a, b] = shapes.get(path)!.shape as readonly number[];
      return { dtype: "float32" as const, shape: [adapter.rank, a! + b!] };
    });
  }
  const partly = train.freeze.length > 0 || train.freezeLayers > 0 || train.freezeEmbeddings;
  return partly ? [] : specs;
};

/**
 * The least that training takes. Memory: a step at its peak (see train/memory.ts), and the best weights so
 * far beside it. Disk: three checkpoints of params and state, and the model twice, as safetensors and as a
 * graph.
 */
export const trainingNeeds = (
  arch: Architecture,
  config: ModelConfig,
  options: RunOptions,
  { stages = 1, ...rows }: Rows = {},
): Needs => {
  const { train, model } = options;
  const weights = bytesOf(leaves<TensorType>(arch.params(config)));
  const trained = trainedTypes(arch, config, options);
  const { batch } = train;
  const context = rows.context ?? model.n_positions;
  const masked = arch.kind === "encoder" ? { headRows: batch * maskedCount(context) } : {};
  const optimizer = optimizers[train.optimizer]({});
  const state = bytesOf(leaves<TensorType>(optimizer.state(trained)));
  const kept = bytesOf(leaves<TensorType>(trained));
  const step = stepMemory(arch, config, {
    ...{ batch, context, accumulate: train.accumulate, recompute: train.recompute, optimizer, trained },
    ...{ ...masked, ...rows },
    ...(train.lossRows > 0 ? { lossRows: train.lossRows } : {}),
  });
  // A rank begins with all weights; the first of a pipeline keeps activations of as many micro-batches as
  // there are ranks, each of its own layers.
  const passing = step.activations + step.head;
  const held = (step.total - passing + kept) / stages;
  return {
    params: weights / 4,
    memoryBytes: PROGRAM + (stages > 1 ? Math.max(weights, held + passing) : held + passing),
    diskBytes: CHECKPOINTS * (kept + state) + 2 * weights,
  };
};

/** Among how many ranks a run's layers are shared out. */
export const stagesOf = (
  { train }: RunOptions,
  { ranks }: Pick<RecipeHooks, "ranks">,
): Pick<Rows, "stages"> => ({ stages: train.pipeline ? (ranks?.collective.size ?? 1) : 1 });

/**
 * Throws MissingError where training on rows such as these needs more memory or room on the disk than there
 * is.
 */
export const requireTraining = async (
  { arch, config }: Pick<Model, "arch" | "config">,
  options: RunOptions,
  rows: Rows = {},
): Promise<void> => {
  const { params, memoryBytes, diskBytes } = trainingNeeds(arch, config, options, rows);
  const what = `training ${(params / 1e6).toFixed(1)} M parameters with ${options.train.optimizer}`;
  requireMemory(what, memoryBytes, {
    hint: "use a smaller --width, --layers, --vocab or --batch, --recompute, --loss-rows, or more memory",
  });
  await requireDisk(what, diskBytes, options.out);
};
