/** How a model is tuned: which of its weights train, and what is shipped of what was trained. */
import { isAdapted, lora, merge } from "../../adapters/index.ts";
import type { Engine } from "../../engine/engine.ts";
import { depthsOf } from "../../models/depth.ts";
import type { Json, Model } from "../../models/model.ts";
import { isPacked, type PackedWeight, type Weight } from "../../nn/param.ts";
import { layerwise } from "../../optim/layerwise.ts";
import { overWidths } from "../../optim/overWidths.ts";
import type { Optimizer } from "../../optim/transform.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, mapTree } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { freezing } from "./freeze.ts";
import { inBits, type StandingCodes, type StandingSubject, standingCodes } from "./standing.ts";

/** One way to tune a model; all that a recipe knows of it. */
export interface Method {
  /** "full", "lora" */
  readonly name: string;
  /** What is told of it in the model's history. */
  readonly options: Json;
  /** The model that trains: with adapters on its matrices, say. */
  readonly model: Model;
  /** Weights of it that stay as they are, by dotted path. */
  frozen(path: string): boolean;
  /** The optimizer with learning rates of the weights' own. */
  optimizer(optimizer: Optimizer): Optimizer;
  /** The model that is measured and shipped: with its adapters merged into the weights that it began with. */
  finish(trained: Model): Model;
  /** What the user is told of it. */
  readonly notes?: readonly string[];
  /** Of adapters: the trained model on the weights that it began with, and what goes along with them. */
  readonly adapter?: {
    /** The model before: what adapters stand on. */
    readonly base: Model;
    unmerged(trained: Model): Model;
    readonly saved: readonly string[];
    readonly bias: RunOptions["adapter"]["bias"];
  };
}

/** Which weights the options freeze by depth. Throws ConfigError for more layers than there are. */
const frozenBelow = (model: Model, { train }: RunOptions): ((path: string) => boolean) => {
  const { freezeLayers, freezeEmbeddings } = train;
  if (freezeLayers === 0 && !freezeEmbeddings) return () => false;
  const { top, of } = depthsOf(model);
  if (freezeLayers >= top) {
    throw new ConfigError(`is ${freezeLayers}, and the model has ${top - 1} layers`, {
      field: "train.freezeLayers",
      hint: `freeze at most ${top - 1}: what stands above the layers then learns alone`,
    });
  }
  return (path) => of(path) <= freezeLayers;
};

/** Paths of matrices whose sums get longer with the width: between layers, and in front of what is told. */
const hiddenPaths = ({ arch, config }: Model): ReadonlySet<string> =>
  new Set(
    arch
      .linears(config)
      .filter(({ role }) => role !== "embedding" && role !== "position")
      .map(({ path }) => path),
  );

const rates =
  (model: Model, { train, model: { from, n_embd } }: RunOptions) =>
  (optimizer: Optimizer): Optimizer => {
    const layered = layerwise(optimizer, train.layerDecay, depthsOf(model));
    // A model that is there has a width of its own, and config files serve all verbs.
    if (train.baseWidth === 0 || from !== "") return layered;
    const hidden = hiddenPaths(model);
    const isHidden = (path: string): boolean => hidden.has(path);
    const widths = { base: train.baseWidth, width: n_embd };
    return overWidths(layered, { name: train.optimizer, ...widths, isHidden });
  };

/** All weights train but for those that the options freeze. */
const full = (model: Model, options: RunOptions): Method => {
  const { freeze, freezeLayers, freezeEmbeddings, layerDecay } = options.train;
  const [named, below] = [freezing(freeze, model.weights), frozenBelow(model, options)];
  return {
    name: "full",
    options: { freeze, freezeLayers, freezeEmbeddings, layerDecay },
    model,
    frozen: (path) => named(path) || below(path),
    optimizer: rates(model, options),
    finish: (trained) => trained,
  };
};

/** The ids of tokens that are named by their texts. Throws ConfigError for one that is none. */
const idsOf = (texts: readonly string[], tokenizer: Tokenizer | undefined): readonly number[] =>
  texts.map((text) => {
    const ids = tokenizer?.encode(text, { special: true }) ?? [];
    if (ids.length === 1) return ids[0]!;
    throw new ConfigError(`${JSON.stringify(text)} is ${ids.length} tokens, not one`, {
      field: "adapter.tokens",
      hint: "name tokens of the vocabulary, such as special ones",
    });
  });

