/**
 * Products with 8-bit weights, which no gradient changes: a scale for each output. How finely a row of inputs
 * is rounded, under one scale of its own, is chosen for each product: to one digit of 8 bits, to two of 7
 * (13 bits in all), or not at all, where the matrix is so small that its widened form is quicker. Inputs that
 * are stronger than the rest stand apart in float32 (after Dettmers et al. 2022,
 * https://arxiv.org/abs/2208.07339, but named beforehand), so that the scale of the others is a fine one.
 * Sums of two products must fit 16 bits on processors without VNNI
 * (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html): two digits of 7 bits stand
 * any weights, one of 8 bits those of which no two neighbours exceed 128 together (see compress/int8).
 */
import { apply, constant, type Emit, type Op, type Value } from "../ir/op.ts";
import { shapeText, type TensorType, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { rotated } from "./rotation.ts";

type Plain = Record<never, never>;

/** How many digits a row of inputs is rounded to; 0 leaves it as it is. */
export type Digits = 0 | 1 | 2;

/** How a product meets its inputs. */
export interface Int8Form {
  readonly digits: Digits;
  /** Inputs that stand apart, ascending. */
  readonly strong: readonly number[];
  /** How many of the others are turned together before they are rounded, if any (see ops/rotation). */
  readonly rotation?: number;
  /** Of one digit: what a code of each input is, [K], where that is fixed; 1 of strong inputs. */
  readonly steps?: readonly number[];
  /** Beside `steps`: the code of 0 to 255 that stands for 0. */
  readonly zero?: number;
}

/**
 * An 8-bit matrix [K, N]: q int8 (or uint8 around 128) [K, N], scale [N]; and where inputs are strong, their
 * rows float32 [S, N], for which q has zeros. Of a form with a rotation q is of turned inputs.
 */
export interface Int8Matrix {
  readonly q: Value;
  readonly scale: Value;
  readonly rows?: Value;
}

/** A digit by how many there are: its largest size, and what is stored for 0. */
const digitsOf = { 1: { most: 127, zero: 128 }, 2: { most: 63, zero: 64 } } as const;
/** How many low digits make a high one. */
const LOW = 2 * digitsOf[2].most;
/** What stands for 0 where weights are unsigned. */
export const UINT8_ZERO = 128;

const domain = "com.microsoft";

type Rounding = { digits: 1 | 2; strong: readonly number[] };

/**
 * x [..., K] -> its digits uint8 [..., K], or [..., 2, K] with the high ones before the low ones, and what
 * their products are multiplied by: [..., 1], or [..., 1, 2].
 */
const digitsOp: Op<[x: Value], Rounding, [digits: Value, steps: Value]> = {
  name: "digits",
  infer: ([{ shape }], { digits }) => {
    if (shape.length < 2) throw new ShapeError(`int8Matmul: ${shapeText(shape)} has no rows`);
    const [lead, k] = [shape.slice(0, -1), shape.at(-1)!];
    return [
      { dtype: "uint8", shape: digits === 1 ? shape : [...lead, 2, k] },
      { dtype: "float32", shape: digits === 1 ? [...lead, 1] : [...lead, 1, 2] },
    ];
  },
  onnx: (emit, [x], { attrs: { digits, strong }, inputs }) => {
    const scalar = (value: number) => emit.constant(tensorOf("float32", [], [value]));
    const one = (op: string, ...operands: string[]) => emit.node(op, operands)[0]!;
    const k = inputs[0].shape.at(-1) as number;
    const given = digits === 1 ? x : one("Unsqueeze", x, emit.constant(tensorOf("int64", [1], [-2])));
    const weak = () => {
      const mask = Array.from({ length: k }, (_, i) => (strong.includes(i) ? 0 : 1));
      return one("Mul", given, emit.constant(tensorOf("float32", [k], mask)));
    };
    const rest = strong.length === 0 ? given : weak();
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const [largest] = emit.node("ReduceMax", [one("Abs", rest), last], { keepdims: { int: 1 } });
    // ONNX Runtime keeps the width of an x without rows: a decoder's states that are cached already.
    const edge = (at: number) => emit.constant(tensorOf("int64", [1], [at]));
    const most = one("Max", one("Slice", largest!, edge(0), edge(1), last), scalar(1e-30));
    const share = one("Div", rest, most);
    const { most: levels, zero } = digitsOf[digits];
    const middle = emit.constant(tensorOf("uint8", [], [zero]));
    const high = one("QuantizeLinear", share, scalar(1 / levels), middle);
    if (digits === 1) return [high, most];
    const left = one("Sub", share, one("DequantizeLinear", high, scalar(1 / levels), middle));
    const low = one("QuantizeLinear", left, scalar(1 / (levels * LOW)), middle);
    const [pairs] = emit.node("Concat", [high, low], { axis: { int: -2 } });
    const steps = emit.node("Concat", [most, one("Mul", most, scalar(1 / LOW))], { axis: { int: -1 } });
    return [pairs!, steps[0]!];
  },
};

const pickOp: Op<[x: Value], { at: readonly number[] }, [Value]> = {
  name: "pick",
  infer: ([x], { at }) => [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), at.length] }],
  vjp: ([g], { inputs: [x], attrs: { at } }) => [matmul(g, oneHot(at, x.shape.at(-1) as number))],
  onnx: (emit, [x], { attrs: { at } }) =>
    emit.node("Gather", [x, emit.constant(tensorOf("int64", [at.length], at))], { axis: { int: -1 } }),
};

