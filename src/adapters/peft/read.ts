/**
 * Reads adapters in the format of Hugging Face PEFT
 * (https://huggingface.co/docs/peft/developer_guides/checkpoint).
 */
import { shapeText, type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { type Layout, type PackedWeight, tensorsOf, type Weight, withTensors } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, mapTree } from "../../util/tree.ts";
import { adapterOn, tokensOn } from "../adapt.ts";
import { bareOf, CONFIG, isEnd, PREFIX, transposed } from "./names.ts";

/** Options of a config that change what an adapter does and are not supported. */
const foreign = ["layer_replication", "target_parameters", "use_qalora", "use_bdlora"].concat(
  ["alora_invocation_tokens", "megatron_config", "arrow_config", "kasa_config", "monteclora_config"],
  ["velora_config"],
);

interface PeftConfig {
  readonly lora_alpha: number;
  readonly lora_dropout: number;
  readonly use_rslora: boolean;
  readonly alpha_pattern: Readonly<Record<string, number>>;
  /** Ids of trained rows by the end of their table's name; under "" for whichever table. */
  readonly tokens: Readonly<Record<string, readonly number[]>>;
}

const OTHER = "the adapter is for another base model";

/** Ids of trained rows: of the one table, or by tables. */
const tokensIn = (given: unknown): PeftConfig["tokens"] => {
  if (given == null) return {};
  const tables = Array.isArray(given) ? { "": given } : (given as object);
  return Object.fromEntries(
    Object.entries(tables).map(([name, ids]: [string, unknown]) => {
      const right = Array.isArray(ids) && ids.every((id) => Number.isSafeInteger(id) && id >= 0);
      if (right) return [name, ids as readonly number[]];
      throw new ConfigError("must be lists of token ids", { file: CONFIG, field: "trainable_token_indices" });
    }),
  );
};

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
  if (f.bias != null && !["none", "all", "lora_only"].includes(f.bias as string)) {
    refuse("bias", "it is none, all or lora_only");
  }
  const patterns = Object.entries((f.alpha_pattern ?? {}) as object).map(([name, alpha]) => {
    if (!/^[\w.]+$/.test(name)) refuse("alpha_pattern", "ends of module names are read, not patterns");
    return [name, numberIn(alpha, `alpha_pattern.${name}`)] as const;
  });
  return {
    lora_alpha: numberIn(f.lora_alpha, "lora_alpha"),
    lora_dropout: numberIn(f.lora_dropout ?? 0, "lora_dropout"),
    use_rslora: f.use_rslora === true,
    alpha_pattern: Object.fromEntries(patterns),
    tokens: tokensIn(f.trainable_token_indices),
  };
};

/** A and B of a module, in the form of our kind: of an embedding they stand the other way round. */
interface Pair {
  a?: Tensor;
  b?: Tensor;
  /** Of DoRA, [N]. */
  magnitude?: Tensor;
  /** Of `lora_bias`, [N]: what B's product has added, before the scale. */
  bias?: Tensor;
}

interface Read {
  /** By module. */
  readonly pairs: Map<string, Pair>;
  /** Other tensors, by the name that they have in the Hugging Face class. */
  readonly saved: Map<string, Tensor>;
  /** Weights that were saved with the adapter on them, by module. */
  readonly bases: Map<string, Tensor>;
  /** Trained rows of tables, by module. */
  readonly rows: Map<string, Tensor>;
}

/** What a part of a module's adapter is, by the end of its key. */
const partsByKey: Readonly<Record<string, (pair: Pair, t: Tensor) => void>> = {
  "lora_A.weight": (pair, t) => Object.assign(pair, { a: t }),
  "lora_B.weight": (pair, t) => Object.assign(pair, { b: t }),
  "lora_B.bias": (pair, t) => Object.assign(pair, { bias: t }),
  lora_embedding_A: (pair, t) => Object.assign(pair, { b: transposed(t) }),
  lora_embedding_B: (pair, t) => Object.assign(pair, { a: transposed(t) }),
  lora_magnitude_vector: (pair, t) => Object.assign(pair, { magnitude: t }),
  "lora_magnitude_vector.weight": (pair, t) => Object.assign(pair, { magnitude: t }),
};

