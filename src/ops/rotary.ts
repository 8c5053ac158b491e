/**
 * Rotary position embedding (Su et al. 2021, https://arxiv.org/abs/2104.09864): element i of a head and
 * element i + D / 2 are a point, turned by an angle that grows with the token's position. Hugging Face's
 * order, not the paper's neighbours.
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { cast, neg } from "./elementwise.ts";
import { expandTo, reshape } from "./structure.ts";

// B batch, T time, H heads, D head width, P positions

/** Cosines and sines of the angle of each position and point, [P, D / 2] each. */
export interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}

type Inputs = [x: Value, positions: Value, cos: Value, sin: Value];

const rotaryOp: Op<Inputs, { heads: number }, [Value]> = {
  name: "rotary",
  infer: ([x, positions, cos, sin], { heads }) => {
    const points = cos.shape[1] as number;
    if (x.shape.length !== 3 || x.shape[2] !== heads * 2 * points || !sameShape(cos.shape, sin.shape)) {
      const shapes = [x, cos, sin].map((v) => shapeText(v.shape)).join(", ");
      throw new ShapeError(`rotary: wants x [B, T, ${heads} x D], cos and sin [P, D / 2]; got ${shapes}`);
    }
    if (positions.dtype !== "int64" || !sameShape(positions.shape, x.shape.slice(0, 2))) {
      const [at, to] = [shapeText(positions.shape), shapeText(x.shape)];
      throw new ShapeError(`rotary: positions ${positions.dtype} ${at} are not int64 of each token of ${to}`);
    }
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  /** A rotation's transpose turns back. The tables are constants: nothing flows to them. */
  vjp: ([g], { inputs: [, positions, cos, sin], attrs: { heads } }) => [
    apply(rotaryOp, [g, positions, cos, neg(sin)], { heads })[0],
    null,
    null,
    null,
  ],
  onnx: (emit, inputs, { attrs: { heads } }) =>
    emit.node("RotaryEmbedding", inputs, { num_heads: { int: heads } }, { domain: "com.microsoft" }),
};

/** Positions [T] or [B, T] as int64 for each token of `x` [B, T, ...]. */
const ofEachToken = (positions: Value, x: Value): Value => {
  const [b, t] = x.shape;
  const wide = cast(positions, "int64");
  return wide.shape.length === 2 && wide.shape[0] === b ? wide : expandTo(reshape(wide, [1, t!]), [b!, t!]);
};

/**
 * x [B, T, H D] with each head turned by its token's row of the tables -> [B, T, H D]. Positions [B, T], or
 * [T] where the batch is fixed; each is a row of the tables. No gradient flows to the tables.
 */
export const rotary = (x: Value, positions: Value, { cos, sin }: RotaryTables, heads: number): Value =>
  apply(rotaryOp, [x, ofEachToken(positions, x), cos, sin], { heads })[0];
