/**
 * A model's folder in any dtypes, as transformers.js and Hugging Face load it: a file for each graph and
 * dtype, the weights as safetensors, the configs and the tokenizer's files.
 */
import { type Int8FormMap, type QuantizeOptions, quantized } from "../../compress/quantize.ts";
import type { Codes } from "../../compress/rounding/codes.ts";
import { widened } from "../../compress/widen.ts";
import { halved } from "../../formats/onnx/halfGraph.ts";
import { toOnnx } from "../../formats/onnx/lower.ts";
import type { OnnxModel } from "../../formats/onnx/onnx.ts";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { encodeIndex, planShards, shardName } from "../../formats/safetensors/safetensorsIndex.ts";
import type { Value } from "../../ir/op.ts";
import type { Program } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { MODULES, sentenceFiles, sentenceNames } from "../../models/checkpoint/sentenceModules.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { denseWeights } from "../../nn/param.ts";
import { optimize } from "../../rewrite/index.ts";
import { type GraphName, graphsOf } from "../../serve/graphs/graphs.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import { narrowBfloat16, narrowFloat16 } from "../../util/float16.ts";
import { nearest } from "../../util/nearest.ts";
import { flatten } from "../../util/tree.ts";
import { type ExportDtype, exportDtypes, graphFile } from "./dtype.ts";
import { configOf, generationOf, type SourceJson, spelledBytes } from "./exportConfig.ts";
import { type Files, graphFiles, jsonBytes } from "./files.ts";

/** Which dtypes are exported, and what travels along. */
export interface ExportOptions {
  /** Which dtypes; fp32 alone unless told, none where the folder is to have no graphs. */
  readonly dtypes?: readonly ExportDtype[];
  /** The dtype that a user gets who asks for none; the first unless told. */
  readonly defaultDtype?: ExportDtype;
  /** Files by name, as they are to be: the tokenizer's, and what else the checkpoint has. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
  /** The checkpoint's config.json: fields that the model does not know are kept beside its own. */
  readonly config?: SourceJson;
  /** The checkpoint's generation_config.json. */
  readonly generation?: SourceJson;
  /** The model in dtypes that were made already; others are made. */
  readonly forms?: Readonly<Partial<Record<ExportDtype, Model>>>;
  /** Names of the matrices that keep 8 bits in the dtypes of 4 (see `wideMatrices`). */
  readonly wide?: readonly string[];
  /** How 8-bit matrices meet their inputs (see `int8Forms`). */
  readonly int8?: Int8FormMap;
  /** Codes of 4-bit matrices (see `modelCodes`), and how they came to be; by scale search unless told. */
  readonly codes?: ReadonlyMap<string, Codes>;
  readonly rounding?: Pick<QuantizeOptions, "method" | "block">;
  /** Steps of a cache in int8 (see `cacheScales`), of the packed dtypes that compute in float32. */
  readonly cache?: Model["cacheScales"];
  /** Whether packed weights become float32 when a graph is loaded (see `widened`); not unless told. */
  readonly widen?: boolean;
  /** A graph whose weights take more bytes than this has them in a file beside it (1.9e9 unless told). */
  readonly inlineLimitBytes?: number;
  /** A file of safetensors is no larger than this, unless one tensor is (5e9 unless told, as on the Hub). */
  readonly shardLimitBytes?: number;
  /** Whether the dense weights are written too, to go on from; they are unless told. */
  readonly weights?: boolean;
  /** Weights that the checkpoint has in 16 bits, by name, and stay so; the others are float32. */
  readonly halves?: Halves;
}

/** Dtypes of 16 bits by the weights' names. */
export type Halves = ReadonlyMap<string, "float16" | "bfloat16">;

type File = readonly [path: string, chunks: readonly Uint8Array[]];

/** Bytes of one file of weights, as Hugging Face splits them. */
const SHARD_LIMIT = 5e9;

/** A cache is float16 where the graph is: transformers.js makes it as the graph's inputs say. */
const isCache = (name: string): boolean => /^(past_key_values|present)\b/.test(name);

/**
 * What Hugging Face keeps in float32 for T5 too (`_keep_in_fp32_modules`): the last product of the
 * feed-forward passes float16's range in trained models. The residual stream behind it is float32 then.
 */
const staysWide = (weight: string): boolean => /\.DenseReluDense\.wo\.weight(\.|$)/.test(weight);

/** The dtypes that words mean, each once. Throws ConfigError naming the nearest. */
export const dtypesFrom = (words: readonly string[], field: string): ExportDtype[] => {
  const known = Object.keys(exportDtypes);
  for (const word of words) {
    if (known.includes(word)) continue;
    const near = nearest(word, known);
    throw new ConfigError(`is "${word}", a dtype that is not known`, {
      field,
      hint: `${near === undefined ? "" : `did you mean "${near}"? `}known: ${known.join(", ")}`,
    });
  }
  if (words.length === 0) throw new ConfigError("names no dtype", { field, hint: known.join(", ") });
  return [...new Set(words)] as ExportDtype[];
};

/** A dense model in one dtype. */
const formOf = (model: Model, dtype: ExportDtype, options: ExportOptions): Model => {
  const { wide = [], int8: forms, codes, rounding = {}, widen = false } = options;
  const { packed, half } = exportDtypes[dtype];
  if (packed === undefined) return model;
  const asked = packed.bits === 4 ? { ...packed, ...rounding, wide } : packed;
  const formed = quantized(model, asked, defined({ forms, codes }));
  const whole = widen ? widened(formed) : formed;
  return half ? whole : { ...whole, ...defined({ cacheScales: options.cache }) };
};

