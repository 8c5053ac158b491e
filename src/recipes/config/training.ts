/** The options of training. */
import type { OptimizerName } from "../../optim/index.ts";
import type { ScheduleOptions } from "../../optim/schedule.ts";
import type { Wire } from "../../train/ranks/wire.ts";

/** How a model is trained. */
export interface TrainingOptions {
  /** Updates in all; 0: as many as the epochs take. */
  readonly steps: number;
  /** Times that each example is seen, where `steps` does not say how long. */
  readonly epochs: number;
  readonly batch: number;
  readonly accumulate: number;
  /** Texts that go through the model at once where a batch is of sentence embeddings; 0: all of it. */
  readonly chunk: number;
  /** Threads that each take an equal share of a batch; 0: as many as pay. */
  readonly replicas: number;
  /** The stage of ZeRO among ranks: 1 shards the optimizer's state, 2 gradients too. */
  readonly zero: number;
  /** Whether ranks share the layers of the model instead of the batches. */
  readonly pipeline: boolean;
  /** Steps that ranks take by themselves before they meet; 0: they meet in each. */
  readonly localSteps: number;
  /** Of those, steps that are taken while what ranks give each other where they meet travels. */
  readonly overlap: number;
  /** Learning rate and momentum by which ranks that meet go on. */
  readonly outerLr: number;
  readonly outerMomentum: number;
  /** How numbers travel between ranks. */
  readonly wire: Wire;
  readonly optimizer: OptimizerName;
  /** 0: by the width of the model (fine-tuning). */
  readonly lrPeak: number;
  /** Width that the rate was found at, where that is not the model's; 0: the model's. */
  readonly baseWidth: number;
  readonly lrMin: number;
  readonly warmup: number;
  /** Share of the updates that are warm-up, where `warmup` says none. */
  readonly warmupShare: number;
  readonly schedule: ScheduleOptions["kind"];
  readonly weightDecay: number;
  /** Masked language modelling: whether whole words are masked. */
  readonly wholeWords: boolean;
  /** Weights that stay as they are: dotted paths, where * stands for anything. */
  readonly freeze: readonly string[];
  /** The first layers that stay as they are, with the embeddings below them; 0: none. */
  readonly freezeLayers: number;
  readonly freezeEmbeddings: boolean;
  /** Factor on the learning rate from each layer to the one below. */
  readonly layerDecay: number;
  /** Whether activations within layers are computed again in the backward pass, and not kept for it. */
  readonly recompute: boolean;
  /** Rows of a language model's logits that are there at once; 0: all. */
  readonly lossRows: number;
  /** Decay of a moving average of the weights, which is then what is measured and kept; 0: none. */
  readonly ema: number;
  /** The same of the mean of the weights at so many of the last checkpoints; 0: none. */
  readonly averageLast: number;
  /** 0: no clipping. */
  readonly clipNorm: number;
  readonly clipValue: number;
  /** 0: at the end; in fine-tuning at the end of each epoch. */
  readonly evalEvery: number;
  readonly checkpointEvery: number;
  /** 0: no early stopping. */
  readonly patience: number;
  readonly onNan: "stop" | "skip";
}
