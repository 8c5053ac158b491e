/** Reductions and normalisations over the last axis. */
import { apply, type Op, type Value } from "../ir/op.ts";
import { axisOf, product } from "../ir/shape.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add, broadcastLike, cast, div, equal, exp, mul, neg, sub } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { reshape, sum, sumOp } from "./structure.ts";

type Plain = Record<never, never>;

const countOf = (x: Value, axes: readonly number[]): number =>
  axes.reduce((n, a) => n * (x.shape[axisOf(a, x.shape.length, "mean")] as number), 1);

const meanOp: typeof sumOp = {
  name: "mean",
  infer: sumOp.infer,
  vjp: ([g], node) => {
    const [x] = node.inputs;
    return sumOp.vjp!([mul(g, 1 / countOf(x, node.attrs.axes))], node);
  },
  onnx: (emit, [x], { attrs: { axes, keepDims } }) => {
    const over = emit.constant(tensorOf("int64", [axes.length], axes));
    return emit.node("ReduceMean", [x, over], { keepdims: { int: keepDims ? 1 : 0 } });
  },
};
/** Mean over `axes` (all unless told) of fixed size. */
export const mean = (x: Value, axes?: readonly number[], keepDims = false): Value => {
  const over = axes ?? x.shape.map((_, i) => i);
  return over.length === 0 ? x : apply(meanOp, [x], { axes: over, keepDims })[0];
};

const reduceMaxOp: Op<[x: Value], Plain, [Value]> = {
  name: "reduceMax",
  infer: ([x]) => [{ dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] }],
  vjp: ([g], { inputs: [x], outputs: [y] }) => {
    const hit = cast(equal(x, broadcastLike(y, x)), x.dtype);
    return [mul(hit, div(g, sum(hit, [-1], true)))];
  },
  onnx: (emit, [x]) =>
    emit.node("ReduceMax", [x, emit.constant(tensorOf("int64", [1], [-1]))], { keepdims: { int: 1 } }),
};
/** [..., N] -> [..., 1]: the largest of the last axis; ties share the gradient. */
export const reduceMax = (x: Value): Value => apply(reduceMaxOp, [x], {})[0];

const cumsumOp: Op<[x: Value], { axis: number; reverse: boolean }, [Value]> = {
  name: "cumsum",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { attrs: { axis, reverse } }) => [cumsum(g, axis, !reverse)],
  onnx: (emit, [x], { attrs: { axis, reverse } }) =>
    emit.node("CumSum", [x, emit.constant(tensorOf("int64", [], [axis]))], {
      reverse: { int: reverse ? 1 : 0 },
    }),
};
/** Sums of the elements of `axis` up to each, itself included; from the end where `reverse`. */
export const cumsum = (x: Value, axis: number, reverse = false): Value =>
  apply(cumsumOp, [x], { axis: axisOf(axis, x.shape.length, "cumsum"), reverse })[0];

const softmaxOp: Op<[x: Value], Plain, [Value]> = {
  name: "softmax",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { outputs: [y] }) => [mul(y, sub(g, sum(mul(g, y), [-1], true)))],
  onnx: (emit, [x]) => emit.node("Softmax", [x], { axis: { int: -1 } }),
};
/** Softmax over the last axis. */
export const softmax = (x: Value): Value => apply(softmaxOp, [x], {})[0];

const logSoftmaxOp: Op<[x: Value], Plain, [Value]> = {
  name: "logSoftmax",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { outputs: [y] }) => [sub(g, mul(exp(y), sum(g, [-1], true)))],
  onnx: (emit, [x]) => emit.node("LogSoftmax", [x], { axis: { int: -1 } }),
};
/** log(softmax(x)) over the last axis. */
export const logSoftmax = (x: Value): Value => apply(logSoftmaxOp, [x], {})[0];

