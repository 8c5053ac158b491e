/**
 * Elementwise ops: arithmetic with numpy broadcasting, activations, comparisons. Number literals are
 * accepted.
 */
import { apply, constant, isConstant, type Op, type Value } from "../ir/op.ts";
import { broadcast, sameDtype, sameShape } from "../ir/shape.ts";
import { type DType, dataTypes, scalar, type TensorType, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { addScattered } from "./rows.ts";
import { expandTo, sumTo } from "./structure.ts";

/** A Value, or a number that becomes a constant of the other operand's type. */
export type Operand = Value | number;

/** A Value; numbers become scalar constants of `dtype`. */
export const lift = (x: Operand, dtype: DType): Value =>
  typeof x === "number" ? constant(tensorOf(dtype, [], [x])) : x;

const pair = (a: Operand, b: Operand): [Value, Value] => {
  const dtype = typeof a === "object" ? a.dtype : typeof b === "object" ? b.dtype : "float32";
  return [lift(a, dtype), lift(b, dtype)];
};

type Binary = Op<[a: Value, b: Value], Record<never, never>, [Value]>;
type Unary = Op<[x: Value], Record<never, never>, [Value]>;

/** The number of a scalar float32 constant. */
const numberOf = (v: Value): number | undefined =>
  isConstant(v.node) && v.dtype === "float32" && v.shape.length === 0 && v.node.attrs.name === undefined
    ? (v.node.attrs.value.data[0] as number)
    : undefined;

interface BinaryRules {
  /** The op on two numbers, to fold constants. */
  readonly fold?: (a: number, b: number) => number;
  /** The number that, as the second operand, changes nothing. */
  readonly neutral?: number;
  readonly commutes?: boolean;
}

const simplifyBinary =
  ({ fold, neutral, commutes = false }: BinaryRules) =>
  ([a, b]: readonly [Value, Value]): Value | undefined => {
    const [x, y] = [numberOf(a), numberOf(b)];
    if (x !== undefined && y !== undefined && fold !== undefined) return constant(scalar(fold(x, y)));
    if (y !== undefined && y === neutral) return a;
    if (commutes && x !== undefined && x === neutral) return b;
    return undefined;
  };

type BinaryVjp = (g: Value, a: Value, b: Value, y: Value) => [Value, Value];

const binary = (name: string, onnx: string, vjp?: BinaryVjp, rules: BinaryRules = {}): Binary => ({
  name,
  simplify: simplifyBinary(rules),
  infer: ([a, b]) => [{ dtype: sameDtype(a, b, name), shape: broadcast(a.shape, b.shape, name) }],
  ...(vjp === undefined
    ? {}
    : {
        vjp: ([g], { inputs: [a, b], outputs: [y] }) => {
          const [da, db] = vjp(g, a, b, y);
          return [sumTo(da, a.shape), sumTo(db, b.shape)];
        },
      }),
  onnx,
});

const unary = (
  name: string,
  onnx: Op["onnx"],
  vjp: (g: Value, x: Value, y: Value) => Value | null,
): Unary => ({
  name,
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { inputs: [x], outputs: [y] }) => [vjp(g, x, y)],
  onnx,
});

const addRules = { fold: (a: number, b: number) => a + b, neutral: 0, commutes: true };
const addOp: Binary = {
  ...binary("add", "Add", (g) => [g, g], addRules),
  simplify: ([a, b]) => simplifyBinary(addRules)([a, b]) ?? addScattered(a, b),
};
const subOp = binary("sub", "Sub", (g) => [g, neg(g)], { fold: (a, b) => a - b, neutral: 0 });
const mulOp = binary("mul", "Mul", (g, a, b) => [mul(g, b), mul(g, a)], {
  fold: (a, b) => a * b,
  neutral: 1,
  commutes: true,
});
const divOp = binary("div", "Div", (g, _a, b, y) => [div(g, b), neg(div(mul(g, y), b))], {
  fold: (a, b) => a / b,
  neutral: 1,
});
const maximumOp = binary("maximum", "Max", (g, a, b) => {
  const first = greater(a, b);
  return [where(first, g, 0), where(first, 0, g)];
});
const minimumOp = binary("minimum", "Min", (g, a, b) => {
  const first = less(a, b);
  return [where(first, g, 0), where(first, 0, g)];
});

