/** File formats as bytes: ONNX, safetensors and GGUF. */
export {
  type GgmlReadType,
  type GgmlType,
  type GgmlWrittenForm,
  ggmlReadTypes,
  ggmlTypes,
} from "./gguf/ggml.ts";
export type { GgmlForm } from "./gguf/ggmlBlocks.ts";
export {
  type EncodedGguf,
  encodeGguf,
  type GgufFile,
  type GgufScalar,
  type GgufScalarType,
  type GgufTensor,
  type GgufValue,
  ggmlBytes,
} from "./gguf/gguf.ts";
export {
  type DecodedGguf,
  decodeGguf,
  type GgufEntry,
  type GgufHeader,
  type GgufPlace,
  parseGguf,
} from "./gguf/read.ts";
export { type HalfOptions, halved } from "./onnx/halfGraph.ts";
export { type LowerOptions, toOnnx } from "./onnx/lower.ts";
export {
  type EncodedOnnx,
  type EncodeOptions,
  encodeOnnx,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
} from "./onnx/onnx.ts";
export { type DecodeOptions, decodeOnnx } from "./onnx/read.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsEntry,
  type SafetensorsHeader,
} from "./safetensors/safetensors.ts";
export { decodeIndex, encodeIndex, planShards, shardName } from "./safetensors/safetensorsIndex.ts";
