/** What training starts from: a fresh model of the options' shape, or a checkpoint. */
import { withDropout } from "../../models/dropoutRates.ts";
import type { Architecture, Model, ModelConfig } from "../../models/model.ts";
import { requireFinite } from "../../nn/finite.ts";
import { initialize } from "../../nn/param.ts";
import { openModel } from "../../node/hub/hub.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { classWithoutHead } from "../model/bareBody.ts";
import { type Source, sourceIn } from "../model/source.ts";
import { families } from "./families.ts";

/** A fresh model's architecture and config, without its weights. */
export const freshShape = (
  { model }: RunOptions,
  vocab_size: number,
  { eos = 0, specials = {} }: Partial<Pick<Tokenizer, "eos" | "specials">> = {},
): [Architecture, ModelConfig] =>
  families[model.family].shape({ ...model, dropout: model.dropout ?? 0, vocab_size, eos, specials });

/** A fresh model of the options' shape. */
export const newModel = (options: RunOptions, tokenizer: Tokenizer): Model => {
  const { seed } = options;
  const [arch, config] = freshShape(options, tokenizer.vocabSize, tokenizer);
  const weights = initialize(arch.params(config), seed);
  return { arch, config, weights, history: [] };
};

/** The options of a run, and the checkpoint that it begins with. */
export interface Start {
  /** Options with the context that the model takes. */
  readonly options: RunOptions;
  /** The checkpoint that `model.from` names. */
  readonly from?: { readonly model: Model; readonly tokenizer: Tokenizer; readonly source: Source };
}

/** Loads what the options start from. Throws as `openModel` and `taskOf` do. */
export const startOf = async (options: RunOptions, { hub, ui }: RecipeHooks): Promise<Start> => {
  const { from, adapters } = options.model;
  if (from === "") return { options };
  ui.stage("Loading the checkpoint");
  const { model, tokenizer, dir } = await openModel(from, { ...hub, adapters });
  requireFinite(model.weights, dir);
  // Refused before anything is read.
  if (taskOf(model).taught === true) {
    const named = classWithoutHead(model);
    const said = named === undefined ? "" : ` (config.json names ${named}, whose head the weights lack)`;
    const whole = Object.entries(model.arch.classes).filter(([head]) => head !== "features");
    const choose = named ?? whole[0]?.[1] ?? "a class with a head";
    throw new ConfigError(`is ${model.config.architectures[0]}, which has no head to train${said}`, {
      file: dir,
      field: "architectures",
      hint: `anneal optimize makes smaller models of it; to train it, choose a checkpoint of ${choose}`,
    });
  }
  const source = await sourceIn(dir, from);
  const { dropout } = options.model;
  const { positions } = model.arch.cache(model.config);
  const n_positions = Math.min(positions, options.model.n_positions);
  return {
    options: { ...options, model: { ...options.model, n_positions } },
    from: { model: dropout === undefined ? model : withDropout(model, dropout), tokenizer, source },
  };
};