/** a + b */
export const add = (a: Operand, b: Operand): Value => apply(addOp, pair(a, b), {})[0];
/** a - b */
export const sub = (a: Operand, b: Operand): Value => apply(subOp, pair(a, b), {})[0];
/** a * b */
export const mul = (a: Operand, b: Operand): Value => apply(mulOp, pair(a, b), {})[0];
/** a / b */
export const div = (a: Operand, b: Operand): Value => apply(divOp, pair(a, b), {})[0];
/** max(a, b), elementwise; at ties the gradient goes to b. */
export const maximum = (a: Operand, b: Operand): Value => apply(maximumOp, pair(a, b), {})[0];
/** min(a, b), elementwise; at ties the gradient goes to b. */
export const minimum = (a: Operand, b: Operand): Value => apply(minimumOp, pair(a, b), {})[0];

const negOp = unary("neg", "Neg", (g) => neg(g));
const expOp = unary("exp", "Exp", (g, _, y) => mul(g, y));
const logOp = unary("log", "Log", (g, x) => div(g, x));
const sqrtOp = unary("sqrt", "Sqrt", (g, _, y) => div(mul(g, 0.5), y));
const absOp = unary("abs", "Abs", (g, x) => mul(g, sign(x)));
const signOp = unary("sign", "Sign", () => null);
const roundOp = unary("round", "Round", (g) => g);
const tanhOp = unary("tanh", "Tanh", (g, _, y) => mul(g, sub(1, mul(y, y))));
const sigmoidOp = unary("sigmoid", "Sigmoid", (g, _, y) => mul(g, mul(y, sub(1, y))));
const reluOp = unary("relu", "Relu", (g, x) => where(greater(x, 0), g, 0));
const sinOp = unary("sin", "Sin", (g, x) => mul(g, cos(x)));
const cosOp = unary("cos", "Cos", (g, x) => neg(mul(g, sin(x))));
const erfOp = unary("erf", "Erf", (g, x) => mul(g, mul(2 / Math.sqrt(Math.PI), exp(neg(mul(x, x))))));

/** -x */
export const neg = (x: Value): Value => apply(negOp, [x], {})[0];
/** e^x */
export const exp = (x: Value): Value => apply(expOp, [x], {})[0];
/** Natural logarithm. */
export const log = (x: Value): Value => apply(logOp, [x], {})[0];
/** Square root. */
export const sqrt = (x: Value): Value => apply(sqrtOp, [x], {})[0];
/** |x| */
export const abs = (x: Value): Value => apply(absOp, [x], {})[0];
/** -1, 0 or 1; nothing flows back. */
export const sign = (x: Value): Value => apply(signOp, [x], {})[0];
/**
 * The nearest whole number, at ties the even one. Gradients pass as if it were not there (straight-through,
 * Bengio et al. 2013, https://arxiv.org/abs/1308.3432).
 */
export const round = (x: Value): Value => apply(roundOp, [x], {})[0];
/** Hyperbolic tangent. */
export const tanh = (x: Value): Value => apply(tanhOp, [x], {})[0];
/** 1 / (1 + e^-x) */
export const sigmoid = (x: Value): Value => apply(sigmoidOp, [x], {})[0];
/** max(x, 0) */
export const relu = (x: Value): Value => apply(reluOp, [x], {})[0];
/** sin(x), radians. */
export const sin = (x: Value): Value => apply(sinOp, [x], {})[0];
/** cos(x), radians. */
export const cos = (x: Value): Value => apply(cosOp, [x], {})[0];
/** The error function. */
export const erf = (x: Value): Value => apply(erfOp, [x], {})[0];

const hardSigmoidOp: Op<[x: Value], { alpha: number; beta: number }, [Value]> = {
  name: "hardSigmoid",
  infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
  vjp: ([g], { outputs: [y], attrs: { alpha } }) => {
    const inside = mul(cast(greater(y, 0), y.dtype), cast(less(y, 1), y.dtype));
    return [mul(g, mul(inside, alpha))];
  },
  onnx: (emit, [x], { attrs: { alpha, beta } }) =>
    emit.node("HardSigmoid", [x], { alpha: { float: alpha }, beta: { float: beta } }),
};
/** alpha * x + beta, limited to 0 .. 1, in one pass. */
export const hardSigmoid = (x: Value, alpha: number, beta: number): Value =>
  apply(hardSigmoidOp, [x], { alpha, beta })[0];

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

