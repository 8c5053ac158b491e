/** Weight quantization, 8 or 4 bits: see int8.ts beside it, and rounding/ for the methods of 4 bits. */
import type { Engine } from "../engine/engine.ts";
import { type LinearInfo, packable } from "../models/linears.ts";
import type { HistoryStep, Model } from "../models/model.ts";
import { kinds } from "../nn/kinds/index.ts";
import { isPacked, type PackedWeight, type Weight } from "../nn/param.ts";
import type { Int8Form } from "../ops/int8.ts";
import { defined } from "../util/defined.ts";
import { ConfigError } from "../util/errors.ts";
import { nearest as nearestName } from "../util/nearest.ts";
import { entries, mapTree } from "../util/tree.ts";
import { calibrationBatches } from "./calibration/batches.ts";
import { type CodesOptions, type ModelCodes, modelCodes } from "./calibration/codes.ts";
import { int8Forms } from "./forms.ts";
import { INT4_BLOCK, INT4_BLOCKS, int4Parts } from "./int4.ts";
import { int8Parts, plainForm } from "./int8.ts";
import { type Matrix, matrixOf } from "./matrix.ts";
import { type Context, derived, memoIn, type Pass } from "./pass.ts";
import type { Ids } from "./probe.ts";
import { type Codes, packedParts } from "./rounding/codes.ts";
import { type RoundingName, roundingMethods } from "./rounding/methods.ts";
import { groupCosts, type MatrixGroup, wideUnderBudget } from "./sensitivity.ts";

/** Bits of a weight, and which matrices take how many. */
export interface QuantizeOptions {
  /** 2 are what a model has learnt under, each matrix by codes of its own: they are not found here. */
  readonly bits: 8 | 4 | 2;
  /** Of 8 bits: stored as uint8 around 128 instead of int8 around 0. */
  readonly unsigned?: boolean;
  /**
   * Of 4 bits: names of the matrices that take 8 instead, or stay dense (`spared`). The pass finds them by
   * itself (see `wideMatrices`) where it is told none and has texts to measure on.
   */
  readonly wide?: readonly string[];
  /** Of 4 bits: what the `wide` matrices are; of 8 bits unless told. */
  readonly spared?: "int8" | "dense";
  /** Of 4 bits: how numbers become codes; by scale search unless told. Some need texts. */
  readonly method?: RoundingName;
  /** Of 4 bits: inputs that share a scale, 32, 64 or 128; 32 unless told. */
  readonly block?: number;
}

const stepOf = (given: QuantizeOptions): HistoryStep => ({ name: "quantize", options: saidOf(given) });

const saidOf = (options: QuantizeOptions): HistoryStep["options"] => {
  const { bits, unsigned = false, wide = [], spared = "int8", method, block } = options;
  return {
    ...{ bits, ...(unsigned ? { unsigned } : {}) },
    ...defined({ method, block }),
    ...(wide.length > 0 ? { wide: [...wide] } : {}),
    ...(spared === "dense" ? { spared } : {}),
  };
};

const check = ({ bits, unsigned = false, wide = [], spared, method, block }: QuantizeOptions): void => {
  if (bits !== 8 && bits !== 4 && bits !== 2)
    throw new ConfigError(`must be 8, 4 or 2, not ${bits}`, { field: "quantize.bits" });
  if (unsigned && bits !== 8) throw new ConfigError("goes with 8 bits only", { field: "quantize.unsigned" });
  if (wide.length > 0 && bits !== 4)
    throw new ConfigError("goes with 4 bits only", { field: "quantize.wide" });
  if (spared !== undefined && bits !== 4)
    throw new ConfigError("goes with 4 bits only", { field: "quantize.spared" });
  checkMethod({ bits, ...defined({ method, block }) });
};

const unlearnt = (): ConfigError =>
  new ConfigError("is 2: so few are right where a model has learnt under them alone", {
    field: "quantize.bits",
    hint: "anneal distill MODEL --bits 2 teaches it, and writes them",
  });

/** Throws ConfigError for a method that there is not, and for what 8 bits do not have. */
const checkMethod = ({ bits, method, block }: QuantizeOptions): void => {
  if (method !== undefined && !Object.hasOwn(roundingMethods, method)) {
    const known = Object.keys(roundingMethods);
    const near = nearestName(method, known);
    throw new ConfigError(`is "${method}", a method that is not known`, {
      field: "quantize.method",
      hint: `${near === undefined ? "" : `did you mean "${near}"? `}known: ${known.join(", ")}`,
    });
  }
  if (bits !== 4 && method !== undefined && method !== "nearest") {
    throw new ConfigError("goes with 4 bits only: 8 round to nearest, which costs next to nothing", {
      field: "quantize.method",
    });
  }
  if (block === undefined) return;
  if (bits !== 4) throw new ConfigError("goes with 4 bits only", { field: "quantize.block" });
  if (!INT4_BLOCKS.some((size) => size === block)) {
    throw new ConfigError(`must be ${INT4_BLOCKS.join(", ")}, not ${block}`, {
      field: "quantize.block",
      hint: "other sizes have no quick kernel",
    });
  }
};

/** The forms of 8-bit matrices by path, as `int8Forms` finds them. */
export type Int8FormMap = ReadonlyMap<string, Int8Form>;

/** What was measured of a model before its matrices are packed. */
export interface PackingParts {
  /** Matrices of 8 bits without a form read two digits. */
  readonly forms?: Int8FormMap;
  /** Codes of 4 or 2 bits by path; matrices without any are rounded by scale search alone, to 4. */
  readonly codes?: ReadonlyMap<string, Codes>;
}

