/** What the options of a run must satisfy beyond their types. */

import { ConfigError } from "../../util/errors.ts";
import { limitsOf } from "./budget.ts";
import type { RunOptions } from "./options.ts";
import { fieldPaths } from "./schema.ts";

interface Rule {
  readonly field: string;
  readonly holds: (o: RunOptions) => boolean;
  readonly says: (o: RunOptions) => string;
  readonly hint: (o: RunOptions) => string;
}

const valueAt = (o: RunOptions, field: string): number =>
  field.split(".").reduce<unknown>((v, key) => (v as Record<string, unknown>)[key], o) as number;

const within = (field: string, range: string, ok: (value: number) => boolean): Rule => ({
  field,
  holds: (o) => valueAt(o, field) === undefined || ok(valueAt(o, field)),
  says: (o) => `${valueAt(o, field)} is not ${range}`,
  hint: () => `set ${field} to ${range}`,
});

const atLeast = (least: number, ...fields: string[]): Rule[] =>
  fields.map((field) => within(field, `at least ${least}`, (v) => v >= least));
const above0 = (...fields: string[]): Rule[] => fields.map((field) => within(field, "above 0", (v) => v > 0));

const multipleOf = (width: number, heads: number): number => Math.max(1, Math.round(width / heads)) * heads;

const relations: readonly Rule[] = [
  {
    field: "model.n_head",
    holds: ({ model }) => model.n_embd % model.n_head === 0,
    says: ({ model }) => `${model.n_embd} channels (n_embd) do not divide into ${model.n_head} heads`,
    hint: ({ model }) =>
      `set model.n_embd to a multiple of the heads, such as ${multipleOf(model.n_embd, model.n_head)}`,
  },
  {
    field: "train.warmup",
    holds: ({ train }) => train.steps === 0 || train.warmup <= train.steps,
    says: ({ train }) => `${train.warmup} steps of warm-up are more than the ${train.steps} steps of the run`,
    hint: ({ train }) =>
      `set train.warmup (--warmup) to ${train.steps} or less, or raise train.steps (--steps)`,
  },
  {
    field: "train.lrMin",
    holds: ({ train }) => train.lrPeak === 0 || train.lrMin <= train.lrPeak,
    says: ({ train }) => `${train.lrMin} is above train.lrPeak (${train.lrPeak})`,
    hint: ({ train }) =>
      `set train.lrMin (--lr-min) to ${train.lrPeak} or less, or raise train.lrPeak (--lr)`,
  },
  {
    field: "train.steps",
    holds: ({ train }) => train.steps >= 1 || (train.steps === 0 && train.epochs > 0),
    says: ({ train }) => `${train.steps} is not at least 1`,
    hint: () =>
      "set train.steps (--steps) to at least 1, or say how many epochs fine-tuning takes (--epochs)",
  },
  {
    field: "train.lrPeak",
    holds: ({ train }) => train.lrPeak > 0 || (train.lrPeak === 0 && train.epochs > 0),
    says: ({ train }) => `${train.lrPeak} is not above 0`,
    hint: () => "set train.lrPeak (--lr) to above 0",
  },
  {
    field: "tokenizer.vocab",
    holds: ({ tokenizer }) => tokenizer.kind !== "bpe" || tokenizer.vocab >= 257,
    says: ({ tokenizer }) => `${tokenizer.vocab} is too few for bpe: 256 bytes and the end of text are 257`,
    hint: () => "set tokenizer.vocab (--vocab) to 257 or more, or use --tokenizer char",
  },
  {
    field: "train.replicas",
    holds: ({ train }) => train.replicas < 1 || train.batch % train.replicas === 0,
    says: ({ train }) => `a batch of ${train.batch} does not divide among ${train.replicas} replicas`,
    hint: () => "set train.batch (--batch) to a multiple of train.replicas (--replicas)",
  },
  {
    field: "train.averageLast",
    holds: ({ train }) => train.averageLast === 0 || train.ema === 0,
    says: ({ train }) => `${train.averageLast} stands beside train.ema (${train.ema}): there is one average`,
    hint: () => "set train.averageLast (--average-last) or train.ema (--ema) to 0",
  },
  {
    field: "train.localSteps",
    holds: ({ train }) => train.localSteps === 0 || (train.ema === 0 && train.averageLast === 0),
    says: () => "has ranks whose weights differ between their meetings: no average of them is kept",
    hint: () => "set train.ema (--ema) and train.averageLast (--average-last) to 0",
  },
  {
    field: "train.zero",
    holds: ({ train }) => train.zero === 1 || (train.wire === "float32" && train.localSteps === 0),
    says: ({ train }) =>
      train.localSteps > 0
        ? `${train.zero} stands beside local steps, of which each rank keeps all gradients`
        : `${train.zero} stands beside train.wire (${train.wire}): sharded gradients travel as they are`,
    hint: () => "set train.zero (--zero) to 1",
  },
  {
    field: "train.pipeline",
    holds: ({ train: t }) =>
      !t.pipeline || (t.zero === 1 && t.localSteps === 0 && t.wire === "float32" && t.replicas <= 1),
    says: () => "has ranks that share layers, not batches: each has all gradients and state of its own",
    hint: () => "leave out --zero, --local-steps, --wire and --replicas",
  },
  {
    field: "train.localSteps",
    holds: ({ train }) => train.localSteps === 0 || train.replicas <= 1,
    says: ({ train }) => `stands beside ${train.replicas} replicas`,
    hint: () => "set train.replicas (--replicas) to 0: ranks take local steps",
  },
  {
    field: "train.overlap",
    holds: ({ train }) => train.overlap <= train.localSteps,
    says: ({ train }) => `${train.overlap} is more than train.localSteps (${train.localSteps})`,
    hint: () => "set train.overlap (--overlap) to at most the steps between two meetings (--local-steps)",
  },
  {
    field: "data.testShare",
    holds: ({ data }) => data.testShare + data.validationShare < 1,
    says: ({ data }) => `${data.testShare} and data.validationShare (${data.validationShare}) leave no text`,
    hint: () => "set data.testShare (--test-share) and data.validationShare so that they sum to below 1",
  },
  {
    field: "out",
    holds: (o) => o.out.trim() !== "",
    says: () => "is empty",
    hint: () => "name the folder of the result: --out anneal-out",
  },
];

