/**
 * Low-rank adapters on a model's matrices (LoRA, https://arxiv.org/abs/2106.09685), with the scale of rsLoRA
 * (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732) or the lengths of DoRA (nn/kinds/dora.ts) where asked
 * for. Defaults are PEFT's.
 */
import { sameShape } from "../ir/shape.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { isInner, type LinearInfo } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { outputSquares } from "../nn/kinds/dora.ts";
import { kinds } from "../nn/kinds/index.ts";
import {
  isPacked,
  type Layout,
  type PackedWeight,
  trainedTensors,
  unpacked,
  type Weight,
  type WeightKind,
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
  /** The length of each output is trained besides its direction (DoRA). */
  readonly dora?: boolean;
  /** Rows of the embedding that are trained beside, by token ids: those of new tokens. */
  readonly tokens?: readonly number[];
  /** Of the first values (0). */
  readonly seed?: number;
}

type Chosen = Required<Omit<AdaptOptions, "targets" | "tokens">>;

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
  if (targets === "all-linear" || targets.join() === "all-linear") return linears.filter(isInner);
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
  /** Of DoRA, [N]: the outputs' lengths. */
  readonly magnitude?: Tensor;
}

/** `base` with an adapter on it. */
export const adapterOn = (base: Weight, layout: Layout, adapter: Adapter): PackedWeight => {
  const { a, b, rank, alpha, rankStabilized, dropout, magnitude } = adapter;
  const scale = alpha / (rankStabilized ? Math.sqrt(rank) : rank);
  const attrs = { scale, alpha, dropout };
  const shaped = { dtype: "float32", shape: base.shape, layout, attrs } as const;
  if (magnitude === undefined) return { ...shaped, kind: kinds.adapted, parts: { base, a, b } };
  const squares = tensor("float32", magnitude.shape, outputSquares(unpacked(base), layout));
  return { ...shaped, kind: kinds.dora, parts: { base, a, b, magnitude, squares } };
};

/** `base`, a table [V, C], with the rows of `tokens` trained: [tokens, C], as they are unless told. */
export const tokensOn = (base: Weight, tokens: readonly number[], rows?: Tensor): PackedWeight => {
  const { shape, data } = unpacked(base);
  const [vocab, width] = shape as [number, number];
  const wrong = tokens.find((id, at) => !(id >= 0 && id < vocab) || tokens.indexOf(id) !== at);
  if (wrong !== undefined || tokens.length === 0) {
    const hint = `name some of the ${vocab} tokens, each once`;
    throw new ConfigError(`${wrong ?? "nothing"} is no row to train`, { field: "adapter.tokens", hint });
  }
  const own = new Float32Array(tokens.length * width);
  for (const [at, id] of tokens.entries()) {
    for (let c = 0; c < width; c++) own[at * width + c] = data[id * width + c] as number;
  }
  const given = rows ?? tensor("float32", [tokens.length, width], own);
  if (!sameShape(given.shape, [tokens.length, width])) {
    throw new ConfigError(`are ${given.shape.join(" by ")} and not ${tokens.length} by ${width}`, {
      field: "trainable_token_indices",
      hint: "the adapter is for another base model",
    });
  }
  const parts = { base, rows: given };
  return { dtype: "float32", shape, layout: "nk", kind: kinds.tokens, parts, attrs: { tokens } };
};

/** An adapter that changes nothing yet: A is drawn as torch draws a Linear's weight, B is 0. */
const freshOn = (base: Weight, { path, layout }: LinearInfo, options: Chosen): PackedWeight => {
  const { rank, seed, dora } = options;
  const [k, n] = layout === "kn" ? [base.shape[0]!, base.shape[1]!] : [base.shape[1]!, base.shape[0]!];
  const random = rng(seed, `adapter/${path}`);
  const most = 1 / Math.sqrt(k);
  const first = Float32Array.from({ length: rank * k }, () => most * (2 * random.uniform() - 1));
  const a = tensor("float32", [rank, k], first);
  const b = tensor("float32", [n, rank], new Float32Array(n * rank));
  if (!dora) return adapterOn(base, layout, { ...options, a, b });
  const lengths = outputSquares(unpacked(base), layout).map(Math.sqrt);
  return adapterOn(base, layout, { ...options, a, b, magnitude: tensor("float32", [n], lengths) });
};

/**
 * `model` with adapters on its matrices, of whatever kind they are; it gives what it gave before. Throws
 * ConfigError naming the option.
 */
export const adapt = (model: Model, options: AdaptOptions = {}): Model => {
  check(options);
  const { rank = 8, alpha = rank, rankStabilized = false, dropout = 0, dora = false, seed = 0 } = options;
  const chosen: Chosen = { rank, alpha, rankStabilized, dropout, dora, seed };
  const all = model.arch.linears(model.config);
  const linears = new Map(targeted(all, options.targets).map((info) => [info.path, info]));
  const { tokens = [] } = options;
  const looked = [...linears.values()].find(({ role }) => role === "embedding");
  if (dora && looked !== undefined) {
    const hint = "train its rows of new tokens with adapter.tokens, or leave DoRA out";
    throw new ConfigError("is looked up, and has no DoRA", { tensor: looked.path, hint });
  }
  const tables = all.filter(({ role }) => role === "embedding").map(({ path }) => path);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const info = linears.get(path);
    const on = info === undefined ? w : freshOn(w, info, chosen);
    return tokens.length > 0 && tables.includes(path) ? tokensOn(on, tokens) : on;
  });
  const targets = options.targets ?? "all-linear";
  const said = { rank, alpha, rankStabilized, dropout, targets };
  const more = { ...(dora ? { dora } : {}), ...(tokens.length > 0 ? { tokens } : {}) };
  const step = { name: "adapt", options: { ...said, ...more } };
  return { ...model, weights, history: [...model.history, step] };
};

const adapterKinds: readonly WeightKind[] = [kinds.adapted, kinds.dora, kinds.tokens];

/** Whether a weight has an adapter: a low-rank one, or trained rows. */
export const isAdapted = (w: Weight): w is PackedWeight => isPacked(w) && adapterKinds.includes(w.kind);

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
