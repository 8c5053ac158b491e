/** File formats as bytes: ONNX, safetensors and GGUF. */
export { type GgmlReadType, type GgmlType, type GgmlWrittenForm, ggmlReadTypes, ggmlTypes } from "./ggml.ts";
export type { GgmlForm } from "./ggmlBlocks.ts";
export {
  type EncodedGguf,
  encodeGguf,
  type GgufFile,
  type GgufScalar,
  type GgufScalarType,
  type GgufTensor,
  type GgufValue,
  ggmlBytes,
} from "./gguf.ts";
export { type DecodedGguf, decodeGguf, type GgufEntry, type GgufHeader, parseGguf } from "./ggufRead.ts";
export { type HalfOptions, halved } from "./halfGraph.ts";
export { type LowerOptions, toOnnx } from "./lower.ts";
export {
  type EncodedOnnx,
  type EncodeOptions,
  encodeOnnx,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
} from "./onnx.ts";
export { type DecodeOptions, decodeOnnx } from "./onnxRead.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from "./safetensors.ts";
export { decodeIndex, encodeIndex, planShards, shardName } from "./safetensorsIndex.ts";