/** x [..., K] by its inputs `strong` alone times their rows [S, N] -> [..., N]. */
export const strongProduct = (x: Value, strong: readonly number[], rows: Value): Value =>
  matmul(apply(pickOp, [x], { at: strong })[0], rows);

/** Rows of the identity of K, [S, K]. */
const oneHot = (at: readonly number[], k: number): Value => {
  const data = new Float32Array(at.length * k);
  for (const [row, i] of at.entries()) data[row * k + i] = 1;
  return constant(tensorOf("float32", [at.length, k], Array.from(data)));
};

type Product = { digits: 1 | 2 };
type Operands = [x: Value, digits: Value, steps: Value, q: Value, scale: Value];

/** The type of x [..., K] times q [K, N]. */
export const productType = (x: Value, q: Value): TensorType => {
  if (x.shape.at(-1) === q.shape[0]) {
    return { dtype: "float32", shape: [...x.shape.slice(0, -1), q.shape[1]!] };
  }
  throw new ShapeError(`int8Matmul: ${shapeText(x.shape)} does not fit ${shapeText(q.shape)}`);
};

const int8MatmulOp: Op<Operands, Product, [Value]> = {
  name: "int8Matmul",
  isProduct: true,
  infer: ([x, , , q]) => [productType(x, q)],
  // To the product's input the rounding is as nothing; the weights stand still.
  vjp: ([g], { inputs: [, , , q, scale] }) => [
    matmul(g, int8Dense({ q, scale }), { transB: true }),
    ...([null, null, null, null] as const),
  ],
  onnx: (emit, [, digits, steps, q, scale], { attrs, inputs }) => {
    const { most: levels, zero } = digitsOf[attrs.digits];
    const scalar = (value: number) => emit.constant(tensorOf("float32", [], [value]));
    const zeros = [emit.constant(tensorOf("uint8", [], [zero]))];
    if (inputs[3].dtype === "uint8") zeros.push(emit.constant(tensorOf("uint8", [], [UINT8_ZERO])));
    const operands = [digits, q, scalar(1 / levels), scale, ...zeros];
    const [sum] = emit.node("MatMulIntegerToFloat", operands, {}, { domain });
    if (attrs.digits === 1) return emit.node("Mul", [sum!, steps]);
    // [..., 1, 2] times [..., 2, N]: both digits and the row's scale in one walk over what is large.
    const [y] = emit.node("MatMul", [steps, sum!]);
    return emit.node("Squeeze", [y!, emit.constant(tensorOf("int64", [1], [-2]))]);
  },
};

