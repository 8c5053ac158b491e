/**
 * Writes adapters in the format of Hugging Face PEFT
 * (https://huggingface.co/docs/peft/developer_guides/checkpoint).
 */
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { headOf } from "../../models/head.ts";
import type { Head, Json, Model } from "../../models/model.ts";
import { kinds } from "../../nn/kinds/index.ts";
import { tokensOf } from "../../nn/kinds/tokens.ts";
import { isPacked, type PackedWeight, tensorsOf, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries } from "../../util/tree.ts";
import { isAdapted } from "../adapt.ts";
import { tensorsWithin } from "../modules.ts";
import { bareOf, CONFIG, PREFIX, transposed, WEIGHTS } from "./names.ts";

const taskTypes: Readonly<Partial<Record<Head, string>>> = {
  "causal-lm": "CAUSAL_LM",
  "sequence-classification": "SEQ_CLS",
  "token-classification": "TOKEN_CLS",
  "seq2seq-lm": "SEQ_2_SEQ_LM",
  features: "FEATURE_EXTRACTION",
};

/** What is written besides the adapters. */
export interface AdapterFilesOptions {
  /** Where the base is found: a name of the Hub or a folder. */
  readonly base?: string;
  /** Modules that were trained whole and go along: ["classifier"]. */
  readonly saved?: readonly string[];
  /** Biases that go along: of all modules, of those with an adapter, or none. */
  readonly bias?: "none" | "all" | "lora_only";
}

interface Written {
  readonly module: string;
  /** Its low-rank adapter. */
  readonly weight?: PackedWeight;
  /** Its trained rows. */
  readonly rows?: PackedWeight;
  readonly isTable: boolean;
}

type LowRank = Written & { readonly weight: PackedWeight };

const isLowRank = (written: Written): written is LowRank => written.weight !== undefined;

const baseIn = (w: PackedWeight): PackedWeight | undefined => {
  const base = w.parts.base!;
  return isPacked(base) && isAdapted(base) ? base : undefined;
};

const adaptersOf = (model: Model): Written[] => {
  const bare = bareOf(model);
  const tables = model.arch.linears(model.config).filter(({ role }) => role === "embedding");
  const found = [...entries<Weight>(model.weights)].flatMap(([path, w]): Written[] => {
    if (!isAdapted(w)) return [];
    const isRows = w.kind === kinds.tokens;
    const weight = isRows ? baseIn(w) : w;
    if (weight !== undefined && baseIn(weight) !== undefined) {
      throw new ConfigError("has two adapters on one another", { tensor: path, hint: "merge the first" });
    }
    const isTable = tables.some((info) => info.path === path);
    const parts = { ...(weight ? { weight } : {}), ...(isRows ? { rows: w } : {}) };
    return [{ module: path.slice(bare.length).replace(/\.weight$/, ""), isTable, ...parts }];
  });
  if (found.length > 0) return found;
  throw new ConfigError("the model has no adapter to write", { field: "adapter" });
};

const lowRankTensors = ({ module, weight, isTable }: LowRank): [string, Tensor][] => {
  const { a, b, magnitude } = weight.parts as { a: Tensor; b: Tensor; magnitude?: Tensor };
  const name = `${PREFIX}${module}.lora_`;
  if (isTable) {
    return [
      [`${name}embedding_A`, transposed(b)],
      [`${name}embedding_B`, transposed(a)],
    ];
  }
  const lengths: [string, Tensor][] = magnitude === undefined ? [] : [[`${name}magnitude_vector`, magnitude]];
  return [[`${name}A.weight`, a], [`${name}B.weight`, b], ...lengths];
};

const adapterTensors = (written: Written): [string, Tensor][] => {
  const { rows, module } = written;
  const key = `${PREFIX}${module}.token_adapter.trainable_tokens_delta`;
  return [
    ...(isLowRank(written) ? lowRankTensors(written) : []),
    ...(rows === undefined ? [] : [[key, rows.parts.rows as Tensor] as [string, Tensor]]),
  ];
};

/** The value that occurs most. */
const usual = (values: readonly number[]): number => {
  const count = (value: number) => values.filter((v) => v === value).length;
  return values.reduce((best, v) => (count(v) > count(best) ? v : best));
};

