/** The shipped folder: graphs, parity, GGUF. */
export { type Gguf, type GgufOptions, type GgufTokenizer, gguf } from "./gguf/gguf.ts";
export {
  type DtypeForm,
  dtypes,
  type ExportDtype,
  exportDtypes,
  type ShipDtype,
  type Tolerance,
} from "./onnx/dtype.ts";
export {
  type ExportOptions,
  exportFiles,
  exportModel,
  formFiles,
  formGraphs,
  type Halves,
  onnxGraphs,
} from "./onnx/export.ts";
export type { SourceJson } from "./onnx/exportConfig.ts";
export type { Files } from "./onnx/files.ts";
export { type FolderOptions, type FolderSource, modelFolder } from "./onnx/modelFolder.ts";
export type { Parity } from "./verify/parity.ts";
export { type Described, type PromptOptions, referenceOf, referenceOfGraphs } from "./verify/reference.ts";
export { type ParityTable, parityMarkdown, parityTable } from "./verify/table.ts";
export type {
  DtypeParity,
  ParityFile,
  TargetParity,
} from "./verify/verify.ts";
