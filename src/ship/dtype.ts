/** The dtypes of a shipped model, by the names and files that transformers.js knows. */
import { type Pass, pipe, quantize } from "../compress/index.ts";

export type ShipDtype = "fp32" | "q8" | "q4";

export interface DtypeForm {
  /** File in the folder's onnx/. */
  readonly file: string;
  /** How a dense model becomes one of this dtype. */
  readonly pass: Pass;
}

/** Every dtype that is shipped, from the most exact. */
export const dtypes: Readonly<Record<ShipDtype, DtypeForm>> = {
  fp32: { file: "onnx/model.onnx", pass: pipe() },
  q8: { file: "onnx/model_quantized.onnx", pass: quantize({ bits: 8 }) },
  q4: { file: "onnx/model_q4.onnx", pass: quantize({ bits: 4 }) },
};
