/**
 * How each ONNX op takes part in a float16 graph, and what dtype its outputs have. Ops that the table does
 * not name are refused, so that no graph is converted by a guess.
 */
import type { DType } from "../../ir/tensor.ts";

/**
 * product: computes in float16, where the time and the bytes are. follow: in float16 unless something that it
 * computes with is float32. wide: in float32, because sums, powers and exponentials lose too much.
 */
export type Width = "product" | "follow" | "wide";

/** Dtype of each output: a fixed one, "same" as input number `from`, or as the input of that number. */
export interface HalfRule {
  readonly width: Width;
  readonly outputs: readonly (DType | "same" | number)[];
  /** The input that "same" means (0 unless told). */
  readonly from?: number;
  /** Inputs from this number on stay float32: steps of a cache in int8. */
  readonly wideFrom?: number;
}

type Rules = readonly (readonly [ops: string, rule: HalfRule])[];

const same: HalfRule["outputs"] = ["same"];

const table: Rules = [
  ["MatMul FusedMatMul Gemm MatMulNBits RotaryEmbedding Einsum", { width: "product", outputs: same }],
  ["MultiHeadAttention", { width: "product", outputs: same }],
  ["GroupQueryAttention", { width: "product", outputs: ["same", 3, 4], wideFrom: 12 }],
  ["Add Sub Mul Div Neg Abs Min Max Clip Identity Sign", { width: "follow", outputs: same }],
  ["Relu Sigmoid Tanh Gelu FastGelu QuickGelu HardSigmoid BiasGelu", { width: "follow", outputs: same }],
  ["Reshape Transpose Slice Concat Gather GatherElements GatherND", { width: "follow", outputs: same }],
  ["Expand Squeeze Unsqueeze Pad Tile Flatten Trilu", { width: "follow", outputs: same }],
  ["ScatterND ScatterElements", { width: "follow", outputs: same }],
  ["Where", { width: "follow", outputs: same, from: 1 }],
  ["Split", { width: "follow", outputs: same }],
  [
    "LayerNormalization SimplifiedLayerNormalization",
    { width: "follow", outputs: ["same", "float32", "float32"] },
  ],
  [
    "SkipLayerNormalization SkipSimplifiedLayerNormalization",
    { width: "follow", outputs: ["same", "float32", "float32", "same"] },
  ],
  ["RMSNormalization", { width: "follow", outputs: same }],
  ["Equal Greater GreaterOrEqual Less LessOrEqual", { width: "follow", outputs: ["bool"] }],
  ["And Or Not Xor IsNaN", { width: "follow", outputs: ["bool"] }],
  ["BitwiseAnd BitwiseOr BitShift", { width: "follow", outputs: same }],
  ["Shape Size", { width: "follow", outputs: ["int64"] }],
  ["ReduceSum ReduceMean ReduceMax ReduceMin ReduceSumSquare ReduceL2", { width: "wide", outputs: same }],
  ["Softmax LogSoftmax Exp Log Pow Sqrt Reciprocal Erf Sin Cos", { width: "wide", outputs: same }],
  ["Floor Ceil Round Mod CumSum Range Softplus", { width: "wide", outputs: same }],
  ["DynamicQuantizeMatMul", { width: "wide", outputs: same }],
  ["QuantizeLinear", { width: "wide", outputs: ["uint8"] }],
  ["MatMulIntegerToFloat DequantizeLinear", { width: "wide", outputs: ["float32"] }],
  ["DynamicQuantizeLinear", { width: "wide", outputs: ["uint8", "float32", "uint8"] }],
  ["ArgMax ArgMin NonZero", { width: "wide", outputs: ["int64"] }],
  ["TopK", { width: "wide", outputs: ["same", "int64"] }],
  ["OneHot", { width: "wide", outputs: same, from: 2 }],
];

/** The rule of each op by its name. */
export const halfRules: ReadonlyMap<string, HalfRule> = new Map(
  table.flatMap(([ops, rule]) => ops.split(" ").map((op) => [op, rule] as const)),
);
