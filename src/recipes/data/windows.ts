/** Windows of text that a model's numbers are looked at on. */
import { calibrationBatches } from "../../compress/calibration/batches.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Material } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { rng } from "../../util/rng.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { calibrationOf } from "../model/calibration.ts";
import { asGiven } from "./asGiven.ts";
import { userData } from "./read.ts";

/** Longest window, tokens. */
const WINDOW = 128;

/** Windows of token ids: of running text at places that a seed draws, else the records' own. */
export const windowsOf = (
  material: Material,
  { length, tokens, seed }: { readonly length: number; readonly tokens: number; readonly seed: number },
): number[][] => {
  if (material.kind === "pairs") return material.train.map(({ source }) => Array.from(source));
  if (material.kind === "examples") return material.train.map(({ parts }) => Array.from(parts.ids ?? []));
  const { train } = material;
  if (train.length <= tokens) return [Array.from(train.subarray(0, train.length))];
  const random = rng(seed, "calibration");
  return Array.from({ length: Math.ceil(tokens / length) }, () => {
    const start = random.int(train.length - length + 1);
    return Array.from(train.subarray(start, start + length));
  });
};

/** Tokens of the user's text that show how far the inputs of 8-bit products go. */
const LOOKED_AT = 3584;

/**
 * What a model's numbers are looked at on: the user's text, since a few hundred tokens do not show how far
 * numbers go, then texts of several kinds.
 */
export const lookedAt = (
  { tokenizer, material }: { readonly tokenizer: Tokenizer; readonly material: Material },
  seed: number,
  tokens = LOOKED_AT,
): number[][] => {
  const own = windowsOf(material, { length: WINDOW, tokens, seed });
  let left = tokens;
  const cut = own.map((ids) => {
    const taken = ids.slice(0, Math.max(0, left));
    left -= ids.length;
    return taken;
  });
  return [...cut.filter(({ length }) => length > 0), ...calibrationOf(tokenizer)];
};

/** Tokens of a window that a model can read at most. */
const lengthFor = ({ arch, config }: Model): number =>
  Math.max(1, Math.min(WINDOW, arch.cache(config).positions - 1));

/** Token ids of the training part as a model is fitted on them, [B, T] int32 of one shape. */
export const trainingBatches = (
  model: Model,
  material: Material,
  { tokens, seed }: { readonly tokens: number; readonly seed: number },
): Tensor[] => {
  const texts = windowsOf(material, { length: lengthFor(model), tokens, seed });
  return calibrationBatches(model, texts, tokens);
};

/** Text that shows what layers read. */
export interface CalibrationText {
  /** Whose `data` is read; the default text where it names none. */
  readonly run: RunOptions;
  /** Tokens that are read at most. */
  readonly tokens?: number;
}

/** Text as a model reads it. */
export interface ReadText {
  readonly material: Material;
  /** Windows of token ids. */
  readonly texts: readonly (readonly number[])[];
  /** Tokens of a window at most. */
  readonly length: number;
  /** Whether the model's task can be measured on it. */
  readonly own: boolean;
}

/** Reads the user's text, else the default corpus, as a model's tokenizer has it. Throws as `userData`. */
export const readText = async (
  { model, tokenizer }: { readonly model: Model; readonly tokenizer: Tokenizer },
  run: RunOptions,
  { tokens, hooks }: { readonly tokens: number; readonly hooks: RecipeHooks },
): Promise<ReadText> => {
  const task = taskOf(model);
  const own = task.reads.includes("text") || run.data.paths.length > 0;
  const asked = own ? task : { reads: ["text"] as const };
  // Records are cut to what the model can read.
  const n_positions = Math.min(run.model.n_positions, model.arch.cache(model.config).positions);
  const fitted = asGiven({ ...run, model: { ...run.model, n_positions } });
  const { material } = await userData(fitted, hooks, { task: asked, tokenizer, model });
  const length = lengthFor(model);
  return { material, texts: windowsOf(material, { length, tokens, seed: run.seed }), length, own };
};