/** The same with x as it is: what it multiplies by is computed once, when the graph is loaded. */
const wideMatmulOp: Op<[x: Value, q: Value, scale: Value], Plain, [Value]> = {
  name: "int8WideMatmul",
  isProduct: true,
  infer: ([x, q]) => [productType(x, q)],
  vjp: ([g], { inputs: [, q, scale] }) => [matmul(g, int8Dense({ q, scale }), { transB: true }), null, null],
  onnx: (emit, [x, q, scale], { inputs }) => {
    const [cast] = emit.node("Cast", [q], { to: { int: 1 } });
    const middle = () => emit.constant(tensorOf("float32", [], [UINT8_ZERO]));
    const wide = inputs[1].dtype === "uint8" ? emit.node("Sub", [cast!, middle()])[0]! : cast!;
    return emit.node("MatMul", [x, emit.node("Mul", [wide, scale])[0]!]);
  },
};

const roundedOp: Op<[digits: Value, steps: Value], Plain, [Value]> = {
  name: "digitRounded",
  infer: ([{ shape }]) => [{ dtype: "float32", shape }],
  onnx: (emit, [digits, steps]) => {
    const { most, zero } = digitsOf[1];
    const scalar = (value: number) => emit.constant(tensorOf("float32", [], [value]));
    const [wide] = emit.node("Cast", [digits], { to: { int: 1 } });
    const [centred] = emit.node("Sub", [wide!, scalar(zero)]);
    return emit.node("Mul", [emit.node("Mul", [centred!, scalar(1 / most)])[0]!, steps]);
  },
};

/** x [..., K] as a product of one digit reads it, but for its strong inputs, which are 0. */
export const digitRounded = (x: Value, strong: readonly number[]): Value =>
  apply(roundedOp, apply(digitsOp, [x], { digits: 1, strong }), {})[0];

/**
 * x [..., K] times an 8-bit matrix [K, N] plus bias [N] -> [..., N]. Products of one x in one form share its
 * digits. The gradient to x is that of the dense product.
 */
export const int8Matmul = (
  x: Value,
  { q, scale, rows }: Int8Matrix,
  { digits, strong, rotation }: Int8Form,
  bias?: Value,
): Value => {
  const product = (): Value => {
    const read = rotation === undefined ? x : rotated(x, { block: rotation, strong });
    const apart = rotation === undefined ? strong : [];
    const rounded = (digits: 1 | 2): Value => {
      const [all, steps] = apply(digitsOp, [read], { digits, strong: apart });
      return apply(int8MatmulOp, [read, all, steps, q, scale], { digits })[0];
    };
    const weak = digits === 0 ? apply(wideMatmulOp, [read, q, scale], {})[0] : rounded(digits);
    return rows === undefined ? weak : add(weak, strongProduct(x, strong, rows));
  };
  return bias === undefined ? product() : add(product(), bias);
};

const denseOp: Op<[q: Value, scale: Value], Plain, [Value]> = {
  name: "int8Dense",
  infer: ([q]) => [{ dtype: "float32", shape: q.shape }],
  onnx: (emit, [q, scale], { inputs: [{ dtype, shape }] }) => {
    const zero = () => emit.constant(tensorOf("uint8", [shape[1] as number], uint8Zeros(shape[1] as number)));
    const operands = dtype === "uint8" ? [q, scale, zero()] : [q, scale];
    // ONNX Runtime leaves this node to each run, where it would fold others into a dense matrix.
    return emit.node("DequantizeLinear", operands, { axis: { int: 1 } });
  },
};

const uint8Zeros = (n: number): number[] => new Array<number>(n).fill(UINT8_ZERO);

/** An 8-bit matrix without its strong rows as float32 [K, N]; only its bytes stay in memory. */
export const int8Dense = ({ q, scale }: Int8Matrix): Value => apply(denseOp, [q, scale], {})[0];