const KEY = /^(.*)\.(lora_.*|base_layer\.weight|token_adapter\.trainable_tokens_delta)$/;

const sorted = (tensors: ReadonlyMap<string, Tensor>): Read => {
  const read: Read = { pairs: new Map(), saved: new Map(), bases: new Map(), rows: new Map() };
  for (const [key, t] of tensors) {
    const name = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key;
    const [, module, part] = KEY.exec(name) ?? [];
    if (module === undefined) read.saved.set(name.replace(".base_layer.", "."), t);
    else if (part === "base_layer.weight") read.bases.set(module, t);
    else if (part!.startsWith("token_adapter")) read.rows.set(module, t);
    else {
      const put = partsByKey[part!];
      if (put === undefined) throw new ConfigError("is no part of a low-rank adapter", { tensor: key });
      const pair = read.pairs.get(module) ?? {};
      put(pair, t);
      read.pairs.set(module, pair);
    }
  }
  return read;
};

interface Place {
  readonly module: string;
  readonly layout: Layout;
}

/** What tells an adapter from one for this base: a tensor, and what is wrong with it. */
type Fault = readonly [tensor: string, what: string];

/** How many faults are told by name. */
const TOLD = 5;

/** Throws ConfigError naming the tensors that do not fit. */
const requireNone = (faults: readonly Fault[]): void => {
  const [first, ...others] = faults;
  if (first === undefined) return;
  const names = others.slice(0, TOLD - 1).map(([name]) => name);
  const more = others.length > names.length ? ` and ${others.length - names.length} more` : "";
  const also = others.length === 0 ? "" : `; so do not fit ${names.join(", ")}${more}`;
  throw new ConfigError(`${first[1]}${also}`, { tensor: first[0], hint: OTHER });
};

const faultOf = (base: Weight, { module, layout }: Place, { a, b, magnitude }: Pair): Fault[] => {
  const [k, n] = layout === "kn" ? base.shape : base.shape.toReversed();
  if (a === undefined || b === undefined) {
    throw new ConfigError(`lacks its lora_${a === undefined ? "A" : "B"}`, { tensor: module });
  }
  const lengths = magnitude === undefined || magnitude.data.length === n;
  if (a.shape[1] === k && b.shape[0] === n && a.shape[0] === b.shape[1] && lengths) return [];
  const shapes = `A ${shapeText(a.shape)} and B ${shapeText(b.shape)}`;
  return [[module, `has an adapter of ${shapes}, and ${k} inputs and ${n} outputs`]];
};

/** The scale's alpha of a module. */
const alphaOf = (module: string, { alpha_pattern, lora_alpha }: PeftConfig): number => {
  const end = Object.keys(alpha_pattern).find((name) => isEnd(module, name));
  return end === undefined ? lora_alpha : alpha_pattern[end]!;
};

/** A weight with the adapter of a pair that fits it. */
const paired = (base: Weight, { module, layout }: Place, pair: Pair, config: PeftConfig): PackedWeight => {
  const { a, b, magnitude } = pair as Required<Pair>;
  const [rank, dropout] = [a.shape[0]!, config.lora_dropout];
  const how = { alpha: alphaOf(module, config), dropout, rankStabilized: config.use_rslora, rank };
  const lengths = magnitude && tensor("float32", [magnitude.data.length], magnitude.data as Float32Array);
  return adapterOn(base, layout, { a, b, ...how, ...(lengths ? { magnitude: lengths } : {}) });
};

