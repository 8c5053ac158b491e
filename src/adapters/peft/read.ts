/**
 * Reads adapters in the format of Hugging Face PEFT
 * (https://huggingface.co/docs/peft/developer_guides/checkpoint).
 */
import { shapeText, type Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { type Layout, type PackedWeight, tensorsOf, type Weight, withTensors } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { mapTree } from "../../util/tree.ts";
import { adapterOn } from "../adapt.ts";
import { bareOf, CONFIG, isEnd, PREFIX, transposed } from "./names.ts";

/** Options of a config that change what an adapter does and are not supported. */
const foreign = ["use_dora", "lora_bias", "trainable_token_indices", "layer_replication"].concat(
  ["target_parameters", "use_qalora", "use_bdlora", "alora_invocation_tokens", "megatron_config"],
  ["arrow_config", "kasa_config", "monteclora_config", "velora_config"],
);

interface PeftConfig {
  readonly lora_alpha: number;
  readonly lora_dropout: number;
  readonly use_rslora: boolean;
  readonly alpha_pattern: Readonly<Record<string, number>>;
}

const numberIn = (value: unknown, field: string): number => {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new ConfigError(`must be a number, not ${JSON.stringify(value)}`, { file: CONFIG, field });
};

const parse = (json: unknown): PeftConfig => {
  const f = (typeof json === "object" && json !== null ? json : {}) as Readonly<Record<string, unknown>>;
  const refuse = (field: string, hint: string): never => {
    throw new ConfigError(`${JSON.stringify(f[field])} is not supported`, { file: CONFIG, field, hint });
  };
  if (f.peft_type !== "LORA") refuse("peft_type", "adapters of peft_type LORA are read");
  for (const field of foreign) if (f[field]) refuse(field, "merge the adapter with PEFT, and load the model");
  if (f.bias != null && f.bias !== "none") refuse("bias", "merge the adapter with PEFT, and load the model");
  const patterns = Object.entries((f.alpha_pattern ?? {}) as object).map(([name, alpha]) => {
    if (!/^[\w.]+$/.test(name)) refuse("alpha_pattern", "ends of module names are read, not patterns");
    return [name, numberIn(alpha, `alpha_pattern.${name}`)] as const;
  });
  return {
    lora_alpha: numberIn(f.lora_alpha, "lora_alpha"),
    lora_dropout: numberIn(f.lora_dropout ?? 0, "lora_dropout"),
    use_rslora: f.use_rslora === true,
    alpha_pattern: Object.fromEntries(patterns),
  };
};

/** A and B of a module, in the form of our kind: of an embedding they stand the other way round. */
interface Pair {
  a?: Tensor;
  b?: Tensor;
}

interface Read {
  /** By module. */
  readonly pairs: Map<string, Pair>;
  /** Other tensors, by the name that they have in the Hugging Face class. */
  readonly saved: Map<string, Tensor>;
  /** Bases that were saved with the adapter, by module. */
  readonly bases: Map<string, Tensor>;
}

const sorted = (tensors: ReadonlyMap<string, Tensor>): Read => {
  const read: Read = { pairs: new Map(), saved: new Map(), bases: new Map() };
  for (const [key, t] of tensors) {
    const name = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
    const [, module, part] = /^(.*)\.(base_layer|lora_[A-Za-z_]+)(?:\.weight)?$/.exec(name) ?? [];
    if (module === undefined) read.saved.set(name, t);
    else if (part === "base_layer") read.bases.set(module, t);
    else {
      const pair = read.pairs.get(module) ?? {};
      if (part === "lora_A") pair.a = t;
      else if (part === "lora_B") pair.b = t;
      else if (part === "lora_embedding_A") pair.b = transposed(t);
      else if (part === "lora_embedding_B") pair.a = transposed(t);
      else throw new ConfigError("is no part of a low-rank adapter", { tensor: key });
      read.pairs.set(module, pair);
    }
  }
  return read;
};

interface Place {
  readonly module: string;
  readonly layout: Layout;
}

/** A weight with the adapter of a pair. Throws ConfigError where that is of another base. */
const paired = (
  base: Weight,
  { module, layout }: Place,
  { a, b }: Pair,
  config: PeftConfig,
): PackedWeight => {
  const [k, n] = layout === "kn" ? base.shape : base.shape.toReversed();
  if (a === undefined || b === undefined) {
    throw new ConfigError(`lacks its lora_${a === undefined ? "A" : "B"}`, { tensor: module });
  }
  if (a.shape[1] !== k || b.shape[0] !== n || a.shape[0] !== b.shape[1]) {
    const shapes = `A ${shapeText(a.shape)} and B ${shapeText(b.shape)}`;
    throw new ConfigError(`has an adapter of ${shapes}, and ${k} inputs and ${n} outputs`, {
      tensor: module,
      hint: "the adapter is for another base model",
    });
  }
  const end = Object.keys(config.alpha_pattern).find((name) => isEnd(module, name));
  const alpha = end === undefined ? config.lora_alpha : config.alpha_pattern[end]!;
  const [rank, dropout] = [a.shape[0]!, config.lora_dropout];
  return adapterOn(base, layout, { a, b, alpha, dropout, rankStabilized: config.use_rslora, rank });
};

/** Throws ConfigError unless each tensor has its place in `model`, of its shape. */
const checkPlaces = (model: Model, given: ReadonlyMap<string, Tensor>): void => {
  const known = new Map(tensorsOf(model.weights));
  for (const [name, { shape }] of given) {
    const own = known.get(name);
    if (own !== undefined && shapeText(own.shape) === shapeText(shape)) continue;
    const what = own === undefined ? "nothing of that name" : shapeText(own.shape);
    throw new ConfigError(`is ${shapeText(shape)} in the adapter, and the model has ${what}`, {
      tensor: name,
      hint: "the adapter is for another base model",
    });
  }
};

/**
 * `model` with an adapter of PEFT: what adapter_config.json says and adapter_model.safetensors holds. Modules
 * that were saved whole take the places of the model's. Throws ConfigError naming the field or the tensor for
 * what is not supported, and for an adapter of another base.
 */
export const withAdapter = (model: Model, json: unknown, tensors: ReadonlyMap<string, Tensor>): Model => {
  const config = parse(json);
  const bare = bareOf(model);
  const { pairs, saved, bases } = sorted(tensors);
  const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
  const left = new Set(pairs.keys());
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const module = path.slice(bare.length).replace(/\.weight$/, "");
    const pair = pairs.get(module);
    const layout = layouts.get(path);
    if (pair === undefined || layout === undefined) return w;
    left.delete(module);
    return paired(w, { module, layout }, pair, config);
  });
  const [lost] = left;
  if (lost !== undefined) {
    const hint = "the adapter is for another base model";
    throw new ConfigError("has an adapter, and is no matrix of the model", { tensor: lost, hint });
  }
  const step = { name: "adapter", options: { alpha: config.lora_alpha, rankStabilized: config.use_rslora } };
  const made = { ...model, weights, history: [...model.history, step] };
  const whole = new Map([
    ...Array.from(saved, ([name, t]) => [bare + name, t] as const),
    ...Array.from(bases, ([module, t]) => [`${bare}${module}.weight.base`, t] as const),
  ]);
  checkPlaces(made, whole);
  return { ...made, weights: withTensors(weights, whole) };
};
