/** How a checkpoint is tuned: which of its weights train, and what is shipped of what was trained. */
import type { Json, Model } from "../../models/model.ts";
import type { RunOptions } from "../config/options.ts";
import { freezing } from "../train/freeze.ts";

/** One way to tune a model; all that the recipe knows of it. */
export interface Method {
  /** "full" */
  readonly name: string;
  /** What is told of it in the model's history. */
  readonly options: Json;
  /** The model that trains: with adapters on its matrices, say. */
  readonly model: Model;
  /** Weights of it that stay as they are, by dotted path. */
  frozen(path: string): boolean;
  /** The model that is measured and shipped: with its adapters merged, say. */
  finish(trained: Model): Model | Promise<Model>;
}

/** All weights train but for those that the options freeze. */
const full = (model: Model, { train }: RunOptions): Method => ({
  name: "full",
  options: { freeze: train.freeze },
  model,
  frozen: freezing(train.freeze, model.weights),
  finish: (trained) => trained,
});

/** The method that the options name. Throws ConfigError for a pattern that names no weight. */
export const methodOf = (model: Model, options: RunOptions): Method => full(model, options);
