/** File formats as bytes: ONNX and safetensors. */
export * from "./lower.ts";
export * from "./onnx.ts";
export * from "./onnxRead.ts";
export * from "./safetensors.ts";
export * from "./safetensorsIndex.ts";
