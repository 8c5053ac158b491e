/** Where weights lie on disk, and how their bytes become float32 numbers. */
import type { GgmlForm } from "../../formats/gguf/ggmlBlocks.ts";
import type { DType } from "../../ir/tensor.ts";

/** Where the bytes of a tensor lie. */
export interface TensorPlace {
  /** As what the numbers count; float32 for those that are packed. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The file's name in the folder, and its real path. */
  readonly name: string;
  readonly path: string;
  /** From the start of the file. */
  readonly offset: number;
  /** How packed numbers are read; those that are not are as their dtype says. */
  readonly form?: GgmlForm;
  /** Brings numbers of another order, which it may change in place, into that of the shape. */
  readonly arrange?: (data: Float32Array<ArrayBuffer>) => Float32Array<ArrayBuffer>;
}

/** Where each tensor of a folder lies. */
export interface WeightFiles {
  /** The file to name where the weights as a whole are wrong. */
  readonly file: string;
  readonly places: ReadonlyMap<string, TensorPlace>;
}
