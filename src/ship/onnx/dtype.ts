/**
 * The dtypes of a shipped model, by the names and file suffixes that transformers.js knows
 * (https://huggingface.co/docs/transformers.js/guides/dtypes).
 */
import { type Pass, pipe, type QuantizeOptions, quantize } from "../../compress/index.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";

/** Every dtype of a graph, from the most exact. */
export type ExportDtype = "fp32" | "fp16" | "q8" | "int8" | "uint8" | "q4" | "q4f16" | "q2";
/** Those among which the recipes choose. */
export type ShipDtype = "fp32" | "q8" | "q4";
/** Those that a model taught here may be shipped in. */
export type TaughtDtype = ShipDtype | "q2";

/** How far a dtype's outputs may be from those of the float32 model. */
export interface Tolerance {
  /** Smallest cosine of all outputs together. */
  readonly cosine: number;
  /**
   * Largest difference of an output, as a share of the largest magnitude of all: of forms that round each
   * number alone. Among weights of few bits one output may be far off and the answer the same.
   */
  readonly maxDiff?: number;
  /** Smallest share of rows whose likeliest token or label is the same; of outputs that are logits. */
  readonly top?: number;
}

/** What a dtype's files are named, and what is done to a model for it. */
export interface DtypeForm {
  /** What follows the graph's name in the file's name. */
  readonly suffix: string;
  /** File of a model of one graph in the folder. */
  readonly file: string;
  /** How its matrices are packed, if they are. */
  readonly packed?: QuantizeOptions;
  /** The pass that packs them; none leaves the model as it is. */
  readonly pass: Pass;
  /** Computed in float16 where it is exact enough. */
  readonly half: boolean;
  readonly tolerance: Tolerance;
}

const form = (suffix: string, tolerance: Tolerance, half: boolean, packed?: QuantizeOptions): DtypeForm => ({
  suffix,
  file: `onnx/model${suffix}.onnx`,
  ...(packed === undefined ? { pass: pipe() } : { packed, pass: quantize(packed) }),
  half,
  tolerance,
});

/**
 * float32 and float16 have to compute the same, up to rounding. Forms of few bits are judged by what a user
 * of the model sees, each class by one measure: the direction of the outputs and the likeliest tokens.
 */
export const tolerances = {
  exact: { maxDiff: 1e-4, cosine: 0.999999 },
  half: { maxDiff: 1e-2, cosine: 0.9999 },
  eight: { cosine: 0.999, top: 0.95 },
  // What is missing to 1 lies midway between those of 8 and of 4 bits, as a ratio.
  six: { cosine: 0.996, top: 0.9 },
  four: { cosine: 0.985, top: 0.8 },
  three: { cosine: 0.95, top: 0.6 },
} as const satisfies Readonly<Record<string, Tolerance>>;

/** Every dtype that can be exported. int8 is q8 under the name that says what it is. */
export const exportDtypes: Readonly<Record<ExportDtype, DtypeForm>> = {
  fp32: form("", tolerances.exact, false),
  fp16: form("_fp16", tolerances.half, true),
  q8: form("_quantized", tolerances.eight, false, { bits: 8 }),
  int8: form("_int8", tolerances.eight, false, { bits: 8 }),
  uint8: form("_uint8", tolerances.eight, false, { bits: 8, unsigned: true }),
  q4: form("_q4", tolerances.four, false, { bits: 4 }),
  // 8-bit products have no form in float16: graphs of GPT-2 and BERT with some among halves end the process
  // that loads them (onnxruntime 1.30 and 1.32), and WebGPU hands them to the processor.
  q4f16: form("_q4f16", tolerances.four, true, { bits: 4, spared: "dense" }),
  q2: form("_q2", tolerances.four, false, { bits: 2 }),
};

/** The dtypes that any model can be exported in. */
export const anyModelDtypes: readonly ExportDtype[] = (Object.keys(exportDtypes) as ExportDtype[]).filter(
  (dtype) => exportDtypes[dtype].packed?.bits !== 2,
);

/** The dtypes that the recipes make and choose from, from the most exact. */
export const dtypes: Readonly<Record<ShipDtype, DtypeForm>> = {
  fp32: exportDtypes.fp32,
  q8: exportDtypes.q8,
  q4: exportDtypes.q4,
};

/** Path of a graph's file in the folder. */
export const graphFile = (graph: GraphName, dtype: ExportDtype): string =>
  `onnx/${graph}${exportDtypes[dtype].suffix}.onnx`;
