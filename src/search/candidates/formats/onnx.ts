/** Graphs of ONNX: a form is the model with its weights packed. */
import { dtypes, type ShipDtype } from "../../../ship/onnx/dtype.ts";
import { formFiles } from "../../../ship/onnx/export.ts";
import type { FormFormat } from "./format.ts";

/** The forms of graphs. */
export const onnxFormat: FormFormat = {
  name: "onnx",
  dtypes: Object.keys(dtypes) as ShipDtype[],
  usual: Object.keys(dtypes) as ShipDtype[],
  rounds: true,
  make: (dense, dtype, context) => dtypes[dtype as ShipDtype].pass.run(dense, context),
  bytes(form) {
    let bytes = 0;
    for (const chunks of formFiles(form, "fp32").values()) for (const c of chunks) bytes += c.byteLength;
    return bytes;
  },
};
