/**
 * Products with weights of 4 or 2 bits in blocks, which are not trained, in the layout of ONNX Runtime's
 * MatMulNBits (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md): q uint8 [N, blocks,
 * block * bits / 8], two or four values a byte, the first one low; scale float32 [N * blocks]; zero uint8
 * [N * ceil(blocks * bits / 8)], what stands for 0 in each block, as many a byte. A value is (q - zero) *
 * scale.
 */
import { apply, type Emit, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { defined } from "../util/defined.ts";
import { ShapeError } from "../util/errors.ts";
import { matmul } from "./linalg.ts";
import { sumTo } from "./structure.ts";

/** Bits of a value. */
export type FewBits = 4 | 2;

/** A matrix of 4 or 2 bits, of N outputs. */
export interface Int4Blocks {
  readonly q: Value;
  readonly scale: Value;
  readonly zero: Value;
}

/** Whether its product multiplies by a float32 matrix that is made when the graph is loaded. */
type Dense = { k: number; folded: boolean; bits?: FewBits };

/** `bits` are 4 unless told. */
type Blocks = { k: number; n: number; block: number; accuracy: number; bits?: FewBits };

const int4MatmulOp: Op<readonly Value[], Blocks, [Value]> = {
  name: "int4Matmul",
  isProduct: true,
  infer: ([x, q], { k, n, block }) => {
    const blocks = q!.shape[1]!;
    if (Math.ceil(k / block) !== blocks) {
      throw new ShapeError(`int4Matmul: ${shapeText(x!.shape)} has no rows of ${blocks} blocks of ${block}`);
    }
    return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), n] }];
  },
  // To the product's input any rounding of it is as nothing; the weights stand still.
  vjp: ([g], { inputs: [, q, scale, zero, bias], attrs: { k, bits } }) => {
    const dx = matmul(
      g,
      apply(int4DenseOp, [q!, scale!, zero!], { k, folded: false, ...defined({ bits }) })[0],
    );
    return [dx, null, null, null, ...(bias === undefined ? [] : [sumTo(g, bias.shape)])];
  },
  onnx: (emit, [x, q, scale, zero, bias], { attrs: { k, n, block, accuracy, bits = 4 } }) => {
    const inputs = [x!, q!, scale!, zero!, ...(bias === undefined ? [] : ["", bias])];
    const attrs = { K: { int: k }, N: { int: n }, bits: { int: bits }, block_size: { int: block } };
    return emit.node(
      "MatMulNBits",
      inputs,
      { ...attrs, accuracy_level: { int: accuracy } },
      { domain: "com.microsoft" },
    );
  },
};

/** Size of a block, type of the arithmetic, and the bias [N]. */
export interface Int4Options {
  readonly block: number;
  /** 4 computes in int8, 1 in float32. */
  readonly accuracy?: 1 | 4;
  readonly bias?: Value;
  /** Bits of a value, 4 unless told. */
  readonly bits?: FewBits | undefined;
}

/**
 * x [..., K] times a matrix of few bits plus bias [N] -> [..., N]. The gradient to x is the dense
 * product's.
 */
export const int4Matmul = (x: Value, { q, scale, zero }: Int4Blocks, options: Int4Options): Value => {
  const { block, accuracy = 4, bias, bits } = options;
  const sizes = { k: x.shape.at(-1) as number, n: q.shape[0] as number, block, accuracy };
  const attrs = { ...sizes, ...defined({ bits }) };
  return apply(int4MatmulOp, [x, q, scale, zero, ...(bias === undefined ? [] : [bias])], attrs)[0];
};

/** Bytes [..., n] as the values in them, [..., n, 8 / bits], the low one first. */
const valuesIn = (emit: Emit, bytes: string, bits: FewBits): string => {
  const last = emit.constant(tensorOf("int64", [1], [-1]));
  const byte = (value: number): string => emit.constant(tensorOf("uint8", [], [value]));
  const each = Array.from({ length: 8 / bits }, (_, i) => {
    const shifted = (): string =>
      emit.node("BitShift", [bytes, byte(i * bits)], { direction: { string: "RIGHT" } })[0]!;
    const moved = i === 0 ? bytes : shifted();
    // Nothing stands above the highest.
    return i === 8 / bits - 1 ? moved : emit.node("BitwiseAnd", [moved, byte(2 ** bits - 1)])[0]!;
  });
  const parts = each.map((part) => emit.node("Unsqueeze", [part, last])[0]!);
  return emit.node("Concat", parts, { axis: { int: -1 } })[0]!;
};

