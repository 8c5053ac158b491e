/**
 * Writes adapters in the format of Hugging Face PEFT
 * (https://huggingface.co/docs/peft/developer_guides/checkpoint).
 */
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { headOf } from "../../models/head.ts";
import type { Head, Json, Model } from "../../models/model.ts";
import { isPacked, type PackedWeight, tensorsOf, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries } from "../../util/tree.ts";
import { isAdapted } from "../adapt.ts";
import { bareOf, CONFIG, isEnd, PREFIX, transposed } from "./names.ts";

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
}

interface Written {
  readonly module: string;
  readonly weight: PackedWeight;
  readonly isTable: boolean;
}

const adaptersOf = (model: Model): Written[] => {
  const bare = bareOf(model);
  const tables = model.arch.linears(model.config).filter(({ role }) => role === "embedding");
  const found = [...entries<Weight>(model.weights)].flatMap(([path, w]): Written[] => {
    if (!isAdapted(w)) return [];
    const base = w.parts.base!;
    if (isPacked(base) && isAdapted(base)) {
      throw new ConfigError("has two adapters on one another", { tensor: path, hint: "merge the first" });
    }
    const isTable = tables.some((info) => info.path === path);
    return [{ module: path.slice(bare.length).replace(/\.weight$/, ""), weight: w, isTable }];
  });
  if (found.length > 0) return found;
  throw new ConfigError("the model has no adapter to write", { field: "adapter" });
};

const adapterTensors = ({ module, weight, isTable }: Written): [string, Tensor][] => {
  const { a, b } = weight.parts as { a: Tensor; b: Tensor };
  const name = `${PREFIX}${module}.lora_`;
  return isTable
    ? [
        [`${name}embedding_A`, transposed(b)],
        [`${name}embedding_B`, transposed(a)],
      ]
    : [
        [`${name}A.weight`, a],
        [`${name}B.weight`, b],
      ];
};

/** The value that occurs most. */
const usual = (values: readonly number[]): number => {
  const count = (value: number) => values.filter((v) => v === value).length;
  return values.reduce((best, v) => (count(v) > count(best) ? v : best));
};

/** Rank and alpha of each module, and whether their scales are those of rsLoRA: all of them or none. */
const strengths = (written: readonly Written[]) => {
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

const configOf = (model: Model, written: readonly Written[], options: AdapterFilesOptions): Json => {
  const { stabilized, each } = strengths(written);
  const [r, alpha] = [usual(each.map((w) => w.r)), usual(each.map((w) => w.alpha))];
  const others = (field: "r" | "alpha", most: number) =>
    Object.fromEntries(each.flatMap((w) => (w[field] === most ? [] : [[w.module, w[field]]])));
  return {
    peft_type: "LORA",
    task_type: taskTypes[headOf(model.arch, model.config)] ?? null,
    base_model_name_or_path: options.base ?? null,
    ...{ r, lora_alpha: alpha, lora_dropout: written[0]!.weight.attrs!.dropout!, use_rslora: stabilized },
    ...{ rank_pattern: others("r", r), alpha_pattern: others("alpha", alpha) },
    target_modules: written.map(({ module }) => module),
    modules_to_save: options.saved === undefined ? null : [...options.saved],
    fan_in_fan_out: written.some(({ weight }) => weight.layout === "kn"),
    ...{ bias: "none", use_dora: false, init_lora_weights: true, inference_mode: true },
  };
};

/** Whether a tensor is one of a module's, which is named by its end. */
const isWithin = (name: string, module: string): boolean => isEnd(name.replace(/\.[^.]*$/, ""), module);

/**
 * The adapters of `model` as PEFT's two files, by name. Throws ConfigError for a model without adapters or
 * with some on one another, and for a module that is not there.
 */
export const adapterFiles = (
  model: Model,
  options: AdapterFilesOptions = {},
): Map<string, readonly Uint8Array[]> => {
  const written = adaptersOf(model);
  const tensors = new Map(written.flatMap(adapterTensors));
  const bare = bareOf(model);
  for (const module of options.saved ?? []) {
    const own = [...tensorsOf(model.weights)].filter(([name]) => isWithin(name.slice(bare.length), module));
    if (own.length === 0) throw new ConfigError(`${module} is no module of the model`, { field: "saved" });
    for (const [name, t] of own) tensors.set(PREFIX + name.slice(bare.length), t);
  }
  const json = `${JSON.stringify(configOf(model, written, options), null, 2)}\n`;
  return new Map<string, readonly Uint8Array[]>([
    [CONFIG, [new TextEncoder().encode(json)]],
    ["adapter_model.safetensors", encodeSafetensors(tensors, { format: "pt" })],
  ]);
};
