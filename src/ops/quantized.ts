/**
 * Products with quantized weights, inference only. The layouts are those of ONNX Runtime's kernels
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";

type Plain = Record<never, never>;

/** What stands for 0 where 8-bit weights are unsigned. */
const UINT8_ZERO = 128;

const int8MatmulOp: Op<readonly Value[], Plain, [Value]> = {
  name: "int8Matmul",
  infer: ([x, q]) => {
    if (x!.shape.at(-1) !== q!.shape[0]) {
      throw new ShapeError(`int8Matmul: ${shapeText(x!.shape)} x ${shapeText(q!.shape)} do not fit`);
    }
    return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), q!.shape[1]!] }];
  },
  onnx: (emit, [x, q, scale, bias], { inputs }) => {
    const zero = inputs[1]!.dtype === "uint8" ? emit.constant(tensorOf("uint8", [], [UINT8_ZERO])) : "";
    const rest = bias === undefined ? (zero === "" ? [] : [zero]) : [zero, bias];
    return emit.node("DynamicQuantizeMatMul", [x!, q!, scale!, ...rest], {}, { domain: "com.microsoft" });
  },
};

/**
 * x [..., K] (quantized to uint8 on the fly) x q [K, N] * scale [N] (+ bias [N]) -> [..., N]. q is int8, or
 * uint8 with 128 standing for 0.
 */
export const int8Matmul = (x: Value, q: Value, scale: Value, bias?: Value): Value =>
  apply(int8MatmulOp, bias === undefined ? [x, q, scale] : [x, q, scale, bias], {})[0];

type Blocks = { k: number; n: number; block: number; accuracy: number };

const int4MatmulOp: Op<readonly Value[], Blocks, [Value]> = {
  name: "int4Matmul",
  infer: ([x], { k, n }) => {
    if (x!.shape.at(-1) !== k) throw new ShapeError(`int4Matmul: ${shapeText(x!.shape)} has no rows of ${k}`);
    return [{ dtype: x!.dtype, shape: [...x!.shape.slice(0, -1), n] }];
  },
  onnx: (emit, [x, q, scale, bias], { attrs: { k, n, block, accuracy } }) => {
    const inputs = [x!, q!, scale!, ...(bias === undefined ? [] : ["", "", bias])];
    const attrs = { K: { int: k }, N: { int: n }, bits: { int: 4 }, block_size: { int: block } };
    return emit.node(
      "MatMulNBits",
      inputs,
      { ...attrs, accuracy_level: { int: accuracy } },
      { domain: "com.microsoft" },
    );
  },
};

export interface Int4Options {
  readonly block: number;
  /** 4 computes in int8, 1 in float32. */
  readonly accuracy?: 1 | 4;
  readonly bias?: Value;
}

/**
 * x [..., K] x (q - 8) * scale -> [..., N]: q uint8 [N, ceil(K / block), block / 2], two values a byte, the
 * even one low; scale float32 [N * ceil(K / block)].
 */
export const int4Matmul = (x: Value, q: Value, scale: Value, options: Int4Options): Value => {
  const { block, accuracy = 4, bias } = options;
  const attrs = { k: x.shape.at(-1) as number, n: q.shape[0] as number, block, accuracy };
  return apply(int4MatmulOp, bias === undefined ? [x, q, scale] : [x, q, scale, bias], attrs)[0];
};

const int8RowsOp: Op<[q: Value, scale: Value, ids: Value], Plain, [Value]> = {
  name: "int8Rows",
  infer: ([q, , ids]) => [{ dtype: "float32", shape: [...ids.shape, q.shape[0]!] }],
  onnx: (emit, [q, scale, ids], { inputs }) => {
    const rank = inputs[2].shape.length;
    const perm = [...Array.from({ length: rank }, (_, i) => i + 1), 0];
    const [columns] = emit.node("Gather", [q, ids], { axis: { int: 1 } });
    const [rows] = emit.node("Transpose", [columns!], { perm: { ints: perm } });
    const [cast] = emit.node("Cast", [rows!], { to: { int: 1 } });
    const [wide] =
      inputs[0].dtype === "uint8"
        ? emit.node("Sub", [cast!, emit.constant(tensorOf("float32", [], [UINT8_ZERO]))])
        : [cast!];
    const [factor] = emit.node("Gather", [scale, ids], { axis: { int: 0 } });
    const [column] = emit.node("Unsqueeze", [factor!, emit.constant(tensorOf("int64", [1], [-1]))]);
    return emit.node("Mul", [wide!, column!]);
  },
};
/**
 * Columns `ids` of an 8-bit matrix q [K, N] (see int8Matmul) with scale [N], as rows [...ids, K]: an
 * embedding over a tied head.
 */
export const int8Rows = (q: Value, scale: Value, ids: Value): Value =>
  apply(int8RowsOp, [q, scale, ids], {})[0];

const int4RowsOp: Op<[q: Value, scale: Value, ids: Value], { k: number }, [Value]> = {
  name: "int4Rows",
  infer: ([, , ids], { k }) => [{ dtype: "float32", shape: [...ids.shape, k] }],
  onnx: (emit, [q, scale, ids], { inputs, attrs: { k } }) => {
    const [n, blocks, bytes] = inputs[0].shape as number[];
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const dims = (...tail: number[]) => {
      const lead = inputs[2].shape.map((d) => (typeof d === "number" ? d : 0));
      return emit.constant(tensorOf("int64", [lead.length + tail.length], [...lead, ...tail]));
    };
    const [packed] = emit.node("Gather", [q, ids], { axis: { int: 0 } }); // [..., blocks, block / 2]
    const [low] = emit.node("BitwiseAnd", [packed!, emit.constant(tensorOf("uint8", [], [15]))]);
    const four = emit.constant(tensorOf("uint8", [], [4]));
    const [high] = emit.node("BitShift", [packed!, four], { direction: { string: "RIGHT" } });
    const halves = [low!, high!].map((half) => emit.node("Unsqueeze", [half, last])[0]!);
    const [nibbles] = emit.node("Concat", halves, { axis: { int: -1 } }); // [..., blocks, block / 2, 2]
    const [blocked] = emit.node("Reshape", [nibbles!, dims(blocks!, bytes! * 2)]);
    const [wide] = emit.node("Cast", [blocked!], { to: { int: 1 } });
    const [centred] = emit.node("Sub", [wide!, emit.constant(tensorOf("float32", [], [8]))]);
    const table = emit.node("Reshape", [scale, emit.constant(tensorOf("int64", [3], [n!, blocks!, 1]))])[0]!;
    const [factor] = emit.node("Gather", [table, ids], { axis: { int: 0 } });
    const [scaled] = emit.node("Mul", [centred!, factor!]);
    const [row] = emit.node("Reshape", [scaled!, dims(blocks! * bytes! * 2)]);
    if (blocks! * bytes! * 2 === k) return [row!];
    const ends = [0, k, -1].map((i) => emit.constant(tensorOf("int64", [1], [i])));
    return emit.node("Slice", [row!, ...ends]);
  },
};
/** Rows `ids` of an int4 block matrix (see int4Matmul) as [...ids, k]. */
export const int4Rows = (q: Value, scale: Value, ids: Value, k: number): Value =>
  apply(int4RowsOp, [q, scale, ids], { k })[0];
