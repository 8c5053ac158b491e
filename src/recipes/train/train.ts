/** Training alone: text in, a model's folder out. */
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import { writeFolder } from "../../node/files/checkpoints.ts";
import { trainedCard } from "../../report/run/sourceCard.ts";
import { type AllForms, formsOf } from "../../search/candidates/candidate.ts";
import { generationIn, jsonBytes } from "../../ship/onnx/files.ts";
import { modelFolder } from "../../ship/onnx/modelFolder.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { calibrationOf } from "../model/calibration.ts";
import { writeAdapter } from "./adapterFolder.ts";
import { type Gain, gainOf, gainText } from "./gain.ts";
import { type Pretrained, trainFromText } from "./pretrain.ts";
import { isFirst, takePlace } from "./ranks.ts";

/** The trained model's folder, and how the run ended. */
export interface Trained {
  readonly path: string;
  readonly steps: number;
  readonly ended: string;
  /** Held-out loss, nats per token. */
  readonly valLoss?: number;
  /** Whether it writes text. */
  readonly generates: boolean;
  /** The trained adapter's folder, and what is left of its gain in what is shipped. */
  readonly adapter?: string;
  readonly gain?: Gain;
}

/**
 * Writes OUT/adapter where adapters were trained, and measures what merging and rounding leave of their
 * gain.
 */
const shipAdapter = async (
  options: RunOptions,
  { command, ui }: RecipeHooks,
  made: { readonly engine: Engine; readonly trained: Pretrained; readonly forms: AllForms },
): Promise<Pick<Trained, "adapter" | "gain">> => {
  const { method, trained, lesson } = made.trained;
  if (method.adapter === undefined) return {};
  const adapter = join(options.out, "adapter");
  await writeAdapter(adapter, method, trained, { options, command });
  const gain = await gainOf(made.engine, {
    ...{ base: method.adapter.base, tuned: method.adapter.unmerged(trained), forms: made.forms },
    ...{ windows: lesson.heldOut.windows, objective: lesson.objective },
  });
  ui.line(gainText(gain));
  return { adapter, gain };
};

/** Trains a model and writes OUT/model; undefined when interrupted, and on ranks after the first. */
export const trainModel = async (given: RunOptions, hooks: RecipeHooks): Promise<Trained | undefined> => {
  const { options, checkpoints, release } = await takePlace(given, hooks);
  try {
    const { engine, data, trained, source } = await trainFromText(options, { ...hooks, checkpoints });
    const { model, ended, steps, valLoss } = trained;
    if (ended === "interrupted" || !isFirst(hooks)) return undefined;
    const forms = await formsOf(model, {
      engine,
      seed: options.seed,
      calibration: calibrationOf(data.tokenizer),
      log: () => {},
    });
    const tokenizer = data.tokenizer.files();
    const carried = source === undefined ? {} : { source };
    const files = modelFolder(model, {
      dtype: "fp32",
      tokenizer,
      eos: data.tokenizer.eos,
      forms,
      ...carried,
    });
    const said = { steps, generation: generationIn(files), source: source?.card, valLoss };
    const card = trainedCard(model, said);
    files.set("README.md", [new TextEncoder().encode(card)]);
    const made = {
      version,
      command: hooks.command,
      recipe: options,
      history: model.history,
    };
    files.set("anneal.json", [jsonBytes(made)]);
    const path = join(options.out, "model");
    await writeFolder(path, files);
    const generates = model.arch.kind !== "encoder";
    const adapter = await shipAdapter(options, hooks, { engine, trained, forms });
    return { path, steps, ended, generates, ...adapter, ...(valLoss === undefined ? {} : { valLoss }) };
  } finally {
    await release();
  }
};