const int4DenseOp: Op<[q: Value, scale: Value, zero: Value], Dense, [Value]> = {
  name: "int4Dense",
  infer: ([q], { k }) => [{ dtype: "float32", shape: [q.shape[0]!, k] }],
  onnx: (emit, [q, scale, zero], { inputs, attrs: { k, folded, bits = 4 } }) => {
    const [n, blocks, bytes] = inputs[0].shape as [number, number, number];
    const [each8, zeroBytes] = [8 / bits, Math.ceil((blocks * bits) / 8)];
    const shape = (...dims: number[]) => emit.constant(tensorOf("int64", [dims.length], dims));
    const reshaped = (x: string, ...dims: number[]) => emit.node("Reshape", [x, shape(...dims)])[0]!;
    const first = (x: string, size: number) => emit.node("Slice", [x, shape(0), shape(size), shape(1)])[0]!;
    const values = reshaped(valuesIn(emit, q, bits), n * blocks, bytes * each8);
    const zeros = reshaped(valuesIn(emit, reshaped(zero, n, zeroBytes), bits), n, zeroBytes * each8);
    const middle = first(zeros, blocks);
    // ONNX Runtime leaves DequantizeLinear to each run, and folds the others into a dense matrix.
    const each = (): string => {
      const operands = [values, scale, reshaped(middle, n * blocks)];
      return emit.node("DequantizeLinear", operands, { axis: { int: 0 } })[0]!;
    };
    const once = (): string => {
      const float = (x: string) => emit.node("Cast", [x], { to: { int: 1 } })[0]!;
      const [centred] = emit.node("Sub", [float(values), float(reshaped(middle, n * blocks, 1))]);
      return emit.node("Mul", [centred!, reshaped(scale, n * blocks, 1)])[0]!;
    };
    return [first(reshaped(folded ? once() : each(), n, blocks * bytes * each8), k)];
  },
};

/** How a matrix of few bits is made dense. */
export interface DenseOptions {
  readonly folded?: boolean;
  /** Bits of a value, 4 unless told. */
  readonly bits?: FewBits | undefined;
}

/** A matrix of `k` inputs as float32 [N, K]; only its bytes stay in memory, unless it is `folded`. */
export const int4Dense = (
  { q, scale, zero }: Int4Blocks,
  k: number,
  { folded = false, bits }: DenseOptions = {},
): Value => apply(int4DenseOp, [q, scale, zero], { k, folded, ...defined({ bits }) })[0];

type Taken = { k: number; bits?: FewBits };

const int4RowsOp: Op<[q: Value, scale: Value, zero: Value, ids: Value], Taken, [Value]> = {
  name: "int4Rows",
  infer: ([, , , ids], { k }) => [{ dtype: "float32", shape: [...ids.shape, k] }],
  onnx: (emit, [q, scale, zero, ids], { inputs, attrs: { k, bits = 4 } }) => {
    const [n, blocks, bytes] = inputs[0].shape as [number, number, number];
    const [each8, zeroBytes] = [8 / bits, Math.ceil((blocks * bits) / 8)];
    const shape = (...dims: number[]) => emit.constant(tensorOf("int64", [dims.length], dims));
    const lead = inputs[3].shape.map((d) => (typeof d === "number" ? d : 0));
    const float = (x: string) => emit.node("Cast", [x], { to: { int: 1 } })[0]!;
    const rowsOf = (table: string) => emit.node("Gather", [table, ids], { axis: { int: 0 } })[0]!;
    /** The first `size` of the last axis of [..., all]. */
    const first = (x: string, all: number, size: number) =>
      size === all ? x : emit.node("Slice", [x, shape(0), shape(size), shape(-1)])[0]!;
    const reshaped = (x: string, ...tail: number[]) => emit.node("Reshape", [x, shape(...lead, ...tail)])[0]!;
    const values = reshaped(float(valuesIn(emit, rowsOf(q), bits)), blocks, bytes * each8);
    const [zeroTable] = emit.node("Reshape", [zero, shape(n, zeroBytes)]);
    const zeros = reshaped(float(valuesIn(emit, rowsOf(zeroTable!), bits)), zeroBytes * each8);
    const middle = reshaped(first(zeros, zeroBytes * each8, blocks), blocks, 1);
    const [scaleTable] = emit.node("Reshape", [scale, shape(n, blocks, 1)]);
    const [centred] = emit.node("Sub", [values, middle]);
    const [scaled] = emit.node("Mul", [centred!, rowsOf(scaleTable!)]);
    const width = blocks * bytes * each8;
    return [first(reshaped(scaled!, width), width, k)];
  },
};

/** Rows `ids` of a matrix of few bits, 4 unless told, as [...ids, k]. */
export const int4Rows = ({ q, scale, zero }: Int4Blocks, ids: Value, k: number, bits?: FewBits): Value =>
  apply(int4RowsOp, [q, scale, zero, ids], { k, ...defined({ bits }) })[0];
