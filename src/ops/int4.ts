/**
 * Products with 4-bit weights in blocks, which are not trained, in the layout of ONNX Runtime's MatMulNBits
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md): q uint8 [N, blocks, block / 2],
 * two values a byte, the even one low; scale float32 [N * blocks]; zero uint8 [N * ceil(blocks / 2)], what
 * stands for 0 in each block, two a byte. A value is (q - zero) * scale.
 */
import { apply, type Emit, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { matmul } from "./linalg.ts";
import { sumTo } from "./structure.ts";

/** A 4-bit matrix of N outputs. */
export interface Int4Blocks {
  readonly q: Value;
  readonly scale: Value;
  readonly zero: Value;
}

/** Whether its product multiplies by a float32 matrix that is made when the graph is loaded. */
type Dense = { k: number; folded: boolean };

type Blocks = { k: number; n: number; block: number; accuracy: number };

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
  vjp: ([g], { inputs: [, q, scale, zero, bias], attrs: { k } }) => {
    const dx = matmul(g, apply(int4DenseOp, [q!, scale!, zero!], { k, folded: false })[0]);
    return [dx, null, null, null, ...(bias === undefined ? [] : [sumTo(g, bias.shape)])];
  },
  onnx: (emit, [x, q, scale, zero, bias], { attrs: { k, n, block, accuracy } }) => {
    const inputs = [x!, q!, scale!, zero!, ...(bias === undefined ? [] : ["", bias])];
    const attrs = { K: { int: k }, N: { int: n }, bits: { int: 4 }, block_size: { int: block } };
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
}

/** x [..., K] times a 4-bit matrix plus bias [N] -> [..., N]. The gradient to x is the dense product's. */
export const int4Matmul = (x: Value, { q, scale, zero }: Int4Blocks, options: Int4Options): Value => {
  const { block, accuracy = 4, bias } = options;
  const attrs = { k: x.shape.at(-1) as number, n: q.shape[0] as number, block, accuracy };
  return apply(int4MatmulOp, [x, q, scale, zero, ...(bias === undefined ? [] : [bias])], attrs)[0];
};

/** Bytes [..., n] as their nibbles [..., n, 2], the low one first. */
const nibbles = (emit: Emit, bytes: string): string => {
  const last = emit.constant(tensorOf("int64", [1], [-1]));
  const [low] = emit.node("BitwiseAnd", [bytes, emit.constant(tensorOf("uint8", [], [15]))]);
  const four = emit.constant(tensorOf("uint8", [], [4]));
  const [high] = emit.node("BitShift", [bytes, four], { direction: { string: "RIGHT" } });
  const halves = [low!, high!].map((half) => emit.node("Unsqueeze", [half, last])[0]!);
  return emit.node("Concat", halves, { axis: { int: -1 } })[0]!;
};

const int4DenseOp: Op<[q: Value, scale: Value, zero: Value], Dense, [Value]> = {
  name: "int4Dense",
  infer: ([q], { k }) => [{ dtype: "float32", shape: [q.shape[0]!, k] }],
  onnx: (emit, [q, scale, zero], { inputs, attrs: { k, folded } }) => {
    const [n, blocks, bytes] = inputs[0].shape as [number, number, number];
    const zeroBytes = Math.ceil(blocks / 2);
    const shape = (...dims: number[]) => emit.constant(tensorOf("int64", [dims.length], dims));
    const reshaped = (x: string, ...dims: number[]) => emit.node("Reshape", [x, shape(...dims)])[0]!;
    const first = (x: string, size: number) => emit.node("Slice", [x, shape(0), shape(size), shape(1)])[0]!;
    const values = reshaped(nibbles(emit, q), n * blocks, bytes * 2);
    const zeros = reshaped(nibbles(emit, reshaped(zero, n, zeroBytes)), n, zeroBytes * 2);
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
    return [first(reshaped(folded ? once() : each(), n, blocks * bytes * 2), k)];
  },
};

/** A 4-bit matrix of `k` inputs as float32 [N, K]; only its bytes stay in memory, unless it is `folded`. */
export const int4Dense = ({ q, scale, zero }: Int4Blocks, k: number, { folded = false } = {}): Value =>
  apply(int4DenseOp, [q, scale, zero], { k, folded })[0];

const int4RowsOp: Op<[q: Value, scale: Value, zero: Value, ids: Value], { k: number }, [Value]> = {
  name: "int4Rows",
  infer: ([, , , ids], { k }) => [{ dtype: "float32", shape: [...ids.shape, k] }],
  onnx: (emit, [q, scale, zero, ids], { inputs, attrs: { k } }) => {
    const [n, blocks, bytes] = inputs[0].shape as [number, number, number];
    const zeroBytes = Math.ceil(blocks / 2);
    const shape = (...dims: number[]) => emit.constant(tensorOf("int64", [dims.length], dims));
    const lead = inputs[3].shape.map((d) => (typeof d === "number" ? d : 0));
    const float = (x: string) => emit.node("Cast", [x], { to: { int: 1 } })[0]!;
    const rowsOf = (table: string) => emit.node("Gather", [table, ids], { axis: { int: 0 } })[0]!;
    /** The first `size` of the last axis of [..., all]. */
    const first = (x: string, all: number, size: number) =>
      size === all ? x : emit.node("Slice", [x, shape(0), shape(size), shape(-1)])[0]!;
    const reshaped = (x: string, ...tail: number[]) => emit.node("Reshape", [x, shape(...lead, ...tail)])[0]!;
    const values = reshaped(float(nibbles(emit, rowsOf(q))), blocks, bytes * 2);
    const [zeroTable] = emit.node("Reshape", [zero, shape(n, zeroBytes)]);
    const zeros = reshaped(float(nibbles(emit, rowsOf(zeroTable!))), zeroBytes * 2);
    const middle = reshaped(first(zeros, zeroBytes * 2, blocks), blocks, 1);
    const [scaleTable] = emit.node("Reshape", [scale, shape(n, blocks, 1)]);
    const [centred] = emit.node("Sub", [values, middle]);
    const [scaled] = emit.node("Mul", [centred!, rowsOf(scaleTable!)]);
    return [first(reshaped(scaled!, blocks * bytes * 2), blocks * bytes * 2, k)];
  },
};

/** Rows `ids` of a 4-bit matrix as [...ids, k]. */
export const int4Rows = ({ q, scale, zero }: Int4Blocks, ids: Value, k: number): Value =>
  apply(int4RowsOp, [q, scale, zero, ids], { k })[0];
