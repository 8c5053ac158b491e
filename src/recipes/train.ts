/** Training alone: text in, a model's folder out. */
import { join } from "node:path";
import type { Json } from "../models/model.ts";
import { nodeEngine } from "../node/engine.ts";
import { lockRun, writeFolder } from "../node/store.ts";
import { bundle, jsonBytes } from "../ship/bundle.ts";
import { corpus, heldOut } from "./corpus.ts";
import { formsOf } from "./optimize.ts";
import type { RunOptions } from "./options.ts";
import { pretrain } from "./pretrain.ts";
import type { RecipeHooks } from "./quickstart.ts";
import { version } from "./version.ts";

export interface Trained {
  readonly path: string;
  readonly steps: number;
  readonly ended: string;
  /** Held-out loss, nats per token. */
  readonly valLoss?: number;
}

/** Trains a model and writes OUT/model; undefined when interrupted. */
export const trainModel = async (options: RunOptions, hooks: RecipeHooks): Promise<Trained | undefined> => {
  const { ui, signal, resume, command } = hooks;
  const unlock = await lockRun(join(options.out, "run"));
  try {
    const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
    ui.stage("Reading and cleaning text");
    const data = await corpus(options, ui);
    ui.stage("Training");
    const { windows } = heldOut(data, options.train.batch, options.model.n_positions, 16_384);
    const extra = {
      ...(resume === undefined ? {} : { resume }),
      ...(signal === undefined ? {} : { signal }),
    };
    const { model, ended, steps, valLoss } = await pretrain(engine, data, options, { windows, ...extra }, ui);
    if (ended === "interrupted") return undefined;
    const { forms } = await formsOf("full", model, { engine, seed: options.seed, log: () => {} });
    const tokenizer = data.tokenizer.files();
    const files = bundle(model, { dtype: "fp32", tokenizer, eos: data.tokenizer.eos, forms });
    const made = { version, command, recipe: options, history: model.history } as unknown as Json;
    files.set("anneal.json", [jsonBytes(made)]);
    const path = join(options.out, "model");
    await writeFolder(path, files);
    return { path, steps, ended, ...(valLoss === undefined ? {} : { valLoss }) };
  } finally {
    await unlock();
  }
};
