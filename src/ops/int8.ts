/**
 * Products with 8-bit weights, which are not trained. An activation is two signed digits of 7 bits under one
 * scale a row: 13 bits, so neither a massive activation nor another text of the batch costs a row its
 * precision. A digit of 7 bits and a weight of 8 cannot saturate the 16-bit sums of processors without VNNI
 * (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html), so the same file gives the
 * same numbers everywhere, at two thirds to half of the time of float32.
 */
import { apply, type Emit, type Op, type Value, type Values } from "../ir/op.ts";
import { type Dim, shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { matmul } from "./linalg.ts";
import { sumTo } from "./structure.ts";

type Plain = Record<never, never>;

/**
 * Some rows of an 8-bit matrix [K, N] in one scale a column: q int8 (or uint8 around 128) [k, N], scale [N].
 * Groups that all have K rows are added up: a second one holds what the first rounded off.
 */
export interface Int8Group {
  readonly q: Value;
  readonly scale: Value;
}

/** A digit is -63 to 63, stored as uint8 around this. */
const DIGIT_ZERO = 64;
const DIGIT_MAX = 63;
/** How many low digits make a high one. */
const LOW = 2 * DIGIT_MAX;
/** What stands for 0 where weights are unsigned. */
const UINT8_ZERO = 128;

const domain = "com.microsoft";

/** Twice a dimension, whatever it is. */
const twice = (d: Dim): Dim => (typeof d === "number" ? 2 * d : `2 ${d}`);

/** x [B, ..., K] -> high digits of all rows, then the low ones, [2B, ..., K], and the step [B, ..., 1]. */
const digitsOp: Op<[x: Value], Plain, [digits: Value, step: Value]> = {
  name: "digits",
  infer: ([x]) => {
    if (x.shape.length < 2) throw new ShapeError(`int8Matmul: ${shapeText(x.shape)} has no rows`);
    const [first, ...rest] = x.shape as [Dim, ...Dim[]];
    return [
      { dtype: "uint8", shape: [twice(first), ...rest] },
      { dtype: "float32", shape: [...x.shape.slice(0, -1), 1] },
    ];
  },
  onnx: (emit, [x]) => {
    const scalar = (value: number) => emit.constant(tensorOf("float32", [], [value]));
    const one = (op: string, ...inputs: string[]) => emit.node(op, inputs)[0]!;
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const [most] = emit.node("ReduceMax", [one("Abs", x), last], { keepdims: { int: 1 } });
    // ONNX Runtime keeps the width of an x without rows: a decoder's states that are cached already.
    const edge = (at: number) => emit.constant(tensorOf("int64", [1], [at]));
    const top = one("Slice", most!, edge(0), edge(1), last);
    const step = one("Mul", one("Max", top, scalar(1e-30)), scalar(1 / DIGIT_MAX));
    const steps = one("Div", x, step);
    const high = one("Round", steps);
    const low = one("Mul", one("Sub", steps, high), scalar(LOW));
    const [both] = emit.node("Concat", [high, low], { axis: { int: 0 } });
    const zero = emit.constant(tensorOf("uint8", [], [DIGIT_ZERO]));
    return [one("QuantizeLinear", both!, scalar(1), zero), step];
  },
};

type Product = { k: number; widths: readonly number[]; n: number; bias: boolean };

/** The sum of each group's product, [2B, ..., N]. */
const groupProducts = (
  emit: Emit,
  digits: string,
  groups: readonly string[],
  { k, widths, unsigned }: Pick<Product, "k" | "widths"> & { unsigned: boolean },
): string => {
  const one = emit.constant(tensorOf("float32", [], [1]));
  const zeros = [emit.constant(tensorOf("uint8", [], [DIGIT_ZERO]))];
  if (unsigned) zeros.push(emit.constant(tensorOf("uint8", [], [UINT8_ZERO])));
  const count = widths.length;
  const split = () => {
    const sizes = emit.constant(tensorOf("int64", [count], widths));
    return emit.node("Split", [digits, sizes], { axis: { int: -1 } }, { outputs: count });
  };
  const pieces = widths[0] === k ? widths.map(() => digits) : split();
  // One after the other, so that two of the [2B, ..., N] are alive at a time.
  return widths.reduce((sum, _, i) => {
    const operands = [pieces[i]!, groups[2 * i]!, one, groups[2 * i + 1]!, ...zeros];
    const [product] = emit.node("MatMulIntegerToFloat", operands, {}, { domain });
    return i === 0 ? product! : emit.node("Add", [sum, product!])[0]!;
  }, "");
};

const int8MatmulOp: Op<readonly Value[], Product, [Value]> = {
  name: "int8Matmul",
  isProduct: true,
  infer: ([, , step], { k, widths, n }) => {
    const rows = widths.every((width) => width === k) ? k : widths.reduce((a, b) => a + b, 0);
    if (rows !== k) throw new ShapeError(`int8Matmul: rows of ${k} do not fit a matrix of ${rows} inputs`);
    return [{ dtype: "float32", shape: [...step!.shape.slice(0, -1), n] }];
  },
  // To the product's input the rounding is as nothing; the weights stand still.
  vjp: ([g], { inputs: [, , , ...rest], attrs: { k, bias } }) => {
    const parts = bias ? rest.slice(0, -1) : rest;
    const dx = matmul(g, apply(int8DenseOp, parts, { k })[0], { transB: true });
    return [dx, null, null, ...parts.map(() => null), ...(bias ? [sumTo(g, rest.at(-1)!.shape)] : [])];
  },
  onnx: (emit, [, digits, step, ...rest], { attrs: { k, widths, bias }, inputs }) => {
    const unsigned = inputs[3]!.dtype === "uint8";
    const sum = groupProducts(emit, digits!, rest, { k, widths, unsigned });
    const [high, low] = emit.node("Split", [sum], { num_outputs: { int: 2 } }, { outputs: 2 });
    const [lesser] = emit.node("Mul", [low!, emit.constant(tensorOf("float32", [], [1 / LOW]))]);
    const [y] = emit.node("Mul", [emit.node("Add", [high!, lesser!])[0]!, step!]);
    return bias ? emit.node("Add", [y!, rest.at(-1)!]) : [y!];
  },
};

/**
 * x [..., K] times an 8-bit matrix [K, N] given as groups of its rows, from the first on, plus bias [N]
 * -> [..., N]. Products of one x share its digits. The gradient to x is that of the dense product.
 */
export const int8Matmul = (x: Value, groups: readonly Int8Group[], bias?: Value): Value => {
  const [digits, step] = apply(digitsOp, [x], {});
  const inputs: Values = [
    x,
    digits,
    step,
    ...groups.flatMap(({ q, scale }) => [q, scale]),
    ...(bias === undefined ? [] : [bias]),
  ];
  const widths = groups.map(({ q }) => q.shape[0] as number);
  const k = x.shape.at(-1) as number;
  const n = groups[0]!.q.shape[1] as number;
  return apply(int8MatmulOp, inputs, { k, widths, n, bias: bias !== undefined })[0];
};

const int8DenseOp: Op<readonly Value[], { k: number }, [Value]> = {
  name: "int8Dense",
  infer: (parts, { k }) => [{ dtype: "float32", shape: [k, parts[0]!.shape[1]!] }],
  onnx: (emit, parts, { inputs, attrs: { k } }) => {
    const [{ dtype, shape }] = inputs as [Value];
    const n = shape[1] as number;
    const zero =
      dtype === "uint8" ? [emit.constant(tensorOf("uint8", [n], new Array(n).fill(UINT8_ZERO)))] : [];
    // ONNX Runtime leaves this node to each run, where it would fold others into a dense matrix.
    const groups = parts.flatMap((q, i) =>
      i % 2 === 0 ? emit.node("DequantizeLinear", [q, parts[i + 1]!, ...zero], { axis: { int: 1 } }) : [],
    );
    if (groups.length === 1) return groups;
    if (shape[0] !== k) return emit.node("Concat", groups, { axis: { int: 0 } });
    return [groups.reduce((sum, group) => emit.node("Add", [sum, group])[0]!)];
  },
};

/** An 8-bit matrix of `k` inputs (see int8Matmul) as float32 [K, N]. */
export const int8Dense = (groups: readonly Int8Group[], k: number): Value =>
  apply(
    int8DenseOp,
    groups.flatMap(({ q, scale }) => [q, scale]),
    { k },
  )[0];

const int8RowsOp: Op<readonly Value[], { k: number }, [Value]> = {
  name: "int8Rows",
  infer: ([ids], { k }) => [{ dtype: "float32", shape: [...ids!.shape, k] }],
  onnx: (emit, [ids, ...groups], { inputs, attrs: { k } }) => {
    const rank = inputs[0]!.shape.length;
    const perm = [...Array.from({ length: rank }, (_, i) => i + 1), 0];
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const rowsOf = (q: string, scale: string): string => {
      const [columns] = emit.node("Gather", [q, ids!], { axis: { int: 1 } });
      const [rows] = emit.node("Transpose", [columns!], { perm: { ints: perm } });
      const [cast] = emit.node("Cast", [rows!], { to: { int: 1 } });
      const unsigned = inputs[1]!.dtype === "uint8";
      const middle = emit.constant(tensorOf("float32", [], [UINT8_ZERO]));
      const wide = unsigned ? emit.node("Sub", [cast!, middle])[0]! : cast!;
      const [factor] = emit.node("Gather", [scale, ids!], { axis: { int: 0 } });
      return emit.node("Mul", [wide, emit.node("Unsqueeze", [factor!, last])[0]!])[0]!;
    };
    const all: string[] = [];
    for (let i = 0; i < groups.length; i += 2) all.push(rowsOf(groups[i]!, groups[i + 1]!));
    if (all.length === 1) return all;
    if (inputs[1]!.shape[0] !== k) return emit.node("Concat", all, { axis: { int: -1 } });
    return [all.reduce((sum, rows) => emit.node("Add", [sum, rows])[0]!)];
  },
};

/**
 * Columns `ids` of an 8-bit matrix [k, N] (see int8Matmul), as rows [...ids, k]: an embedding over a tied
 * head.
 */
export const int8Rows = (groups: readonly Int8Group[], ids: Value, k: number): Value =>
  apply(int8RowsOp, [ids, ...groups.flatMap(({ q, scale }) => [q, scale])], { k })[0];