const rules: readonly Rule[] = [
  ...atLeast(1, "model.n_layer", "model.n_head", "model.n_embd", "tokenizer.vocab", "distill.steps"),
  ...atLeast(2, "model.n_positions"),
  ...atLeast(1, "train.batch", "train.accumulate"),
  ...atLeast(0, "train.epochs", "train.evalEvery", "train.checkpointEvery"),
  within("train.warmupShare", "from 0 to 1", (v) => v >= 0 && v <= 1),
  within("task.labelSmoothing", "from 0 to below 1", (v) => v >= 0 && v < 1),
  within("task.tokenDropout", "from 0 to below 1", (v) => v >= 0 && v < 1),
  ...atLeast(0, "seed", "threads", "train.warmup", "train.lrMin", "train.weightDecay", "train.clipNorm"),
  ...atLeast(0, "data.bands", "data.rows", "data.shingle", "data.substrings", "data.temperature"),
  ...above0("data.maxEpochs"),
  within("data.likeShare", "above 0 and at most 1", (v) => v > 0 && v <= 1),
  ...atLeast(0, "train.clipValue", "train.patience", "train.replicas", "distill.layers", "distill.lrPeak"),
  ...atLeast(0, "train.baseWidth", "train.freezeLayers", "train.lossRows", "adapter.rank", "adapter.alpha"),
  within("train.ema", "0, or above 0 and below 1", (v) => v >= 0 && v < 1),
  ...atLeast(0, "train.averageLast", "train.localSteps", "train.overlap", "task.linearTeacher"),
  ...above0("train.outerLr"),
  within("train.zero", "1 or 2", (v) => v === 1 || v === 2),
  within("train.outerMomentum", "from 0 to below 1", (v) => v >= 0 && v < 1),
  within("train.layerDecay", "above 0 and at most 1", (v) => v > 0 && v <= 1),
  within("adapter.dropout", "from 0 to below 1", (v) => v >= 0 && v < 1),
  within("adapter.baseBits", "32, 8 or 4", (v) => [32, 8, 4].includes(v)),
  ...atLeast(0, "search.trials", "search.timeSec"),
  ...atLeast(0, "budget.maxMb", "budget.maxMs", "budget.maxLoss", "budget.minQuality"),
  ...above0("distill.temperature"),
  within("data.validationShare", "above 0 and below 1", (v) => v > 0 && v < 1),
  within("data.testShare", "from 0 to below 1", (v) => v >= 0 && v < 1),
  within("model.dropout", "from 0 to below 1", (v) => v >= 0 && v < 1),
  within("distill.alpha", "from 0 to 1", (v) => v >= 0 && v <= 1),
  ...relations,
];

const unknownRule = rules.find(({ field }) => !fieldPaths.includes(field));
if (unknownRule !== undefined) throw new Error(`a rule names no field: ${unknownRule.field}`);

/** Returns `options` if they can be run. Throws ConfigError naming the field and what to do. */
export const checkOptions = (options: RunOptions): RunOptions => {
  const broken = rules.find((rule) => !rule.holds(options));
  if (broken === undefined) {
    limitsOf(options.budget);
    return options;
  }
  throw new ConfigError(broken.says(options), { field: broken.field, hint: broken.hint(options) });
};

/** Throws ConfigError for a student of more layers than its teacher has. */
export const checkStudent = ({ distill }: RunOptions, layers: number): void => {
  if (distill.layers <= layers) return;
  throw new ConfigError(`a student of ${distill.layers} layers is deeper than its teacher of ${layers}`, {
    field: "distill.layers",
    hint: `set distill.layers (--distill-layers) to ${layers} or less; 0 keeps half`,
  });
};