/** A weight on the numbers that `plain` has of it, whatever stands on them. */
const onPlain = (w: Weight, plain: Weight): Weight => {
  if (!isPacked(w)) return w;
  if (!isAdapted(w)) return plain;
  return { ...w, parts: { ...w.parts, base: onPlain(w.parts.base!, plain) } };
};

/** `trained` on the weights of `plain`: what stood still in fewer bits is exact again. */
const onBase = (trained: Model, plain: Model): Model => {
  const known = flatten<Weight>(plain.weights);
  const weights = mapTree<Weight, Weight>(trained.weights, (w, path) => {
    const base = known.get(path)!;
    const dense = isPacked(w) && isAdapted(w) && !isPacked((w as PackedWeight).parts.base!);
    return dense ? w : onPlain(w, base);
  });
  return { ...trained, weights };
};

/** What is told of a rank that no matrix, or not each, can have. */
const rankNotes = (model: Model): string[] => {
  const sides = [...flatten<Weight>(model.weights)].flatMap(([path, w]) => {
    if (!isPacked(w) || w.parts.a === undefined) return [];
    const [rank, side] = [w.parts.a.shape[0]!, Math.min(...(w.shape as number[]))];
    return [{ path, rank, side }];
  });
  const over = sides.filter(({ rank, side }) => rank > side);
  const [first] = over.toSorted((a, b) => a.side - b.side);
  if (first === undefined) return [];
  const { path, rank, side } = first;
  return [
    `rank ${rank} is above what ${over.length} of ${sides.length} matrices can have, such as ${path} ` +
      `(${side}): a rank of ${side} would say as much there with fewer numbers`,
  ];
};

/** Adapters train, and what is trained whole beside them, while all else stands still. */
const withLora = (model: Model, options: RunOptions, { tokenizer, codes }: Standing): Method => {
  const { rank, alpha, rankStabilized, dora, dropout, targets, save, tokens, bias, baseBits } =
    options.adapter;
  const how = {
    ...{ rank, alpha: alpha === 0 ? rank : alpha, rankStabilized, dora, dropout, bias, saved: save },
    ...{ seed: options.seed, tokens: idsOf(tokens, tokenizer) },
    ...(targets.length > 0 ? { targets } : {}),
  };
  const isWhole = (path: string): boolean => save.some((module) => path.includes(`${module}.`));
  const tuned = lora(inBits(model, baseBits, { isWhole, codes }), how);
  const [named, below] = [
    freezing(options.train.freeze, tuned.model.weights),
    frozenBelow(tuned.model, options),
  ];
  const unmerged = (trained: Model): Model => (baseBits === 32 ? trained : onBase(trained, model));
  return {
    name: dora ? "dora" : "lora",
    options: { ...options.adapter },
    model: tuned.model,
    frozen: (path) => tuned.frozen(path) || named(path) || below(path),
    optimizer: rates(tuned.model, options),
    finish: (trained) => merge(unmerged(trained)),
    notes: rankNotes(tuned.model),
    adapter: { base: model, unmerged, saved: tuned.saved, bias },
  };
};

/** What a method is told of besides. */
export interface Standing {
  /** By which tokens that train are named. */
  readonly tokenizer?: Tokenizer;
  /** Of weights that stand still in 4 bits. */
  readonly codes?: StandingCodes | undefined;
}

/** The method that the options name. Throws ConfigError for an option that does not fit the model. */
export const methodOf = (model: Model, options: RunOptions, standing: Standing = {}): Method =>
  options.adapter.rank === 0 ? full(model, options) : withLora(model, options, standing);

/** The same, with what stands still in 4 bits rounded by what layers read. Throws as `standingCodes`, too. */
export const methodFor = async (
  engine: Engine,
  subject: StandingSubject,
  options: RunOptions,
  hooks: Pick<RecipeHooks, "ui" | "signal">,
): Promise<Method> => {
  const codes = await standingCodes(engine, subject, options, hooks);
  return methodOf(subject.model, options, { tokenizer: subject.tokenizer, codes });
};
