import { encodeOnnx, type OnnxModel } from "../../src/formats/onnx/onnx.ts";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import { tensorOf, zeros } from "../../src/ir/tensor.ts";
import type { Format } from "../format.ts";
import { mutateWire } from "../mutate/wire.ts";

const w = tensorOf("float32", [2, 2], [1, 2, 3, 4]);

const model: OnnxModel = {
  graph: {
    name: "linear",
    nodes: [
      { opType: "MatMul", domain: "", name: "product", inputs: ["x", "w"], outputs: ["xw"], attrs: {} },
      {
        opType: "Gemm",
        domain: "com.microsoft",
        name: "sum",
        inputs: ["xw", "b"],
        outputs: ["y"],
        attrs: {
          alpha: { float: 0.5 },
          axis: { int: -1 },
          axes: { ints: [0, 1, -2] },
          scales: { floats: [0.5, 2] },
          mode: { string: "ceil" },
          value: { tensor: w },
        },
      },
    ],
    inputs: [{ name: "x", dtype: "float32", shape: ["B", 2] }],
    outputs: [{ name: "y", dtype: "float16", shape: ["B", 2] }],
    initializers: [
      { name: "w", tensor: w },
      { name: "b", tensor: zeros({ dtype: "int64", shape: [2] }) },
    ],
  },
  opsets: { "": 21, "com.microsoft": 1 },
  metadata: { task: "test" },
};

const options = [{}, { externalFile: "model.onnx_data", externalThresholdBytes: 1 }];

export const onnx: Format = {
  seeds: options.map((each) => encodeOnnx(model, each).model),
  mutate: mutateWire,
  read: (bytes) => decodeOnnx(bytes, { file: "model.onnx", external: () => new Uint8Array(64) }),
};