/** Of a table rows are looked up. */
const packed = (
  { path, role, ...matrix }: Matrix & LinearInfo,
  options: QuantizeOptions,
  { forms, codes }: PackingParts,
) => {
  const table = role === "embedding";
  const { bits, unsigned = false, wide = [], block = INT4_BLOCK } = options;
  if (bits !== 8 && !wide.includes(path)) {
    const own = codes?.get(path);
    if (own?.bits === 2) return { kind: kinds.int2, parts: packedParts(own, own.block) };
    return { kind: kinds.int4, parts: own ? packedParts(own, block) : int4Parts(matrix, block) };
  }
  const form = forms?.get(path) ?? plainForm(matrix);
  const parts = int8Parts(matrix, form, { unsigned, table });
  return { kind: kinds.int8, parts, attrs: { ...form, ...(table ? { table: 1 } : {}) } };
};

/**
 * `model` with its matrices packed; norms, biases, positions and the projection to labels stay float32.
 * `codes` are of this very model: what a method folds, it has folded.
 */
export const quantized = (model: Model, options: QuantizeOptions, measured: PackingParts = {}): Model => {
  check(options);
  if (options.bits === 2 && measured.codes === undefined) throw unlearnt();
  const matrices = packable(model.arch.linears(model.config));
  for (const path of options.wide ?? []) {
    if (!matrices.has(path))
      throw new ConfigError(`${path} is no matrix of the model`, { field: "quantize.wide" });
  }
  const dense = new Set(options.spared === "dense" ? options.wide : []);
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const info = matrices.get(path);
    if (info === undefined || dense.has(path)) return w;
    if (isPacked(w)) throw new ConfigError(`is ${w.kind.name} already`, { tensor: path });
    const { layout } = info;
    const form: PackedWeight = {
      ...{ dtype: "float32", shape: w.shape, layout },
      ...packed({ ...info, ...matrixOf(path, w, layout) }, options, measured),
    };
    return form;
  });
  return derived(model, stepOf(options), { weights });
};

/** Tokens of calibration that are read at most unless told. */
export const CALIBRATION_TOKENS = 16_384;

/** How a model's matrices of 4 bits are rounded. */
export interface RoundedOptions extends Pick<CodesOptions, "signal" | "onSite" | "inputs"> {
  readonly rounding: Pick<QuantizeOptions, "method" | "block">;
  /** Matrices that keep more bits. */
  readonly wide: readonly string[];
  /** Texts as token ids. */
  readonly texts?: Ids;
  /** Most of their tokens that are read. */
  readonly tokens?: number;
}

/** Codes of a dense model's matrices of 4 bits. Throws ConfigError where the method needs texts. */
export const roundedModel = async (
  engine: Engine,
  model: Model,
  { rounding, wide, texts, tokens = CALIBRATION_TOKENS, ...hooks }: RoundedOptions,
): Promise<ModelCodes> => {
  check({ bits: 4, ...rounding });
  requireDense(model);
  const { method = "search", block = INT4_BLOCK } = rounding;
  const batches = texts === undefined ? undefined : calibrationBatches(model, texts, tokens);
  return modelCodes(engine, model, { method, grid: { bits: 4, block }, except: wide, batches, ...hooks });
};

/** Throws ConfigError for a model with packed matrices. */
const requireDense = (model: Model): void => {
  const known = packable(model.arch.linears(model.config));
  for (const [path, w] of entries<Weight>(model.weights)) {
    if (!known.has(path) || !isPacked(w)) continue;
    throw new ConfigError(`is ${w.kind.name} already`, {
      tensor: path,
      hint: "quantize the model as it was before",
    });
  }
};

/** The forms of 8-bit matrices, measured once in a context that keeps them. Throws as `int8Forms`. */
export const formsIn = (model: Model, texts: Ids, context: Context): Promise<Int8FormMap> =>
  memoIn(context)(model, "forms of 8 bits", () =>
    int8Forms(context.engine, model, texts, defined({ signal: context.signal })),
  );

/** What 4 bits cost, measured once in a context that keeps it. Throws as `groupCosts`. */
export const costsIn = (model: Model, texts: Ids, context: Context): Promise<readonly MatrixGroup[]> =>
  memoIn(context)(model, "what 4 bits cost", () =>
    groupCosts(context.engine, model, texts, defined({ signal: context.signal })),
  );

/** What a pass measures of a model: which matrices keep 8 bits, forms and codes of the others. */
const measured = async (model: Model, options: QuantizeOptions, context: Context) => {
  const { engine, calibration: texts, signal, log } = context;
  requireDense(model);
  if (options.bits === 2) throw unlearnt();
  const forms = texts === undefined ? undefined : await formsIn(model, texts, context);
  if (options.bits !== 4) return { options, model, parts: defined({ forms }) };
  const found = options.wide === undefined && texts !== undefined;
  const wide = found ? wideUnderBudget(await costsIn(model, texts, context)) : (options.wide ?? []);
  const { method, block } = options;
  const rounding = defined({ method, block });
  const made = await roundedModel(engine, model, { rounding, wide, signal, ...defined({ texts }) });
  for (const note of made.notes) log(note);
  return {
    options: { ...options, wide },
    model: made.model,
    parts: { codes: made.codes, ...defined({ forms }) },
  };
};

/** The pass that packs the matrices; see `quantized`. Throws ConfigError where the method needs texts. */
export const quantize = (options: QuantizeOptions): Pass => {
  check(options);
  return {
    ...stepOf(options),
    async run(model, context) {
      const found = await measured(model, options, context);
      return quantized(found.model, found.options, found.parts);
    },
  };
};