/**
 * What flows back from y = (x - mu) * inv * scale + bias. With h = g * (x - mu), all sums over channels and
 * over rows are products with a vector: dx = inv * (g * scale - level) - (x - mu) * inv^3 * along, where
 * level and along are the means of g * scale and h * scale, and dscale = inv^T h.
 */
const layerNormSlope = (g: Value, x: Value, scale: Value, mu: Value, inv: Value) => {
  const width = x.shape.at(-1) as number;
  const count = product(x.shape.slice(0, -1));
  const rows = (v: Value): Value => reshape(v, [count, v.shape.at(-1)!]);
  const [gRows, invRows] = [rows(g), rows(inv)];
  const centred = sub(rows(x), rows(mu));
  const h = mul(gRows, centred);
  const column = reshape(scale, [width, 1]);
  const level = matmul(gRows, column, { alpha: 1 / width });
  const along = matmul(h, column, { alpha: 1 / width });
  const tilt = mul(mul(invRows, mul(invRows, invRows)), along);
  const straight = sub(mul(mul(gRows, scale), invRows), mul(invRows, level));
  return {
    x: reshape(sub(straight, mul(centred, tilt)), x.shape),
    scale: reshape(matmul(invRows, h, { transA: true }), [width]),
    bias: sum(gRows, [0]),
  };
};

const layerNormOp: Op<
  [x: Value, scale: Value, bias: Value],
  { epsilon: number },
  [y: Value, mean: Value, inv: Value]
> = {
  name: "layerNorm",
  infer: ([x, scale, bias]) => {
    const width = x.shape.at(-1);
    if (scale.shape[0] !== width || bias.shape[0] !== width) {
      throw new ShapeError(`layerNorm: scale ${shapeText(scale.shape)} does not fit ${shapeText(x.shape)}`);
    }
    const stats = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
    return [{ dtype: x.dtype, shape: x.shape }, stats, stats];
  },
  vjp: ([g, gMean, gInv], { inputs: [x, scale], outputs: [, mu, inv] }) => {
    const width = x.shape.at(-1) as number;
    const slope = g === null ? undefined : layerNormSlope(g, x, scale, mu, inv);
    const parts: Value[] = slope === undefined ? [] : [slope.x];
    if (gMean !== null) parts.push(broadcastLike(mul(gMean, 1 / width), x));
    if (gInv !== null) {
      const cube = mul(inv, mul(inv, inv));
      parts.push(neg(mul(sub(x, mu), mul(gInv, mul(cube, 1 / width)))));
    }
    return [parts.reduce((a, b) => add(a, b)), slope?.scale ?? null, slope?.bias ?? null];
  },
  onnx: (emit, [x, scale, bias], { attrs: { epsilon } }) =>
    emit.node(
      "LayerNormalization",
      [x, scale, bias],
      { axis: { int: -1 }, epsilon: { float: epsilon } },
      { outputs: 3 },
    ),
};
/**
 * (x - mean) / sqrt(var + epsilon) * scale + bias over the last axis: x [..., C], scale and bias [C] -> [...,
 * C] (Ba et al. 2016, https://arxiv.org/abs/1607.06450).
 */
export const layerNorm = (x: Value, scale: Value, bias: Value, epsilon = 1e-5): Value =>
  apply(layerNormOp, [x, scale, bias], { epsilon })[0];

const sumSquaresOp: Op<[x: Value], Plain, [Value]> = {
  name: "sumSquares",
  infer: ([x]) => [{ dtype: x.dtype, shape: [] }],
  vjp: ([g], { inputs: [x] }) => [mul(mul(x, 2), g)],
  onnx: (emit, [x]) => emit.node("ReduceSumSquare", [x], { keepdims: { int: 0 } }),
};
/** Sum of the squares of all elements of all `values` -> []. */
export const sumOfSquares = (values: readonly Value[]): Value =>
  values.map((v) => apply(sumSquaresOp, [v], {})[0]).reduce((a, b) => add(a, b));
