/** File formats as bytes: ONNX, safetensors and GGUF. */
export * from "./ggml.ts";
export type { GgmlForm } from "./ggmlBlocks.ts";
export * from "./gguf.ts";
export * from "./ggufRead.ts";
export * from "./halfGraph.ts";
export * from "./lower.ts";
export * from "./onnx.ts";
export * from "./onnxRead.ts";
export * from "./safetensors.ts";
export * from "./safetensorsIndex.ts";
