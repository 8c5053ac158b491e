/** Normalisation by the root of the mean square (Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467). */
import { apply, type Op, type Value } from "../ir/op.ts";
import { product, sameShape } from "../ir/shape.ts";
import { shapeText } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add, mul, sub } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { reshape } from "./structure.ts";

const checkScale = (x: Value, scale: Value): void => {
  if (scale.shape.length === 1 && scale.shape[0] === x.shape.at(-1)) return;
  throw new ShapeError(`rmsNorm: scale ${shapeText(scale.shape)} does not fit ${shapeText(x.shape)}`);
};

/** The slope of 1 / root mean square: d inv / dx = -inv^3 x / C. */
const cubed = (inv: Value): Value => mul(inv, mul(inv, inv));

/**
 * What flows back from y = x * inv * scale: dx = inv * g * scale - x * inv^3 * along, where along is the mean
 * of g * x * scale; dscale = inv^T (g * x). Sums over channels and rows are products with a vector.
 */
const slope = (g: Value, x: Value, scale: Value, inv: Value): { x: Value; scale: Value } => {
  const width = x.shape.at(-1) as number;
  const count = product(x.shape.slice(0, -1));
  const rows = (v: Value): Value => reshape(v, [count, v.shape.at(-1)!]);
  const [gRows, xRows, invRows] = [rows(g), rows(x), rows(inv)];
  const h = mul(gRows, xRows);
  const along = matmul(h, reshape(scale, [width, 1]), { alpha: 1 / width });
  const straight = mul(mul(gRows, scale), invRows);
  return {
    x: reshape(sub(straight, mul(xRows, mul(cubed(invRows), along))), x.shape),
    scale: reshape(matmul(invRows, h, { transA: true }), [width]),
  };
};

const rmsNormOp: Op<[x: Value, scale: Value], { epsilon: number }, [y: Value, inv: Value]> = {
  name: "rmsNorm",
  infer: ([x, scale]) => {
    checkScale(x, scale);
    return [
      { dtype: x.dtype, shape: x.shape },
      { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] },
    ];
  },
  vjp: ([g, gInv], { inputs: [x, scale], outputs: [, inv] }) => {
    const own = g === null ? undefined : slope(g, x, scale, inv);
    const parts = own === undefined ? [] : [own.x];
    if (gInv !== null) {
      const factor = mul(mul(gInv, cubed(inv)), -1 / (x.shape.at(-1) as number));
      parts.push(mul(x, factor));
    }
    return [parts.reduce((a, b) => add(a, b)), own?.scale ?? null];
  },
  onnx: (emit, [x, scale], { attrs: { epsilon } }) => {
    const attrs = { axis: { int: -1 }, epsilon: { float: epsilon } };
    return emit.node("SimplifiedLayerNormalization", [x, scale], attrs, { outputs: 2 });
  },
};

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis: x [..., C], scale [C] -> [..., C]. */
export const rmsNorm = (x: Value, scale: Value, epsilon = 1e-6): Value =>
  apply(rmsNormOp, [x, scale], { epsilon })[0];

const addRmsNormOp: Op<[x: Value, y: Value, scale: Value], { epsilon: number }, [out: Value, sum: Value]> = {
  name: "addRmsNorm",
  infer: ([x, y, scale]) => {
    checkScale(x, scale);
    if (x.shape.length !== 3 || !sameShape(x.shape, y.shape)) {
      throw new ShapeError(
        `addRmsNorm: ${shapeText(x.shape)} and ${shapeText(y.shape)} are not one [B, T, C]`,
      );
    }
    const type = { dtype: x.dtype, shape: x.shape };
    return [type, type];
  },
  onnx: (emit, inputs, { attrs: { epsilon } }) => {
    const [out, , , sum] = emit.node(
      "SkipSimplifiedLayerNormalization",
      inputs,
      { epsilon: { float: epsilon } },
      { domain: "com.microsoft", outputs: 4 },
    );
    return [out!, sum!];
  },
};

/** rmsNorm(x + y) and x + y in one node, [B, T, C] each. Inference only. */
export const addRmsNorm = (
  x: Value,
  y: Value,
  scale: Value,
  epsilon = 1e-6,
): { readonly out: Value; readonly sum: Value } => {
  const [out, total] = apply(addRmsNormOp, [x, y, scale], { epsilon });
  return { out, sum: total };
};