/** Tensors that have no place of their shape in `model`. */
const misplaced = (model: Model, given: ReadonlyMap<string, Tensor>): Fault[] => {
  const known = new Map(tensorsOf(model.weights));
  return Array.from(given).flatMap(([name, { shape }]): Fault[] => {
    const own = known.get(name);
    if (own !== undefined && shapeText(own.shape) === shapeText(shape)) return [];
    const what = own === undefined ? "nothing of that name" : shapeText(own.shape);
    return [[name, `is ${shapeText(shape)} in the adapter, and the model has ${what}`]];
  });
};

/** The biases of modules whose B adds something (lora_bias): the scaled sum. */
const biasesWith = (model: Model, read: Read, bare: string): Map<string, Tensor> => {
  const known = new Map(tensorsOf(model.weights));
  const weights = flatten<Weight>(model.weights);
  const found = [...read.pairs].flatMap(([module, { bias }]): [string, Tensor][] => {
    if (bias === undefined) return [];
    const name = `${bare}${module}.bias`;
    const own = read.saved.get(`${module}.bias`) ?? known.get(name);
    if (own === undefined) {
      const hint = "merge the adapter with PEFT, and load the model";
      throw new ConfigError("adds a bias (lora_bias) to what has none", { tensor: module, hint });
    }
    const { scale } = (weights.get(`${bare}${module}.weight`) as PackedWeight).attrs as { scale: number };
    const values = Float32Array.from(
      own.data as Float32Array,
      (x, i) => x + scale * (bias.data[i] as number),
    );
    return [[name, tensor("float32", own.shape, values)]];
  });
  return new Map(found);
};

/** `model` with adapters on the weights that `read` has some for. Throws ConfigError naming those without. */
const onWeights = (model: Model, read: Read, config: PeftConfig, bare: string): Model["weights"] => {
  const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
  const left = new Set([...read.pairs.keys(), ...read.rows.keys()]);
  const faults: Fault[] = [];
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const module = path.slice(bare.length).replace(/\.weight$/, "");
    const layout = layouts.get(path);
    if (layout === undefined || !left.delete(module)) return w;
    const [pair, rows] = [read.pairs.get(module), read.rows.get(module)];
    const wrong = pair === undefined ? [] : faultOf(w, { module, layout }, pair);
    faults.push(...wrong);
    if (wrong.length > 0) return w;
    const on = pair === undefined ? w : paired(w, { module, layout }, pair, config);
    const end = Object.keys(config.tokens).find((name) => name === "" || isEnd(module, name));
    if (rows === undefined) return on;
    if (end !== undefined) return tokensOn(on, config.tokens[end]!, rows);
    const field = "trainable_token_indices";
    throw new ConfigError(`names no rows of ${module}, which has some`, { file: CONFIG, field });
  });
  const lost = Array.from(left, (module): Fault => {
    return [module, "has an adapter, and is no matrix of the model"];
  });
  requireNone([...faults, ...lost]);
  return weights;
};

/**
 * `model` with an adapter of PEFT: what adapter_config.json says and adapter_model.safetensors holds. Modules
 * that were saved whole take the places of the model's. Throws ConfigError naming the field or the tensor for
 * what is not supported, and for an adapter of another base the tensors that differ.
 */
export const withAdapter = (model: Model, json: unknown, tensors: ReadonlyMap<string, Tensor>): Model => {
  const config = parse(json);
  const bare = bareOf(model);
  const read = sorted(tensors);
  const weights = onWeights(model, read, config, bare);
  const step = { name: "adapter", options: { alpha: config.lora_alpha, rankStabilized: config.use_rslora } };
  const made = { ...model, weights, history: [...model.history, step] };
  const whole = new Map([
    ...Array.from(read.saved, ([name, t]) => [bare + name, t] as const),
    ...Array.from(read.bases, ([module, t]) => [`${bare}${module}.weight.base`, t] as const),
  ]);
  requireNone(misplaced(made, whole));
  const biases = biasesWith(made, read, bare);
  return { ...made, weights: withTensors(weights, new Map([...whole, ...biases])) };
};