/** Codes of rows [...ids, K] as the numbers that they stand for, each row by its own scale. */
const widened = (
  emit: Emit,
  rows: string,
  [ids, scale]: readonly [string, string],
  dtype: TensorType["dtype"],
): readonly string[] => {
  const [cast] = emit.node("Cast", [rows], { to: { int: 1 } });
  const middle = () => emit.constant(tensorOf("float32", [], [UINT8_ZERO]));
  const centred = dtype === "uint8" ? emit.node("Sub", [cast!, middle()])[0]! : cast!;
  const [factor] = emit.node("Gather", [scale, ids], { axis: { int: 0 } });
  const last = emit.constant(tensorOf("int64", [1], [-1]));
  return emit.node("Mul", [centred, emit.node("Unsqueeze", [factor!, last])[0]!]);
};

const columnsAt: Op<[ids: Value, q: Value, scale: Value], Plain, [Value]> = {
  name: "int8Rows",
  infer: ([ids, q]) => [{ dtype: "float32", shape: [...ids.shape, q.shape[0]!] }],
  onnx: (emit, [ids, q, scale], { inputs }) => {
    const rank = inputs[0].shape.length;
    const perm = [...Array.from({ length: rank }, (_, i) => i + 1), 0];
    const [columns] = emit.node("Gather", [q, ids], { axis: { int: 1 } });
    const [rows] = emit.node("Transpose", [columns!], { perm: { ints: perm } });
    return widened(emit, rows!, [ids, scale], inputs[1].dtype);
  },
};

const turnedOp: Op<[q: Value], Plain, [Value]> = {
  name: "int8Turned",
  infer: ([{ dtype, shape }]) => [{ dtype, shape: [shape[1]!, shape[0]!] }],
  onnx: (emit, [q]) => emit.node("Transpose", [q], { perm: { ints: [1, 0] } }),
};

/** Codes of a table [N, K] as [K, N]: made once, when the graph is loaded, and then packed by the kernel. */
export const int8Turned = (q: Value): Value => apply(turnedOp, [q], {})[0];

const tableRowsOp: Op<[ids: Value, q: Value, scale: Value], Plain, [Value]> = {
  name: "int8TableRows",
  infer: ([ids, q]) => [{ dtype: "float32", shape: [...ids.shape, q.shape[1]!] }],
  onnx: (emit, [ids, q, scale], { inputs }) => {
    const [rows] = emit.node("Gather", [q, ids], { axis: { int: 0 } });
    return widened(emit, rows!, [ids, scale], inputs[1].dtype);
  },
};

const strongAt: Op<[ids: Value, rows: Value], Plain, [Value]> = {
  name: "int8StrongRows",
  infer: ([ids, rows]) => [{ dtype: "float32", shape: [...ids.shape, rows.shape[0]!] }],
  onnx: (emit, [ids, rows], { inputs }) => {
    const perm = [...Array.from({ length: inputs[0].shape.length }, (_, i) => i + 1), 0];
    const [columns] = emit.node("Gather", [rows, ids], { axis: { int: 1 } });
    return emit.node("Transpose", [columns!], { perm: { ints: perm } });
  },
};

/** How rows of an 8-bit matrix are read. */
export interface Int8RowsOptions {
  /** Inputs that stand apart. */
  readonly strong: readonly number[];
  /** Whether q is [N, K], so that what is read lies side by side. */
  readonly table?: boolean;
}

/** Outputs `ids` of an 8-bit matrix as rows [...ids, K]: an embedding over a tied head. */
export const int8Rows = (
  { q, scale, rows }: Int8Matrix,
  ids: Value,
  { strong, table = false }: Int8RowsOptions,
): Value => {
  const weak = apply(table ? tableRowsOp : columnsAt, [ids, q, scale], {})[0];
  if (rows === undefined) return weak;
  const k = q.shape[table ? 1 : 0] as number;
  return add(weak, matmul(apply(strongAt, [ids, rows], {})[0], oneHot(strong, k)));
};