const geluOp: Unary = unary(
  "gelu",
  (emit, [x]) => emit.node("Gelu", [x!], {}, { domain: "com.microsoft" }),
  (g, x) => {
    // With u = x / sqrt(2): cdf = 0.5 * erf(u) + 0.5 in one pass, and x * density = u * e^(ln(1 / sqrt(pi)) -
    // u^2).
    const u = mul(x, Math.SQRT1_2);
    const cdf = hardSigmoid(erf(u), 0.5, 0.5);
    const density = exp(sub(-0.5 * Math.log(Math.PI), mul(u, u)));
    return mul(g, add(cdf, mul(u, density)));
  },
);

/**
 * The tanh form equals x * sigmoid(u), u = x * (c1 + c2 * x^2), so with s = sigmoid(u) the derivative is
 * s + y * (1 - s) * du/dx: two transcendental passes fewer than through tanh.
 */
const geluTanhOp: Unary = unary(
  "geluTanh",
  (emit, [x]) => emit.node("FastGelu", [x!], {}, { domain: "com.microsoft" }),
  (g, x, y) => {
    const square = mul(x, x);
    const scaled = mul(square, 2 * SQRT_2_OVER_PI * 0.044715);
    const s = sigmoid(mul(x, add(scaled, 2 * SQRT_2_OVER_PI)));
    const slope = add(mul(scaled, 3), 2 * SQRT_2_OVER_PI);
    return mul(g, add(s, mul(mul(y, sub(1, s)), slope)));
  },
);

/** x * Phi(x) with the exact normal cdf (Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415). */
export const gelu = (x: Value): Value => apply(geluOp, [x], {})[0];
/** The tanh approximation of gelu that GPT-2 uses ("gelu_new"). */
export const geluTanh = (x: Value): Value => apply(geluTanhOp, [x], {})[0];

const comparison = (name: string, onnx: string): Binary => ({
  name,
  infer: ([a, b]) => {
    sameDtype(a, b, name);
    return [{ dtype: "bool", shape: broadcast(a.shape, b.shape, name) }];
  },
  vjp: () => [null, null],
  onnx,
});
const greaterOp = comparison("greater", "Greater");
const lessOp = comparison("less", "Less");
const equalOp = comparison("equal", "Equal");

/** a > b */
export const greater = (a: Operand, b: Operand): Value => apply(greaterOp, pair(a, b), {})[0];
/** a < b */
export const less = (a: Operand, b: Operand): Value => apply(lessOp, pair(a, b), {})[0];
/** a == b */
export const equal = (a: Operand, b: Operand): Value => apply(equalOp, pair(a, b), {})[0];

const whereOp: Op<[c: Value, a: Value, b: Value], Record<never, never>, [Value]> = {
  name: "where",
  infer: ([c, a, b]): [TensorType] => {
    if (c.dtype !== "bool") throw new ShapeError(`where: the condition is ${c.dtype}, not bool`);
    const shape = broadcast(broadcast(a.shape, b.shape, "where"), c.shape, "where");
    return [{ dtype: sameDtype(a, b, "where"), shape }];
  },
  vjp: ([g], { inputs: [c, a, b] }) => [null, sumTo(where(c, g, 0), a.shape), sumTo(where(c, 0, g), b.shape)],
  onnx: "Where",
};
/** Elementwise choice: a where c, else b; broadcasts. */
export const where = (c: Value, a: Operand, b: Operand): Value => apply(whereOp, [c, ...pair(a, b)], {})[0];

const castOp: Op<[x: Value], { to: DType }, [Value]> = {
  name: "cast",
  infer: ([x], { to }) => [{ dtype: to, shape: x.shape }],
  vjp: ([g], { inputs: [x] }) => [x.dtype.startsWith("float") ? cast(g, x.dtype) : null],
  onnx: (emit, [x], { attrs: { to } }) => emit.node("Cast", [x], { to: { int: dataTypes[to] } }),
};
/** Converts the element type. */
export const cast = (x: Value, to: DType): Value => (x.dtype === to ? x : apply(castOp, [x], { to })[0]);

/** `x` expanded to the shape of `like` where they differ. */
export const broadcastLike = (x: Value, like: Value): Value =>
  sameShape(x.shape, like.shape) ? x : expandTo(x, like.shape);
