/**
 * Optimizing where no model is there: one is trained from the data first. Running text makes a decoder;
 * labelled texts an encoder that learns from the texts alone to fill in what is masked, then their labels.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { listInputs } from "../../node/read/read.ts";
import { ConfigError } from "../../util/errors.ts";
import { finetuneDefaults, type RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { finetune } from "../finetune/finetune.ts";
import { quickstart } from "../quickstart.ts";
import { trainModel } from "../train/train.ts";
import type { Outcome } from "./compressAndShip.ts";
import { optimizeFolder } from "./optimize.ts";

/** Sizes of fresh encoders, from the smallest: for texts of so many bytes, at most. */
const sizes = [
  { bytes: 5e6, n_layer: 2, n_embd: 64, n_head: 4 },
  { bytes: 5e7, n_layer: 4, n_embd: 128, n_head: 4 },
  { bytes: Number.POSITIVE_INFINITY, n_layer: 6, n_embd: 256, n_head: 8 },
] as const;

const VOCAB = 8000;
/** Bytes that a number takes in 8 bits, with its scale and what stays float32. */
const BYTES = 1.2;

/** The encoder that the texts and a limit on size allow. */
const sizeFor = (bytes: number, maxMb: number | undefined) => {
  const fits = ({ n_layer, n_embd }: (typeof sizes)[number]): boolean =>
    maxMb === undefined || (BYTES * (VOCAB * n_embd + 12 * n_layer * n_embd ** 2)) / 1e6 <= maxMb;
  const { bytes: _, ...size } =
    sizes.filter((each) => each === sizes[0] || fits(each)).find((each) => bytes <= each.bytes) ?? sizes[0];
  return size;
};

/** The column of the texts, where a table's first row is none of names. */
const textField = ({ field, columns }: RunOptions["data"]): Pick<RunOptions["data"], "field"> => {
  if (columns.length === 0) return field === undefined ? {} : { field };
  const at = columns.findIndex((name) => name === (field ?? "text"));
  return { field: `#${Math.max(0, at) + 1}` };
};

/** How a fresh encoder learns to fill in masked tokens: what bench finetune does. */
const bodyOptions = (options: RunOptions, bytes: number): RunOptions => {
  const { data, model, train: t, tokenizer, out, budget } = options;
  const shape = { ...sizeFor(bytes, budget.maxMb), family: "bert", n_positions: 64 } as const;
  return {
    ...options,
    out: join(out, "body"),
    task: { ...options.task, name: "" },
    // Labelled texts are short: what is meant for pages would leave out most.
    data: { ...data, ...textField(data), columns: [], rules: ["none"], near: "off", lines: "off" },
    tokenizer: { ...tokenizer, vocab: VOCAB },
    model: { ...model, ...shape },
    train: {
      ...{ ...t, batch: 32, steps: 1000, epochs: 0, optimizer: "adamw", lrPeak: 2e-3, lrMin: 0 },
      ...{ schedule: "linear", evalEvery: 250, checkpointEvery: 250 },
    },
  };
};

/** How it learns the labels: dropout and hidden tokens, since a small set is soon known by heart. */
const tunedOptions = (options: RunOptions): RunOptions => {
  const { data, model, task, out } = options;
  const usual = finetuneDefaults.train;
  return {
    ...options,
    out: join(out, "tuned"),
    data: { ...data, validationShare: Math.max(data.validationShare, 0.1) },
    model: { ...model, dropout: model.dropout ?? 0.3 },
    task: { ...task, tokenDropout: task.tokenDropout > 0 ? task.tokenDropout : 0.15 },
    train: { ...usual, epochs: 7, batch: 32, lrPeak: 1e-3, ema: 0.998 },
  };
};

/** The folder of a step that has ended; undefined where it was interrupted. */
const step = async (
  name: string,
  out: string,
  hooks: RecipeHooks,
  run: (hooks: RecipeHooks) => Promise<{ readonly path: string } | undefined>,
): Promise<string | undefined> => {
  const path = join(out, "model");
  if (hooks.resume && existsSync(path)) {
    hooks.ui.line(`${name} is there: ${path}`);
    return path;
  }
  const resume = (hooks.resume ?? false) && existsSync(join(out, "run", "checkpoints", "latest"));
  return (await run({ ...hooks, resume }))?.path;
};

const classifier = async (options: RunOptions, hooks: RecipeHooks): Promise<Outcome | undefined> => {
  const startedMs = performance.now();
  const files = await listInputs(options.data.paths);
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const body = bodyOptions(options, bytes);
  const from = await step("the body", body.out, hooks, (own) => trainModel(body, own));
  if (from === undefined) return undefined;
  const tuning = tunedOptions(options);
  const tuned = await step("the classifier", tuning.out, hooks, (own) => finetune(from, tuning, own));
  return tuned === undefined ? undefined : optimizeFolder(tuned, options, hooks, startedMs);
};

/**
 * From data alone to the best model that the budget allows, shipped to OUT/model; what was trained on the way
 * stays in OUT. Undefined where it was interrupted. Throws ConfigError for a task that begins with a model.
 */
export const optimizeData = (options: RunOptions, hooks: RecipeHooks): Promise<Outcome | undefined> => {
  const { name } = options.task;
  if (name === "") return quickstart(options, hooks);
  if (name === "sequence-classification") return classifier(options, hooks);
  throw new ConfigError(`${name} begins with a model`, {
    field: "task.name",
    hint: "name one: npx anneal finetune MODEL --data ..., then npx anneal optimize TUNED --data ...",
  });
};
