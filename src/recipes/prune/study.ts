/** A pruning under way: the model, what reads the text, and what is measured on it. */
import { gzipSync } from "node:zlib";
import { channelsOf } from "../../compress/pruning/channels.ts";
import { unitsOf } from "../../compress/pruning/units.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { countParams, denseTensors } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { taskOf } from "../../tasks/index.ts";
import { meanOf, watchedScorer } from "../../tasks/scores.ts";
import type { Material, Scorer, Task } from "../../tasks/task.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { asGiven } from "../data/asGiven.ts";
import { userData } from "../data/read.ts";
import { trainingBatches } from "../data/windows.ts";
import { type Cuttable, readingData, type WithData } from "../model/cut.ts";
import { PRUNE_TOKENS, type PrunedForm, type PruneFolderOptions } from "./options.ts";

/** The model, its text, and what measures it. */
export interface Study extends WithData {
  readonly engine: Engine;
  readonly task: Task;
  readonly run: RunOptions;
  readonly hooks: RecipeHooks;
}

/** Tokens that layers are chosen by. */
const CHOOSING = 4096;
/** Longest window, tokens. */
const WINDOW = 128;
/** Records that layers are chosen by. */
const EXAMPLES = 256;

/** The text, and the model that reads it. Throws as `readingData` does. */
export const studied = async (
  whole: Cuttable,
  { cutVocab }: PruneFolderOptions,
  run: RunOptions,
  hooks: RecipeHooks,
): Promise<Study> => {
  const task = taskOf(whole.model);
  const engine = await nodeEngine(run.threads > 0 ? { threads: run.threads } : {});
  const found = await readingData(whole, { cutVocab, hooks }, (given, told) =>
    userData(asGiven(run), told, { task, ...given }),
  );
  return { ...found, engine, task, run, hooks };
};

/** What models are scored by, on the held-out part of some material; `onBatch` is told how far it is. */
export const scorerOn = async (
  { engine, task }: Study,
  { model, tokenizer }: Cuttable,
  material: Material,
  { seed, tokens, onBatch }: ScorerOptions,
): Promise<Scorer> => {
  const context = Math.max(1, Math.min(WINDOW, model.arch.cache(model.config).positions - 1));
  const how = { model, tokenizer, batch: 4, context, seed, heldOutTokens: tokens };
  const heldOut = task.heldOut(material, how);
  const score = await watchedScorer(task, engine, heldOut, model);
  return (given) => score(given, onBatch);
};

/** What models are scored on. */
export interface ScorerOptions {
  readonly seed: number;
  /** Held-out tokens at most. */
  readonly tokens: number;
  readonly onBatch?: (done: number, of: number) => void;
}

/** The training part alone, as what layers are chosen by: what is held out stays unseen. */
const unseen = (material: Material): Material => {
  if (material.kind === "text") {
    const { train } = material;
    const some = Uint32Array.from(train.subarray(0, Math.min(train.length, CHOOSING)));
    return { ...material, validation: some };
  }
  if (material.kind === "pairs") return { ...material, validation: material.train.slice(0, EXAMPLES) };
  return { ...material, validation: material.train.slice(0, EXAMPLES) };
};

/** What a model costs on text that is not held out: less is better. */
export const costOn = async (study: Study): Promise<(model: Model) => Promise<number>> => {
  const { data, run, task, hooks } = study;
  const score = await scorerOn(study, study, unseen(data.material), { seed: run.seed, tokens: CHOOSING });
  const sign = task.criterion.better === "less" ? 1 : -1;
  return async (model) => {
    hooks.signal?.throwIfAborted();
    return sign * meanOf(await score(model));
  };
};

/** Token ids of the training part, [B, T] int32 of one shape. */
export const calibrationIn = (
  { model, data, run }: Study,
  { tokens = PRUNE_TOKENS }: Pick<PruneFolderOptions, "tokens">,
): Tensor[] => trainingBatches(model, data.material, { tokens, seed: run.seed });

/** Share of a model's numbers that are 0, and the bytes that gzip makes of its weights. */
const packedSizes = ({ weights }: Model): PrunedForm["packed"] & {} => {
  let [zeros, count, gzipBytes] = [0, 0, 0];
  for (const [, { data }] of denseTensors(weights)) {
    for (let i = 0; i < data.length; i++) if (data[i] === 0) zeros++;
    count += data.length;
    gzipBytes += gzipSync(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).length;
  }
  return { zeros: zeros / count, gzipBytes };
};

/** The sizes of a model, also as it is packed where that is asked for, and what it scores. */
export const formOf = (model: Model, scores: Float32Array, packs: boolean): PrunedForm => {
  const { heads, hidden } = model.arch.widths;
  return {
    params: countParams(model.weights),
    tokens: model.config.vocab_size,
    layers: model.arch.cache(model.config).layers,
    ...(hidden === undefined ? {} : { width: channelsOf(model) }),
    neurons: unitsOf(model, "neurons")[0]!.count,
    ...(heads === undefined ? {} : { heads: Number((model.config as Record<string, number>)[heads.heads]) }),
    ...(packs ? { packed: packedSizes(model) } : {}),
    score: meanOf(scores),
  };
};
