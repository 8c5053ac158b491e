/**
 * A sweep at a width below the model's own (Yang et al. 2022, https://arxiv.org/abs/2203.03466): trials are
 * of narrow models, which take a fraction of the time, and the best trial's rate goes over to the width that
 * is wanted by `train.baseWidth`.
 */
import type { Space, Values } from "../../search/space/space.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import { trialOptions } from "./trialOptions.ts";

/** What a sweep by a narrow model is asked for. */
export interface ByProxy {
  /** The trials' width. */
  readonly width: number;
  readonly space: Space;
  /** The model that is fine-tuned, where there is one. */
  readonly ref: string | undefined;
}

const refuse = (message: string, hint: string): never => {
  throw new ConfigError(message, { field: "proxy-width", hint });
};

/**
 * The options of a sweep's trials: heads are as wide as the model's, and there are fewer. Throws ConfigError
 * for a width that is not below the model's, does not divide into such heads or is searched itself, and on a
 * model that is there.
 */
export const narrowed = (base: RunOptions, { width, space, ref }: ByProxy): RunOptions => {
  const { from, n_embd, n_head } = base.model;
  const head = n_embd / n_head;
  if (from !== "" || ref !== undefined)
    refuse("takes a fresh model", "leave out --proxy-width: a model that is there has its width");
  if (width >= n_embd) {
    refuse(`${width} is not below the model's ${n_embd}`, "name the width that is wanted with --width");
  }
  if (width % head !== 0) {
    refuse(`${width} does not divide into heads of ${head}`, `choose a multiple of ${head}, below ${n_embd}`);
  }
  const searched = ["model.n_embd", "model.n_head", "train.baseWidth"].find((field) => field in space);
  if (searched !== undefined) refuse(`stands against a search of ${searched}`, "leave out one of them");
  return { ...base, model: { ...base.model, n_embd: width, n_head: width / head } };
};

/** The options of the run that is wanted, by what trials of `width` have found. */
export const widened = (base: RunOptions, values: Values, width: number): RunOptions => {
  const options = trialOptions(base, values, base.out);
  return { ...options, train: { ...options.train, baseWidth: width } };
};
