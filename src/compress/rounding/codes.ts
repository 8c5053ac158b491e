/** Matrices in codes of few bits: blocks of inputs, each with a scale and the code that stands for 0. */
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Matrix, Parts } from "../matrix.ts";

/** Numbers of a matrix with each output's inputs side by side, [N, K]. */
export interface Rows {
  readonly n: number;
  readonly k: number;
  readonly values: Float32Array | Float64Array;
}

/** Which grids a matrix is rounded to. */
export interface GridOptions {
  /** Bits of a code. */
  readonly bits: 2 | 3 | 4 | 8;
  /** Inputs that share a scale; all of an output's unless told. */
  readonly block?: number;
  /**
   * Whether the middle code stands for 0 in every block. A scale may be negative then, so that the side
   * that has a code more is that of the larger numbers.
   */
  readonly symmetric?: boolean;
}

/** A scale, and the code that stands for 0. */
export interface Grid {
  readonly scale: number;
  readonly zero: number;
}

/** A matrix in codes: a number is (q - zero) * scale. */
export interface Codes {
  readonly bits: GridOptions["bits"];
  readonly n: number;
  readonly k: number;
  /** Inputs of a block; the last of an output may have fewer. */
  readonly block: number;
  /** [N, K] */
  readonly q: Uint8Array;
  /** [N, blocks] */
  readonly scale: Float32Array;
  /** [N, blocks] */
  readonly zero: Uint8Array;
}

/** Inputs of a block, and how many blocks an output has. Throws ConfigError for a block of none. */
export const blocksOf = (k: number, { block = k }: Pick<GridOptions, "block">) => {
  if (!Number.isInteger(block) || block < 1)
    throw new ConfigError(`must be a whole number of inputs, not ${block}`, { field: "quantize.block" });
  const size = Math.min(block, Math.max(1, k));
  return { block: size, blocks: Math.ceil(k / size) };
};

/** The nearest code. */
export const nearestCode = (value: number, { scale, zero }: Grid, most: number): number => {
  const code = Math.round(value / scale) + zero;
  return code > most ? most : Math.max(code, 0);
};

/** The grid of elements `from` to `to`. */
export type GridOf = (values: Rows["values"], from: number, to: number) => Grid;

/** A grid for each block, [N, blocks]. */
export const gridsOf = ({ n, k, values }: Rows, options: GridOptions, gridOf: GridOf): Grid[] => {
  const { block, blocks } = blocksOf(k, options);
  return Array.from({ length: n * blocks }, (_, at) => {
    const from = Math.floor(at / blocks) * k + (at % blocks) * block;
    return gridOf(values, from, Math.min(from + block, (Math.floor(at / blocks) + 1) * k));
  });
};

/** Codes of a matrix whose grids are chosen, without the codes themselves. */
export const emptyCodes = ({ n, k }: Rows, options: GridOptions, grids: readonly Grid[]): Codes => ({
  ...{ bits: options.bits, n, k, block: blocksOf(k, options).block },
  q: new Uint8Array(n * k),
  scale: Float32Array.from(grids, ({ scale }) => scale),
  zero: Uint8Array.from(grids, ({ zero }) => zero),
});

/** Each number rounded to the nearest code of its block's grid. */
export const rounded = (rows: Rows, options: GridOptions, grids: readonly Grid[]): Codes => {
  const { n, k, values } = rows;
  const codes = emptyCodes(rows, options, grids);
  const { block, q } = codes;
  const blocks = Math.ceil(k / block);
  const most = 2 ** options.bits - 1;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) {
      const at = j * k + i;
      q[at] = nearestCode(values[at]!, grids[j * blocks + Math.floor(i / block)]!, most);
    }
  }
  return codes;
};

/** The numbers that codes stand for, [N, K]. */
export const dequantized = ({ n, k, block, q, scale, zero }: Codes): Float32Array => {
  const blocks = Math.ceil(k / block);
  const values = new Float32Array(n * k);
  for (let j = 0; j < n; j++) {
    for (let b = 0; b < blocks; b++) {
      const [at, from] = [j * blocks + b, j * k + b * block];
      const to = Math.min(from + block, (j + 1) * k);
      for (let i = from; i < to; i++) values[i] = (q[i]! - zero[at]!) * scale[at]!;
    }
  }
  return values;
};