/** Rank and alpha of each module, and whether their scales are those of rsLoRA: all of them or none. */
const strengths = (written: readonly LowRank[]) => {
  const all = written.map(({ module, weight: { parts, attrs } }) => {
    const { scale, alpha } = attrs as { readonly scale: number; readonly alpha: number };
    return { module, scale, alpha, r: (parts.a as Tensor).shape[0]! };
  });
  const isPlain = ({ scale, alpha, r }: (typeof all)[number]) => scale === alpha / r;
  const stabilized = all.every((w) => w.scale === w.alpha / Math.sqrt(w.r)) && !all.every(isPlain);
  return {
    stabilized,
    each: all.map((w) => ({ ...w, alpha: stabilized || isPlain(w) ? w.alpha : w.scale * w.r })),
  };
};

/** Throws ConfigError where some adapters are of DoRA and some are not, which PEFT's format cannot say. */
const isDora = (written: readonly LowRank[]): boolean => {
  const [first, ...others] = written.map(({ weight }) => weight.kind === kinds.dora);
  if (others.every((other) => other === first)) return first ?? false;
  throw new ConfigError("is DoRA on some matrices and plain on others", { field: "adapter.dora" });
};

const configOf = (model: Model, written: readonly Written[], options: AdapterFilesOptions): Json => {
  const lowRank = written.filter(isLowRank);
  const { stabilized, each } = strengths(lowRank);
  const r = each.length > 0 ? usual(each.map((w) => w.r)) : 8;
  const alpha = each.length > 0 ? usual(each.map((w) => w.alpha)) : 8;
  const others = (field: "r" | "alpha", most: number) =>
    Object.fromEntries(each.flatMap((w) => (w[field] === most ? [] : [[w.module, w[field]]])));
  const trained = written.flatMap(({ module, rows }) => (rows ? [[module, tokensOf(rows)] as const] : []));
  return {
    peft_type: "LORA",
    task_type: taskTypes[headOf(model.arch, model.config)] ?? null,
    base_model_name_or_path: options.base ?? null,
    ...{ r, lora_alpha: alpha, lora_dropout: lowRank[0]?.weight.attrs?.dropout ?? 0, use_rslora: stabilized },
    ...{ rank_pattern: others("r", r), alpha_pattern: others("alpha", alpha) },
    target_modules: lowRank.map(({ module }) => module),
    modules_to_save: options.saved === undefined ? null : [...options.saved],
    ...(trained.length > 0 ? { trainable_token_indices: Object.fromEntries(trained) } : {}),
    fan_in_fan_out: lowRank.some(({ weight }) => weight.layout === "kn"),
    ...{ bias: options.bias ?? "none", use_dora: isDora(lowRank) },
    ...{ init_lora_weights: true, inference_mode: true },
  };
};

/** Biases that go along, by their keys: a module with an adapter keeps its own in its base layer. */
const biasTensors = (model: Model, written: readonly Written[], which: AdapterFilesOptions["bias"]) => {
  const bare = bareOf(model);
  const modules = new Set(written.filter(isLowRank).map(({ module }) => module));
  return [...tensorsOf(model.weights)].flatMap(([name, t]): [string, Tensor][] => {
    const module = name.slice(bare.length).replace(/\.bias$/, "");
    if (!name.endsWith(".bias") || (which !== "all" && !modules.has(module))) return [];
    return [[`${PREFIX}${module}${modules.has(module) ? ".base_layer" : ""}.bias`, t]];
  });
};

/**
 * The adapters of `model` as PEFT's two files, by name. Throws ConfigError for a model without adapters or
 * with some on one another, and for a module that is not there.
 */
export const adapterFiles = (
  model: Model,
  options: AdapterFilesOptions = {},
): Map<string, readonly Uint8Array[]> => {
  const { saved = [], bias = "none" } = options;
  const written = adaptersOf(model);
  const bare = bareOf(model);
  const known = new Map(tensorsOf(model.weights));
  const whole = tensorsWithin(model, saved, "saved").map((name): [string, Tensor] => {
    return [PREFIX + name.slice(bare.length), known.get(name)!];
  });
  const biases = bias === "none" ? [] : biasTensors(model, written, bias);
  const tensors = new Map([...written.flatMap(adapterTensors), ...biases, ...whole]);
  const json = `${JSON.stringify(configOf(model, written, options), null, 2)}\n`;
  return new Map<string, readonly Uint8Array[]>([
    [CONFIG, [new TextEncoder().encode(json)]],
    [WEIGHTS, encodeSafetensors(tensors, { format: "pt" })],
  ]);
};