/** The graphs of a model that is in the dtype's form already, ready to be encoded. */
export const formGraphs = (formed: Model, dtype: ExportDtype): ReadonlyMap<GraphName, OnnxModel> => {
  const { half } = exportDtypes[dtype];
  const graphs = new Map<GraphName, OnnxModel>();
  for (const [name, program] of Object.entries(graphsOf(formed)) as [GraphName, Program][]) {
    const onnx = toOnnx(optimize(program), { name, keepUnused: true });
    graphs.set(name, half ? halved(onnx, { io: isCache, keep: staysWide }) : onnx);
  }
  return graphs;
};

/** The graphs of a dense model in one dtype, ready to be encoded. */
export const onnxGraphs = (
  model: Model,
  dtype: ExportDtype,
  wide: readonly string[] = [],
): ReadonlyMap<GraphName, OnnxModel> => formGraphs(formOf(model, dtype, { wide }), dtype);

/** The graphs of a model in a dtype's form as files of its folder. */
export const formFiles = (formed: Model, dtype: ExportDtype): Files =>
  new Map(
    Array.from(formGraphs(formed, dtype), ([name, onnx]) => [
      ...graphFiles(onnx, graphFile(name, dtype)),
    ]).flat(),
  );

/** float32 as 16 bits: of numbers that were widened from that dtype, the very bits. */
const narrowed = ({ shape, data }: Tensor, dtype: "float16" | "bfloat16"): Tensor => {
  const bits = new Uint16Array(data.length);
  (dtype === "float16" ? narrowFloat16 : narrowBfloat16)(data as Float32Array, bits);
  return tensor(dtype, shape, bits);
};

/** The weights in their dense form as model.safetensors, or as shards with their index. */
export const weightFiles = (
  model: Model,
  limitBytes: number = SHARD_LIMIT,
  halves: Halves = new Map(),
): Files => {
  const tensors = flatten<Tensor>(denseWeights(model.weights));
  for (const [name, dtype] of halves) {
    const wide = tensors.get(name);
    if (wide !== undefined) tensors.set(name, narrowed(wide, dtype));
  }
  const shards = planShards(tensors, limitBytes);
  if (shards.length <= 1) {
    return new Map([["model.safetensors", encodeSafetensors(tensors, { format: "pt" })]]);
  }
  const files: Files = new Map();
  shards.forEach((names, i) => {
    const part = new Map(names.map((name) => [name, tensors.get(name)!]));
    files.set(shardName(i, shards.length), encodeSafetensors(part, { format: "pt" }));
  });
  const index = new TextEncoder().encode(encodeIndex(shards, tensors));
  return files.set("model.safetensors.index.json", [index]);
};

/** The files of all graphs, one dtype at a time. */
function* graphsIn(model: Model, options: ExportOptions): Generator<File> {
  const { dtypes = ["fp32"], inlineLimitBytes, forms = {} } = options;
  for (const dtype of dtypes) {
    const formed = forms[dtype] ?? formOf(model, dtype, options);
    for (const [name, onnx] of formGraphs(formed, dtype)) {
      yield* graphFiles(onnx, graphFile(name, dtype), inlineLimitBytes);
    }
  }
}

const defaultOf = ({
  dtypes = ["fp32"],
  defaultDtype = dtypes[0],
}: ExportOptions): ExportDtype | undefined => {
  if (defaultDtype === undefined || dtypes.includes(defaultDtype)) return defaultDtype;
  throw new ConfigError(`is ${defaultDtype}, which is not among the exported dtypes`, {
    field: "default",
    hint: `exported: ${dtypes.join(", ")}`,
  });
};

/** What came along, less what would have a model that is none of features taken for one. */
const filesFor = ({ arch, config }: Model, files: ReadonlyMap<string, Uint8Array>) => {
  if (headOf(arch, config) === "features" || !files.has(MODULES)) return files;
  const others = new Map(files);
  for (const name of sentenceNames([...files.keys()])) others.delete(name);
  return others;
};

/** The files that say how a model pools, where what it came from has none. */
function* poolingFiles(model: Model, files: ReadonlyMap<string, Uint8Array>): Generator<File> {
  const { pooling } = model;
  if (pooling === undefined || files.has(MODULES)) return;
  const { sentence_embedding: vectors } = graphsOf(model).model!.outputs as Readonly<Record<string, Value>>;
  const width = vectors!.shape[1] as number;
  for (const [name, json] of sentenceFiles(pooling, width)) yield [name, [jsonBytes(json)]];
}

/**
 * The files of the exported folder, made one after the other as they are taken, so that a large model's
 * dtypes never stand in memory at once. `model` is dense. Throws as `exportModel`.
 */
export function* exportFiles(model: Model, options: ExportOptions = {}): Generator<File> {
  const { files = new Map<string, Uint8Array>(), config: source = { fields: {} } } = options;
  const defaultDtype = defaultOf(options);
  for (const [name, bytes] of filesFor(model, files)) yield [name, [bytes]];
  yield* poolingFiles(model, files);
  if (options.weights ?? true) yield* weightFiles(model, options.shardLimitBytes, options.halves);
  const external: string[] = [];
  for (const file of graphsIn(model, options)) {
    const beside = /^onnx\/(.*)_data$/.exec(file[0]);
    if (beside !== null) external.push(beside[1]!);
    yield file;
  }
  const generation = generationOf(model, options.generation, source);
  if (generation !== undefined) yield ["generation_config.json", [spelledBytes(generation)]];
  yield ["config.json", [spelledBytes(configOf(model, { source, defaultDtype, external }))]];
}

/**
 * All files of the exported folder. Throws ConfigError where the default dtype is not exported, and where a
 * weight does not fit float16 and a dtype asks for it.
 */
export const exportModel = (model: Model, options: ExportOptions = {}): Files =>
  new Map(exportFiles(model, options));
