/** One round of a cut: layers, heads and neurons go, what is left is fitted, then taught. */
import { chooseLayers } from "../../compress/chooseLayers.ts";
import { distill } from "../../compress/index.ts";
import { derived } from "../../compress/pass.ts";
import { blockInfluence, mostInfluential } from "../../compress/pruning/blockInfluence.ts";
import { channelsOf, narrowed } from "../../compress/pruning/channels.ts";
import { chooseUnits } from "../../compress/pruning/chooseUnits.ts";
import type { Importance } from "../../compress/pruning/importance.ts";
import { keepUnits } from "../../compress/pruning/keepUnits.ts";
import { restored } from "../../compress/pruning/restore.ts";
import type { UnitKind } from "../../compress/pruning/units.ts";
import { patternOf } from "../../compress/sparsity/pattern.ts";
import { type SparsifyOptions, sparsified } from "../../compress/sparsity/sparsify.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { IMITATION } from "../../tasks/embedding/imitation.ts";
import { taskOf } from "../../tasks/index.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import { progressOf } from "../context/ui.ts";
import { lessonOf, teaching } from "../optimize/teaching.ts";
import { onReplicas } from "../train/replicas.ts";
import type { LayerMeasure } from "./options.ts";
import type { Round } from "./rounds.ts";
import { costOn, type Study } from "./study.ts";

/** Batches that gradients are taken of, and those that show how strong activations are. */
const [GRADIENTS, CHOOSING] = [8, 4];

/** What layers and units are chosen by. */
interface Choosing {
  readonly layersBy: LayerMeasure;
  readonly by: Importance;
  readonly batches: readonly Tensor[];
}

/** A cut model, and the former indices of its layers and channels. */
export interface CutModel {
  readonly model: Model;
  readonly kept: readonly number[];
  /** The channels that stay, where some go. */
  readonly channels?: readonly number[];
}

/** The layers that stay, by what the absence of each costs on text that is not held out, or by influence. */
const withFewerLayers = async (
  model: Model,
  keep: number,
  { layersBy, batches }: Choosing,
  study: Study,
): Promise<CutModel> => {
  const { arch, config, weights } = model;
  const progress = progressOf(study.hooks.ui, "choosing layers");
  const onMeasured = progress.update;
  const kept =
    layersBy === "influence"
      ? mostInfluential(await blockInfluence(study.engine, model, batches), keep)
      : await chooseLayers(model, { keep, cost: await costOn(study), onMeasured });
  progress.done(`layers that stay: ${kept.join(", ")}`);
  const pass = { name: "dropLayers", options: { kept } };
  return { model: derived(model, pass, arch.keepLayers(config, weights, kept)), kept };
};

const withFewerUnits = async (
  model: Model,
  { units }: Round,
  { by, batches }: Choosing,
  { engine, data, run, hooks }: Study,
): Promise<Model> => {
  const { signal } = hooks;
  let made = model;
  for (const [kind, keep] of Object.entries(units) as [UnitKind, (typeof units)[UnitKind] & {}][]) {
    const { objective, source } = lessonOf(made, data, run);
    if (by === "taylor" && objective.name === IMITATION) {
      throw new ConfigError("by taylor needs a loss that the text gives; vectors learn of a teacher", {
        field: "prune.importance",
        hint: "choose --importance activation, or give pairs of texts with --data",
      });
    }
    const some =
      by === "taylor" ? await Promise.all(Array.from({ length: GRADIENTS }, (_, i) => source(i))) : [];
    const progress = progressOf(hooks.ui, `choosing ${kind}`);
    const how = {
      ...{ kind, keep, by, signal, lesson: { objective, batches: some } },
      ...{ batches: batches.slice(0, CHOOSING), onBatch: progress.update },
    };
    made = keepUnits(made, kind, await chooseUnits(engine, made, how));
    progress.done(`chose ${kind} by ${by}`);
  }
  return made;
};

/** The model with what a round leaves of it. Throws as `chooseLayers` and `chooseUnits` do. */
export const cutOnce = async (
  model: Model,
  round: Round,
  choosing: Choosing,
  study: Study,
): Promise<CutModel> => {
  const { layers } = model.arch.cache(model.config);
  const all = Array.from({ length: layers }, (_, i) => i);
  const shallow =
    round.layers === undefined || round.layers === layers
      ? { model, kept: all }
      : await withFewerLayers(model, round.layers, choosing, study);
  const { kept } = shallow;
  const thin = await withFewerUnits(shallow.model, round, choosing, study);
  if (round.width === undefined || round.width === channelsOf(thin)) return { model: thin, kept };
  const batches = choosing.batches.slice(0, CHOOSING);
  return { ...(await narrowed(study.engine, thin, { keep: round.width, batches })), kept };
};

/** The cut model fitted to the one that it was cut out of. */
export const fittedTo = async (
  { model, kept, channels }: CutModel,
  whole: Model,
  batches: readonly Tensor[],
  { engine, hooks: { ui, signal } }: Study,
): Promise<Model> => {
  const progress = progressOf(ui, "restoring matrices");
  const onSite = progress.update;
  const made = await restored(engine, model, { whole, batches, layers: kept, channels, onSite, signal });
  progress.done(`restored ${made.matrices} matrices by least squares`);
  for (const note of made.notes) ui.line(note);
  return made.model;
};

/** The cut model taught for `steps` updates by the one that all was cut out of. */
export const taught = async (
  cut: Model,
  steps: number,
  { engine, model, data, run: given, hooks }: Study,
): Promise<Model> => {
  const run = { ...given, distill: { ...given.distill, steps } };
  const lesson = lessonOf(cut, data, run);
  const progress = hooks.ui.task("recovering", steps);
  const { alpha, temperature, ...train } = teaching(run, lesson, { model: cut, signal: hooks.signal });
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

/** The model with a part of its numbers 0. Throws as `sparsified` does. */
export const withZeros = async (
  model: Model,
  {
    sparsity,
    ...how
  }: Pick<SparsifyOptions, "method" | "allocate" | "restore"> & { readonly sparsity: string },
  batches: readonly Tensor[],
  { engine, hooks: { ui, signal } }: Study,
): Promise<Model> => {
  const progress = progressOf(ui, "pruning matrices");
  const onSite = progress.update;
  const pattern = patternOf(sparsity);
  const made = await sparsified(engine, model, { ...how, pattern, batches, onSite, signal });
  progress.done(`pruned ${made.matrices} matrices by ${how.method}`);
  for (const note of made.notes) ui.line(note);
  return made.model;
};
