/**
 * From a model's folder to a smaller one: fewer tokens, layers, heads, neurons; fitted to the whole model,
 * and taught by it; in the end numbers may be 0.
 */
import type { SparsityName } from "../../compress/sparsity/sparsify.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { modelDir } from "../../node/hub/hub.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { Material } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { progressOf } from "../context/ui.ts";
import { type Exportable, type Exported, openExport, writeExport } from "../export/export.ts";
import type { Cuttable } from "../model/cut.ts";
import { refuseRounded } from "../model/refuseRounded.ts";
import { pruneSection } from "./card.ts";
import { cutOnce, fittedTo, taught, withZeros } from "./cut.ts";
import { type PruneFolderOptions, type PruneReport, type PruneState, requireCut } from "./options.ts";
import { roundsOf } from "./rounds.ts";
import { calibrationIn, formOf, type Study, scorerOn, studied } from "./study.ts";

/** The pruned folder. */
export interface PrunedFolder extends Exported, PruneReport {
  readonly seconds: number;
}

/** Tokens that models are measured on: each state takes a pass over them. */
const MEASURING = 8192;

/** The model and its states on its way. */
interface Way {
  readonly made: Model;
  /** The layers that stay, by their former index. */
  readonly kept: readonly number[];
  readonly states: readonly PruneState[];
}

/** What a state is: its sizes, and what it scores. */
type Described = (name: string, model: Model) => Promise<PruneState>;

/** Updates of round `i` of `rounds`: the last has what the division leaves. */
const stepsOf = (recover: number, i: number, rounds: number): number => {
  const each = Math.floor(recover / rounds);
  return i === rounds - 1 ? recover - each * (rounds - 1) : each;
};

/** Share of a score that differs by how sums are rounded, which processors do differently. */
const ROUNDING = 1e-5;

/** Whether a state scores worse than another, beyond rounding. */
const isWorse = (a: PruneState, b: PruneState, { task }: Study): boolean => {
  const worse = task.criterion.better === "less" ? a.score - b.score : b.score - a.score;
  return worse > ROUNDING * Math.abs(b.score);
};

/** Takes one round after the other. */
const inRounds = async (
  study: Study,
  batches: readonly Tensor[],
  options: PruneFolderOptions,
  described: Described,
): Promise<Way> => {
  const { importance: by = "activation", layersBy = "loss", restore = true, recover = 0 } = options;
  const rounds = roundsOf(study.model, options);
  const states: PruneState[] = [];
  let made = study.model;
  let kept = Array.from({ length: made.arch.cache(made.config).layers }, (_, i) => i);
  for (const [i, round] of rounds.entries()) {
    const note = async (name: string, model: Model): Promise<PruneState> => {
      const of = rounds.length > 1 ? `round ${i + 1}: ` : "";
      const state = await described(of + name, model);
      states.push(state);
      return state;
    };
    const cut = await cutOnce(made, round, { by, layersBy, batches }, study);
    const plain = await note("cut", cut.model);
    kept = cut.kept.map((layer) => kept[layer]!);
    let fitted = restore ? await fittedTo(cut, made, batches, study) : cut.model;
    const state = restore ? await note("restored", fitted) : plain;
    // What is taught afterwards begins with what is nearest to the whole, layer by layer.
    if (recover === 0 && isWorse(state, plain, study)) {
      study.hooks.ui.warn(
        "restoring makes it worse on held-out text: it is left as it was cut; give more text",
      );
      states.pop();
      fitted = cut.model;
    }
    made = recover > 0 ? await taught(fitted, stepsOf(recover, i, rounds.length), study) : fitted;
    if (recover > 0) await note("taught again", made);
  }
  return { made, kept, states };
};

/** A model of fewer tokens and nothing else that is cut, taught where that is asked for. */
const withFewerTokens = async (
  study: Study,
  { cutVocab = false, recover = 0 }: PruneFolderOptions,
  described: Described,
): Promise<Way> => {
  const { model } = study;
  const kept = Array.from({ length: model.arch.cache(model.config).layers }, (_, i) => i);
  const states = cutVocab ? [await described("cut", model)] : [];
  if (recover === 0) return { made: model, kept, states };
  const made = await taught(model, recover, study);
  return { made, kept, states: [...states, await described("taught again", made)] };
};

/** What scores a model on the held-out part of some material and tells how far it is. */
const measuredBy = async (study: Study, read: Cuttable, material: Material) => {
  const { run, task, hooks } = study;
  let progress = progressOf(hooks.ui, "measuring");
  const onBatch = (done: number, of: number): void => progress.update(done, of);
  const how = { seed: run.seed + 1, tokens: MEASURING, onBatch };
  const score = await scorerOn(study, read, material, how);
  return async (name: string, model: Model): Promise<Float32Array> => {
    progress = progressOf(hooks.ui, `measuring (${name})`);
    const scores = await score(model);
    progress.done(`${name}: ${meanOf(scores).toFixed(4)} ${task.criterion.unit}`);
    return scores;
  };
};

