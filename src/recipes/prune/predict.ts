/** What a pruning would give, by shapes alone. */
import { spread } from "../../compress/dropLayers.ts";
import { widthField } from "../../compress/pruning/channels.ts";
import { unitsOf } from "../../compress/pruning/units.ts";
import type { TensorType } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { PRUNE_TOKENS, type PruneFolderOptions } from "./options.ts";
import { openPrunable } from "./prune.ts";
import { roundsOf } from "./rounds.ts";

/** The sizes of a model. */
export interface PredictedForm {
  readonly params: number;
  /** Of the weights in float32. */
  readonly sizeBytes: number;
  /** Keys and values that a decoder keeps of a token, float32; 0 of an encoder. */
  readonly cacheBytesPerToken: number;
}

/** What a pruning would give and take. */
export interface PrunePrediction {
  readonly before: PredictedForm;
  /** With its whole vocabulary: how many tokens go, only the text tells. */
  readonly after: PredictedForm;
  readonly rounds: number;
  /**
   * About what the run holds at once: both models, what each layer makes of the calibration text, and with
   * teaching the gradients and the optimizer's two averages.
   */
  readonly memoryBytes: number;
}

const numbers = (shape: readonly unknown[]): number => shape.reduce<number>((n, d) => n * Number(d), 1);

const formOf = ({ arch, config }: Pick<Model, "arch" | "config">): PredictedForm => {
  const specs = flatten<TensorType>(arch.params(config) as Tree<TensorType>);
  const params = Array.from(specs.values()).reduce((sum, { shape }) => sum + numbers(shape), 0);
  const { layers, kvHeads, headWidth } = arch.cache(config);
  const cacheBytesPerToken = arch.kind === "encoder" ? 0 : 8 * layers * kvHeads * headWidth;
  return { params, sizeBytes: 4 * params, cacheBytesPerToken };
};

/** The config after the last round. */
const configAfter = (model: Model, options: PruneFolderOptions): unknown => {
  const { arch, config, weights } = model;
  const last = roundsOf(model, options).at(-1);
  const { layers } = arch.cache(config);
  const kept = spread(layers, last?.layers ?? layers);
  const shallow = last?.layers === undefined ? config : arch.keepLayers(config, weights, kept).config;
  const sizes = Object.entries(last?.units ?? {}).flatMap(([kind, keep]) =>
    unitsOf(model, kind as "neurons" | "heads").flatMap((own) => {
      const units = keep(own) / Math.max(...Object.values(own.fields));
      return Object.entries(own.fields).map(([field, per]) => [field, per * units] as const);
    }),
  );
  const width = last?.width === undefined ? {} : { [widthField(model)]: last.width };
  return arch.parse({ ...shallow, ...Object.fromEntries(sizes), ...width });
};

/** The hidden width: outputs of what reads neurons. */
const widthOf = (model: Model): number => {
  const specs = flatten<TensorType>(model.arch.params(model.config) as Tree<TensorType>);
  const [first] = unitsOf(model, "neurons");
  return numbers(specs.get(first!.reader.path)!.shape) / first!.count;
};

/** What `pruneFolder` would give. Throws as it does, but for what only the text tells. */
export const predictPruned = async (
  ref: string,
  options: PruneFolderOptions,
  hooks: RecipeHooks,
): Promise<PrunePrediction> => {
  const { model } = (await openPrunable(ref, options, hooks)).opened.loaded;
  const { arch } = model;
  const [before, after] = [model.config, configAfter(model, options)].map((config) =>
    formOf({ arch, config }),
  );
  const { tokens = PRUNE_TOKENS, recover = 0 } = options;
  const [first] = unitsOf(model, "neurons");
  // Two streams and the widest activation in between.
  const activations = 4 * tokens * (first!.count + 4 * widthOf(model));
  return {
    ...{ before: before!, after: after!, rounds: roundsOf(model, options).length },
    memoryBytes: before!.sizeBytes * 2 + after!.sizeBytes * (recover > 0 ? 4 : 1) + activations,
  };
};
