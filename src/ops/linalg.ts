/** Matrix products. Transposes and scales are attributes, so that no transposed copy is ever made. */
import { apply, isConstant, type Op, type Value } from "../ir/op.ts";
import { broadcast, product, sameDtype, sameShape } from "../ir/shape.ts";
import { type Dim, shapeText } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add, mul } from "./elementwise.ts";
import { permutationOf, reshape, sum, sumTo } from "./structure.ts";

/** Transposes and a factor, without a copy of what is transposed. */
export interface MatmulOptions {
  /** Use the transpose of the last two axes of a. */
  readonly transA?: boolean;
  /** Use the transpose of the last two axes of b. */
  readonly transB?: boolean;
  /** Factor on the product. */
  readonly alpha?: number;
}
type Attributes = { transA: boolean; transB: boolean; alpha: number };

const matrix = (x: Value, trans: boolean): [Dim, Dim] => {
  if (x.shape.length < 2) throw new ShapeError(`matmul: ${shapeText(x.shape)} is no matrix`);
  const [rows, cols] = [x.shape.at(-2)!, x.shape.at(-1)!];
  return trans ? [cols, rows] : [rows, cols];
};

const flat = (x: Value): Value => reshape(x, [product(x.shape.slice(0, -1)), x.shape.at(-1)!]);

/** What `x` is the transpose (of the last two axes) of. */
const untransposed = (x: Value): Value | undefined => {
  const perm = permutationOf(x);
  const rank = x.shape.length;
  const swapsLast = perm?.every((axis, i) => axis === (i < rank - 2 ? i : 2 * rank - 3 - i));
  return swapsLast ? x.node.inputs[0] : undefined;
};

const matmulOp: Op<[a: Value, b: Value], Attributes, [Value]> = {
  name: "matmul",
  isProduct: true,
  infer: ([a, b], { transA, transB }) => {
    const [m, k] = matrix(a, transA);
    const [k2, n] = matrix(b, transB);
    if (k !== k2) {
      throw new ShapeError(
        `matmul: inner dimensions ${k} of ${shapeText(a.shape)} and ${k2} of ${shapeText(b.shape)} differ`,
      );
    }
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul");
    return [{ dtype: sameDtype(a, b, "matmul"), shape: [...batch, m, n] }];
  },
  vjp: ([g], { inputs: [a, b], attrs: { transA, transB, alpha } }) => {
    // A batch of rows against one matrix is a single product of flattened rows: no batched sum afterwards.
    const rows = b.shape.length === 2 && !transA && a.shape.length > 2;
    const [fa, fg] = rows ? [flat(a), flat(g)] : [a, g];
    const da = transA
      ? matmul(b, g, { transA: transB, transB: true, alpha })
      : matmul(g, b, { transB: !transB, alpha });
    const db = transB
      ? matmul(fg, fa, { transA: true, transB: transA, alpha })
      : matmul(fa, fg, { transA: !transA, alpha });
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },
  simplify: ([a, b], { transA, transB, alpha }) => {
    const [fromA, fromB] = [untransposed(a), untransposed(b)];
    if (fromA === undefined && fromB === undefined) return undefined;
    return matmul(fromA ?? a, fromB ?? b, {
      transA: transA !== (fromA !== undefined),
      transB: transB !== (fromB !== undefined),
      alpha,
    });
  },
  onnx: (emit, [a, b], { attrs: { transA, transB, alpha } }) => {
    if (!transA && !transB && alpha === 1) return emit.node("MatMul", [a, b]);
    const attrs = { transA: { int: +transA }, transB: { int: +transB }, alpha: { float: alpha } };
    return emit.node("FusedMatMul", [a, b], attrs, { domain: "com.microsoft" });
  },
};

/** [..., M, K] x [..., K, N] -> [..., M, N], times alpha; batch axes broadcast. */
export const matmul = (a: Value, b: Value, options: MatmulOptions = {}): Value => {
  const { transA = false, transB = false, alpha = 1 } = options;
  return apply(matmulOp, [a, b], { transA, transB, alpha })[0];
};

/** Whether a value is a constant of zeros, as a bias that is not trained may be. */
const isZero = ({ node }: Value): boolean =>
  isConstant(node) && (node.attrs.value.data as Float32Array).every((v) => v === 0);

const affineOp: Op<[x: Value, w: Value, b: Value], Record<never, never>, [Value]> = {
  name: "affine",
  isProduct: true,
  infer: ([x, w, b]) => {
    const [k, n] = [w.shape[0], w.shape[1]];
    if (
      x.shape.length !== 2 ||
      w.shape.length !== 2 ||
      x.shape[1] !== k ||
      b.shape.length !== 1 ||
      b.shape[0] !== n
    ) {
      const shapes = [x, w, b].map((v) => shapeText(v.shape)).join(", ");
      throw new ShapeError(`affine: wants x [M, K], w [K, N], b [N]; got ${shapes}`);
    }
    return [{ dtype: sameDtype(x, w, "affine"), shape: [x.shape[0]!, n!] }];
  },
  vjp: ([g], { inputs: [x, w] }) => [
    matmul(g, w, { transB: true }),
    matmul(x, g, { transA: true }),
    sum(g, [0]),
  ],
  simplify: ([x, w, b]) => (isZero(b) ? matmul(x, w) : undefined),
  onnx: (emit, [x, w, b]) => emit.node("Gemm", [x, w, b]),
};

/**
 * x [..., K], w [K, N], b [N] -> [..., N]: one Gemm with the bias inside, where the rows have a fixed number.
 */
export const affine = (x: Value, w: Value, b: Value): Value => {
  if (x.shape.length > 2 && x.shape.some((d) => typeof d === "string")) return add(matmul(x, w), b);
  const y = apply(affineOp, [flat(x), w, b], {})[0];
  return reshape(y, [...x.shape.slice(0, -1), w.shape[1]!]);
};

const addOuterOp: Op<[sum: Value, a: Value, b: Value], Record<never, never>, [Value]> = {
  name: "addOuter",
  infer: ([sum, a, b]) => {
    const shapes = [sum, a, b].map((v) => v.shape);
    if (shapes.some(({ length }) => length !== 2) || !sameShape(sum.shape, [a.shape[1]!, b.shape[1]!])) {
      const texts = shapes.map(shapeText).join(", ");
      throw new ShapeError(`addOuter: wants sum [M, N], a [K, M], b [K, N]; got ${texts}`);
    }
    return [{ dtype: sameDtype(a, b, "addOuter"), shape: sum.shape }];
  },
  vjp: ([g], { inputs: [, a, b] }) => [g, matmul(b, g, { transB: true }), matmul(a, g)],
  onnx: (emit, [sum, a, b]) => emit.node("Gemm", [a, b, sum], { transA: { int: 1 } }),
};

/**
 * sum [M, N] + a^T b for a [K, M], b [K, N] -> [M, N]: one product that begins with the sum, so that no other
 * [M, N] is made.
 */
export const addOuter = (sum: Value, a: Value, b: Value): Value => apply(addOuterOp, [sum, a, b], {})[0];

/** Frobenius inner product of two tensors of one shape -> []. */
export const dot = (a: Value, b: Value): Value => sum(mul(a, b));
