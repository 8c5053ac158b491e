/** The shipped folder: graphs, parity, GGUF. */
export * from "./gguf/gguf.ts";
export * from "./onnx/dtype.ts";
export * from "./onnx/export.ts";
export * from "./onnx/files.ts";
export * from "./onnx/modelFolder.ts";
export * from "./verify/parity.ts";
export * from "./verify/reference.ts";
export * from "./verify/table.ts";
export * from "./verify/verify.ts";
