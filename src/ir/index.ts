/** Values, ops, programs, tensors. */
export * from "./op.ts";
export * from "./program.ts";
export * from "./shape.ts";
export * from "./tensor.ts";
