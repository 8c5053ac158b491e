/** Weights of 4 bits: blocks of inputs, each with a scale and what stands for 0; see rounding/. */
import type { Matrix, Parts } from "./matrix.ts";
import { byColumn } from "./matrix.ts";
import { dequantized, laidLike, packedParts } from "./rounding/codes.ts";
import { scaleSearch } from "./rounding/scaleSearch.ts";

/** Inputs of a block unless told. */
export const INT4_BLOCK = 32;

/** Sizes of blocks that ONNX Runtime has quick kernels for. */
export const INT4_BLOCKS = [32, 64, 128] as const;

const searched = (matrix: Matrix, block: number) =>
  scaleSearch({ n: matrix.n, k: matrix.k, values: byColumn(matrix) }, { bits: 4, block });

/** The parts of an int4 weight, rounded with the least squared error; see ops/int4. */
export const int4Parts = (matrix: Matrix, block: number = INT4_BLOCK): Parts =>
  packedParts(searched(matrix, block), block);

/** The matrix's numbers as 4 bits have them, stored as it is. */
export const int4Rounded = (matrix: Matrix): Float32Array =>
  laidLike(matrix, dequantized(searched(matrix, INT4_BLOCK)));
