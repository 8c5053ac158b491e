/** From a model's folder to a smaller one: fewer tokens, fewer layers, taught again by the whole model. */
import { chooseLayers } from "../../compress/chooseLayers.ts";
import { distill } from "../../compress/index.ts";
import { derived } from "../../compress/pass.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { taskOf } from "../../tasks/index.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { Material, Scorer, Task } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { asGiven } from "../data/asGiven.ts";
import { userData } from "../data/read.ts";
import { type Exported, openExport, writeExport } from "../export/export.ts";
import { type Cuttable, readingData, type WithData } from "../model/cut.ts";
import { lessonOf, teaching } from "../optimize/teaching.ts";
import { onReplicas } from "../train/replicas.ts";
import { pruneSection } from "./card.ts";
import { type PrunedForm, type PruneFolderOptions, type PruneReport, requireCut } from "./options.ts";

/** The pruned folder. */
export interface PrunedFolder extends Exported, PruneReport {
  readonly seconds: number;
}

/** Tokens that layers are chosen by, and that models are measured on. */
const [CHOOSING, MEASURING] = [4096, 16_384];
/** Longest window, tokens. */
const WINDOW = 128;
/** Records that layers are chosen by. */
const EXAMPLES = 256;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

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

/** A pruning under way: what reads the text, what is measured on it. */
interface Study extends WithData {
  readonly engine: Engine;
  readonly task: Task;
  readonly run: RunOptions;
  readonly hooks: RecipeHooks;
}

/** The text, and the model that reads it. */
const studied = async (
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

/** What models are scored by, on the held-out part of some material. */
const scorerOn = (
  { engine, task }: Study,
  { model, tokenizer }: Cuttable,
  material: Material,
  { seed, tokens }: { readonly seed: number; readonly tokens: number },
): Promise<Scorer> => {
  const context = Math.max(1, Math.min(WINDOW, model.arch.cache(model.config).positions - 1));
  const how = { model, tokenizer, batch: 4, context, seed, heldOutTokens: tokens };
  return task.scorer(engine, task.heldOut(material, how), model);
};

/** The layers that stay, by what the absence of each costs on text that is not held out. */
const layersOf = async (study: Study, keep: number): Promise<number[]> => {
  const { model, data, run, task, hooks } = study;
  const score = await scorerOn(study, study, unseen(data.material), { seed: run.seed, tokens: CHOOSING });
  const sign = task.criterion.better === "less" ? 1 : -1;
  const progress = hooks.ui.task("choosing layers", 0);
  const cost = async (each: Model): Promise<number> => {
    hooks.signal?.throwIfAborted();
    return sign * meanOf(await score(each));
  };
  const onMeasured = (done: number, of: number) => progress.update(done, { of });
  const kept = await chooseLayers(model, { keep, cost, onMeasured });
  progress.done(`layers that stay: ${kept.join(", ")}`);
  return kept;
};

/** The model with the layers `kept`. */
const withLayers = (model: Model, kept: readonly number[]): Model => {
  const { arch, config, weights } = model;
  const pass = { name: "dropLayers", options: { kept: [...kept] } };
  return derived(model, pass, arch.keepLayers(config, weights, kept));
};

/** The cut model taught by the one that it was cut out of. */
const recovered = async (cut: Model, { engine, model, data, run, hooks }: Study): Promise<Model> => {
  const lesson = lessonOf(cut, data, run);
  const { steps } = run.distill;
  const progress = hooks.ui.task("recovering", steps);
  const { alpha, temperature, ...train } = teaching(run, lesson, hooks.signal);
  const how = { alpha, temperature };
  const pass = distill({
    ...{ teacher: model, source: lesson.source, said: how },
    teaching: taskOf(cut).teaching(lesson, how, model),
    train: {
      ...train,
      ...onReplicas(run.train, cut, engine),
      onRow: ({ step, loss }) => progress.update(step, defined({ loss: loss?.toFixed(3) })),
    },
  });
  const made = await pass.run(cut, { engine, seed: run.seed, log: (line) => hooks.ui.line(line) });
  progress.done(`recovered in ${steps} updates`);
  return made;
};

/** The sizes of a model, and what it scores. */
const formOf = (model: Model, scores: Float32Array): PrunedForm => ({
  params: countParams(model.weights),
  tokens: model.config.vocab_size,
  layers: model.arch.cache(model.config).layers,
  score: meanOf(scores),
});

/** Cuts and teaches; what each state of the model scores, each by its own tokens of the same text. */
const pruned = async (
  study: Study,
  { layers, recover = 0 }: PruneFolderOptions,
): Promise<{ readonly made: Model; readonly report: PruneReport }> => {
  const { model: start, run, task, whole = study } = study;
  const how = { seed: run.seed + 1, tokens: MEASURING };
  const scores = await (await scorerOn(study, whole, whole.data.material, how))(whole.model);
  const before = formOf(whole.model, scores);
  const kept = layers === undefined ? range(before.layers) : await layersOf(study, layers);
  const cut = layers === undefined ? start : withLayers(start, kept);
  const score = await scorerOn(study, study, study.data.material, how);
  const bare = formOf(cut, await score(cut));
  const made = recover > 0 ? await recovered(cut, study) : cut;
  const after = recover > 0 ? { cut: bare, after: formOf(made, await score(made)) } : { after: bare };
  const { unit, better } = task.criterion;
  return { made, report: { before, ...after, unit, better, scored: scores.length, kept } };
};

/**
 * Writes the model `ref` to OUT with less of it, and measures what that costs on held-out text. Throws
 * ConfigError where nothing is asked for, for a number of layers that there is not, and as `cutFolder`,
 * `exportFolder` and `userData` do.
 */
export const pruneFolder = async (
  ref: string,
  options: PruneFolderOptions,
  run: RunOptions,
  hooks: RecipeHooks,
): Promise<PrunedFolder> => {
  const started = performance.now();
  requireCut(options);
  const { out, layers, recover = 0 } = options;
  const { ui, signal, command, hub } = hooks;
  const into = { out, dtypes: ["fp32"], ui, command, ...defined({ signal, hub }) };
  const opened = await openExport(ref, into);
  const { model } = opened.loaded;
  const { positions } = model.arch.cache(model.config);
  const fitted: RunOptions = {
    ...run,
    model: { ...run.model, n_positions: Math.min(run.model.n_positions, positions) },
    distill: { ...run.distill, steps: recover, layers: layers ?? 0 },
  };
  const tokenizer = await readTokenizer(opened.dir);
  const study = await studied({ model, tokenizer, source: opened.source }, options, fitted, hooks);
  const { made, report } = await pruned(study, options);
  const exportable = { ...opened, source: study.source, loaded: { ...opened.loaded, model: made } };
  const written = await writeExport(exportable, { model: made, sections: [pruneSection(report)] }, into);
  return { ...written, ...report, seconds: (performance.now() - started) / 1000 };
};