/** Numbers [N, K] in the order that a matrix lies in. */
export const laidLike = ({ k, n, stepK, stepN }: Matrix, values: Float32Array): Float32Array => {
  if (stepK === 1) return values;
  const laid = new Float32Array(values.length);
  for (let j = 0; j < n; j++) for (let i = 0; i < k; i++) laid[i * stepK + j * stepN] = values[j * k + i]!;
  return laid;
};

/** How far from its code a number is at most where learning begins: far enough from the next one to stay. */
const FAR = 0.3;

/**
 * Numbers near a matrix's own whose nearest codes are its first ones: methods that round in turn leave others
 * than the nearest, and learning begins at those.
 */
export const startOf = (rows: Rows, { k, block, bits, q, scale, zero }: Codes): Rows => {
  const blocks = Math.ceil(k / block);
  const most = 2 ** bits - 1;
  const values = rows.values.map((value, i) => {
    const at = Math.floor(i / k) * blocks + Math.floor((i % k) / block);
    const [s, code] = [scale[at]!, q[i]!];
    const place = value / s + zero[at]!;
    const low = code === 0 ? Number.NEGATIVE_INFINITY : code - FAR;
    const high = code === most ? Number.POSITIVE_INFINITY : code + FAR;
    return (Math.min(high, Math.max(low, place)) - zero[at]!) * s;
  });
  return { ...rows, values };
};

/** The numbers that codes stand for, as the matrix that they are of lies. */
export const roundedTensor = (matrix: Matrix, codes: Codes): Tensor => {
  const { n, k, stepK } = matrix;
  return tensor("float32", stepK === 1 ? [n, k] : [k, n], laidLike(matrix, dequantized(codes)));
};

/** The same codes in smaller blocks of one size, of which each has the scale of the one it was part of. */
const inBlocks = (codes: Codes, block: number): Codes => {
  if (codes.block === block) return codes;
  const { n, k } = codes;
  const [from, to] = [Math.ceil(k / codes.block), Math.ceil(k / block)];
  if (codes.block % block !== 0 && from > 1) {
    throw new ConfigError(`blocks of ${codes.block} do not divide into blocks of ${block}`, {
      field: "quantize.block",
    });
  }
  const source = (at: number): number =>
    Math.floor(at / to) * from + Math.floor(((at % to) * block) / codes.block);
  const scale = Float32Array.from({ length: n * to }, (_, at) => codes.scale[source(at)]!);
  const zero = Uint8Array.from({ length: n * to }, (_, at) => codes.zero[source(at)]!);
  return { ...codes, block, scale, zero };
};

/**
 * Codes of 4 or 2 bits as the parts of a weight of that kind: q uint8 [N, blocks, block * bits / 8], scale
 * [N * blocks], zero uint8 [N * ceil(blocks * bits / 8)]; see ops/int4.
 */
export const packedParts = (given: Codes, block: number): Parts => {
  const codes = inBlocks(given, block);
  const { n, k } = codes;
  const bits = codes.bits === 2 ? 2 : 4;
  const each = 8 / bits;
  const blocks = Math.ceil(k / block);
  const [bytes, zeroBytes] = [block / each, Math.ceil(blocks / each)];
  const q = new Uint8Array(n * blocks * bytes);
  const zero = new Uint8Array(n * zeroBytes);
  for (let j = 0; j < n; j++) {
    for (let b = 0; b < blocks; b++) {
      const middle = codes.zero[j * blocks + b]!;
      zero[j * zeroBytes + Math.floor(b / each)]! |= middle << (bits * (b % each));
      const at = (j * blocks + b) * bytes;
      for (let i = 0; i < block; i++) {
        const input = b * block + i;
        q[at + Math.floor(i / each)]! |=
          (input < k ? codes.q[j * k + input]! : middle) << (bits * (i % each));
      }
    }
  }
  return {
    q: tensor("uint8", [n, blocks, bytes], q),
    scale: tensor("float32", [n * blocks], codes.scale),
    zero: tensor("uint8", [n * zeroBytes], zero),
  };
};
