/**
 * Low-rank adapters on a model's matrices (LoRA, https://arxiv.org/abs/2106.09685), with the scale of rsLoRA
 * (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732) where asked for. Defaults are PEFT's.
 */
import { type Tensor, tensor } from "../ir/tensor.ts";
import { isInner, type LinearInfo } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { kinds } from "../nn/kinds/index.ts";
import {
  isPacked,
  type Layout,
  type PackedWeight,
  trainedTensors,
  type Weight,
  type Weights,
} from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { nameHint } from "../util/nearest.ts";
import { rng } from "../util/rng.ts";
import { entries, mapTree } from "../util/tree.ts";
import { wildcard } from "../util/wildcard.ts";

/** What adapters are like. */
export interface AdaptOptions {
  /** Inner width of each (8). */
  readonly rank?: number;
  /** Strength: the adapter's product is scaled by alpha / rank (alpha is `rank` unless told). */
  readonly alpha?: number;
  /** Scale by alpha / sqrt(rank) instead, so that large ranks learn as fast. */
  readonly rankStabilized?: boolean;
  /** Dropout of what the adapters read, in training (0). */
  readonly dropout?: number;
  /**
   * Ends of matrices' names without ".weight", * standing for anything: ["q_proj", "layers.1*.v_proj"].
   * Unless told "all-linear": every matrix but embeddings and what gives the logits.
   */
  readonly targets?: "all-linear" | readonly string[];
  /** Of the first values (0). */
  readonly seed?: number;
}

type Chosen = Required<Omit<AdaptOptions, "targets">>;

const check = ({ rank = 8, alpha = rank, dropout = 0 }: AdaptOptions): void => {
  if (!Number.isInteger(rank) || rank < 1) {
    throw new ConfigError(`must be an integer of at least 1, not ${rank}`, { field: "adapter.rank" });
  }
  if (!Number.isFinite(alpha)) throw new ConfigError("must be a number", { field: "adapter.alpha" });
  if (!(dropout >= 0 && dropout < 1)) {
    throw new ConfigError(`must be at least 0 and below 1, not ${dropout}`, { field: "adapter.dropout" });
  }
};

const moduleOf = ({ path }: LinearInfo): string => path.replace(/\.weight$/, "");

/** The matrices that take an adapter. Throws ConfigError for a target that names none. */
const targeted = (linears: readonly LinearInfo[], targets: AdaptOptions["targets"] = "all-linear") => {
  if (targets === "all-linear") return linears.filter(isInner);
  const known = linears.filter(({ role }) => role !== "position");
  if (targets.length === 0) throw new ConfigError("names no matrix", { field: "adapter.targets" });
  const found = new Set<LinearInfo>();
  for (const target of targets) {
    const fits = wildcard(`*.${target}`);
    const own = known.filter((info) => fits(`.${moduleOf(info)}`));
    for (const info of own) found.add(info);
    if (own.length > 0) continue;
    const ends = [...new Set(known.map((info) => moduleOf(info).split(".").at(-1)!))];
    throw new ConfigError(`${JSON.stringify(target)} names no matrix of the model`, {
      field: "adapter.targets",
      hint: nameHint(target, ends),
    });
  }
  return [...found];
};

/** What an adapter is made of. */
export interface Adapter extends Pick<Chosen, "rank" | "alpha" | "rankStabilized" | "dropout"> {
  /** [R, K] */
  readonly a: Tensor;
  /** [N, R] */
  readonly b: Tensor;
}

/** `base` with an adapter on it. */
export const adapterOn = (base: Weight, layout: Layout, adapter: Adapter): PackedWeight => {
  const { a, b, rank, alpha, rankStabilized, dropout } = adapter;
  const scale = alpha / (rankStabilized ? Math.sqrt(rank) : rank);
  return {
    ...{ dtype: "float32", shape: base.shape, layout, kind: kinds.adapted },
    ...{ parts: { base, a, b }, attrs: { scale, alpha, dropout } },
  };
};

/** An adapter that changes nothing yet: A is drawn as torch draws a Linear's weight, B is 0. */
const freshOn = (base: Weight, { path, layout }: LinearInfo, options: Chosen): PackedWeight => {
  const { rank, seed } = options;
  const [k, n] = layout === "kn" ? [base.shape[0]!, base.shape[1]!] : [base.shape[1]!, base.shape[0]!];
  const random = rng(seed, `adapter/${path}`);
  const most = 1 / Math.sqrt(k);
  const first = Float32Array.from({ length: rank * k }, () => most * (2 * random.uniform() - 1));
  const a = tensor("float32", [rank, k], first);
  const b = tensor("float32", [n, rank], new Float32Array(n * rank));
  return adapterOn(base, layout, { ...options, a, b });
};

/**
 * `model` with adapters on its matrices, of whatever kind they are; it gives what it gave before. Throws
 * ConfigError naming the option.
 */
export const adapt = (model: Model, options: AdaptOptions = {}): Model => {
  check(options);
  const { rank = 8, alpha = rank, rankStabilized = false, dropout = 0, seed = 0 } = options;
  const chosen: Chosen = { rank, alpha, rankStabilized, dropout, seed };
  const linears = new Map(
    targeted(model.arch.linears(model.config), options.targets).map((info) => [info.path, info]),
  );
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const info = linears.get(path);
    return info === undefined ? w : freshOn(w, info, chosen);
  });
  const targets = options.targets ?? "all-linear";
  const step = { name: "adapt", options: { rank, alpha, rankStabilized, dropout, targets } };
  return { ...model, weights, history: [...model.history, step] };
};

/** Whether a weight has an adapter. */
export const isAdapted = (w: Weight): w is PackedWeight => isPacked(w) && w.kind === kinds.adapted;

/**
 * What stands still while the adapters of `weights` train, by tensor names: all but their own parts, and but
 * the weights `alsoTrained` (a new head).
 */
export const besidesAdapters = (
  weights: Weights,
  alsoTrained: readonly string[] = [],
): ((name: string) => boolean) => {
  const trained = new Set(alsoTrained);
  for (const [path, w] of entries<Weight>(weights)) {
    if (isAdapted(w)) for (const [name] of trainedTensors({ [path]: w })) trained.add(name);
  }
  return (name) => !trained.has(name);
};
