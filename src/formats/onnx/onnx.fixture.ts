/** A model of one product that ONNX Runtime runs, and what the tests of writer and reader share. */
import { expect } from "vitest";
import { tensorOf } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import type { OnnxModel } from "./onnx.ts";

export const D = 32;

export const weight = tensorOf(
  "float32",
  [D, D],
  Array.from({ length: D * D }, (_, i) => ((i * 37) % 101) / 50 - 1),
);

export const bias = tensorOf(
  "float32",
  [D],
  Array.from({ length: D }, (_, i) => i / 4),
);

/** y = x w + b over [B, T, D]. */
export const linear: OnnxModel = {
  graph: {
    name: "linear",
    nodes: [
      { opType: "MatMul", domain: "", name: "product", inputs: ["x", "w"], outputs: ["xw"], attrs: {} },
      { opType: "Add", domain: "", name: "sum", inputs: ["xw", "b"], outputs: ["y"], attrs: {} },
    ],
    inputs: [{ name: "x", dtype: "float32", shape: ["B", "T", D] }],
    outputs: [{ name: "y", dtype: "float32", shape: ["B", "T", D] }],
    initializers: [
      { name: "w", tensor: weight },
      { name: "b", tensor: bias },
    ],
  },
  opsets: { "": 21 },
  metadata: { task: "test", größe: "✓" },
};

export const joined = (chunks: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(chunks));

export const catchError = (act: () => unknown): FormatError => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error("nothing was thrown");
};