/** What zeros are made by. */
interface Zeros {
  readonly zeros: {
    readonly sparsity: string;
    readonly method: SparsityName;
    readonly allocate: boolean;
    readonly restore: boolean;
  };
  readonly batches: readonly Tensor[];
  readonly described: Described;
}

/** What is pruned by number, near the whole unless held-out text likes the method's own numbers better. */
const zeroed = async (
  study: Study,
  way: Way,
  { zeros, batches, described }: Zeros,
): Promise<Pick<Way, "made" | "states">> => {
  const withState = async (restore: boolean) => {
    const made = await withZeros(way.made, { ...zeros, restore }, batches, study);
    return { made, state: await described("sparse", made) };
  };
  const near = await withState(zeros.restore);
  const own = zeros.restore && zeros.method !== "magnitude" ? await withState(false) : near;
  const worse = isWorse(near.state, own.state, study);
  if (worse) {
    study.hooks.ui.warn(
      `near the whole it is worse on held-out text: numbers are ${zeros.method}'s own; give more text`,
    );
  }
  const { made, state } = worse ? own : near;
  return { made, states: [...way.states, state] };
};

/** Cuts, teaches and prunes numbers; what each state scores, each by its own tokens of the same text. */
const pruned = async (
  study: Study,
  options: PruneFolderOptions,
): Promise<{ readonly made: Model; readonly report: PruneReport }> => {
  const { task, whole = study } = study;
  const {
    sparsity,
    method = "sparsegpt",
    neurons,
    heads,
    importance = "activation",
    allocate = false,
    restore = true,
  } = options;
  const packs = sparsity !== undefined;
  const { model } = whole;
  const first = await measuredBy(study, whole, whole.data.material);
  const scores = await first("whole", model);
  const before = formOf(model, scores, packs);
  const score = await measuredBy(study, study, study.data.material);
  const described: Described = async (name, made) => ({
    name,
    ...formOf(made, await score(name, made), packs),
  });
  const batches = calibrationIn(study, options);
  const narrow = roundsOf(study.model, options).length > 0;
  const way = narrow
    ? await inRounds(study, batches, options, described)
    : await withFewerTokens(study, options, described);
  const zeros = { sparsity: sparsity ?? "", method, allocate, restore };
  const { made, states } = packs ? await zeroed(study, way, { zeros, batches, described }) : way;
  const { unit, better } = task.criterion;
  const chosen = neurons === undefined && heads === undefined ? {} : { importance };
  const sparse = packs ? { sparse: { method, pattern: sparsity } } : {};
  const sizes = { before, states, after: states.at(-1)!, kept: way.kept };
  return { made, report: { ...sizes, unit, better, scored: scores.length, ...chosen, ...sparse } };
};

/** Opens what is to be pruned. Throws ConfigError for options that ask for nothing and for rounded models. */
export const openPrunable = async (
  ref: string,
  options: PruneFolderOptions,
  { ui, signal, command, hub }: RecipeHooks,
) => {
  requireCut(options);
  const into = { out: options.out, dtypes: ["fp32"], ui, command, ...defined({ signal, hub }) };
  await refuseRounded(await modelDir(ref, hub), "pruned");
  const opened: Exportable = await openExport(ref, into);
  roundsOf(opened.loaded.model, options);
  return { into, opened };
};

/**
 * Writes the model `ref` to OUT with less of it, and measures what that costs on held-out text. Throws
 * ConfigError where nothing is asked for, for numbers of layers, heads or neurons that there are not, for
 * heads that the family cannot cut and for a model that is quantized, and as `cutFolder`, `exportFolder` and
 * `userData` do.
 */
export const pruneFolder = async (
  ref: string,
  options: PruneFolderOptions,
  run: RunOptions,
  hooks: RecipeHooks,
): Promise<PrunedFolder> => {
  const started = performance.now();
  const { into, opened } = await openPrunable(ref, options, hooks);
  const { model } = opened.loaded;
  const { positions } = model.arch.cache(model.config);
  const fitted: RunOptions = {
    ...run,
    model: { ...run.model, n_positions: Math.min(run.model.n_positions, positions) },
    distill: { ...run.distill, layers: options.layers ?? 0 },
  };
  const tokenizer = await readTokenizer(opened.dir);
  const study = await studied({ model, tokenizer, source: opened.source }, options, fitted, hooks);
  const { made, report } = await pruned(study, options);
  const exportable = { ...opened, source: study.source, loaded: { ...opened.loaded, model: made } };
  const written = await writeExport(exportable, { model: made, sections: [pruneSection(report)] }, into);
  return { ...written, ...report, seconds: (performance.now() - started) / 1000 };
};
