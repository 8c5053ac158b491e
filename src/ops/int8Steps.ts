/**
 * Products with 8-bit weights whose inputs are rounded by steps that are known beforehand, each input by its
 * own: no pass over the inputs finds a scale, and none multiplies the outputs by it. Steps take strong inputs
 * into the weights, as SmoothQuant does (Xiao et al. 2022, https://arxiv.org/abs/2211.10438), without a fold:
 * q stands for W[i, j] steps[i] / scale[j]. The few inputs that would make the steps of all others long may
 * stand apart in float32, as in ops/int8: q has zeros for them.
 */
import { apply, constant, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add, mul } from "./elementwise.ts";
import { type Int8Matrix, int8Dense, productType, strongProduct, UINT8_ZERO } from "./int8.ts";
import { matmul } from "./linalg.ts";
import { sumTo } from "./structure.ts";

/** How inputs are rounded. */
export interface InputSteps {
  /** What one code of each input is, [K]. */
  readonly steps: readonly number[];
  /** The code of 0 to 255 that stands for 0. */
  readonly zero: number;
  /** Inputs that stand apart, ascending, whose steps are 1; none unless told. */
  readonly strong?: readonly number[];
}

const inverseOf = ({ steps }: Pick<InputSteps, "steps">) =>
  tensorOf(
    "float32",
    [steps.length],
    steps.map((s) => 1 / s),
  );

/** x [..., K] -> uint8 [..., K] */
const codesOp: Op<[x: Value], { steps: readonly number[]; zero: number }, [Value]> = {
  name: "stepCodes",
  infer: ([x]) => [{ dtype: "uint8", shape: x.shape }],
  onnx: (emit, [x], { attrs }) => {
    const [first] = attrs.steps;
    const alike = attrs.steps.every((s) => s === first);
    const [own] = alike ? [x] : emit.node("Mul", [x, emit.constant(inverseOf(attrs))]);
    const step = emit.constant(tensorOf("float32", [], [alike ? first! : 1]));
    return emit.node("QuantizeLinear", [own!, step, emit.constant(tensorOf("uint8", [], [attrs.zero]))]);
  },
};

type Operands = readonly Value[];

const productOp: Op<Operands, { steps: readonly number[]; zero: number }, [Value]> = {
  name: "int8StepMatmul",
  isProduct: true,
  infer: ([x, , q]) => [productType(x!, q!)],
  vjp: ([g], { inputs: [, , q, scale, bias], attrs }) => [
    inSteps(matmul(g!, int8Dense({ q: q!, scale: scale! }), { transB: true }), attrs),
    ...([null, null, null] as const),
    ...(bias === undefined ? [] : [sumTo(g!, bias.shape)]),
  ],
  onnx: (emit, [, codes, q, scale, bias = ""], { attrs: { zero }, inputs }) => {
    const byte = (value: number) => emit.constant(tensorOf("uint8", [], [value]));
    const middle = inputs[2]!.dtype === "uint8" ? byte(UINT8_ZERO) : "";
    const one = emit.constant(tensorOf("float32", [], [1]));
    const operands = [codes!, q!, one, scale!, byte(zero), middle, bias];
    return emit.node("MatMulIntegerToFloat", operands, {}, { domain: "com.microsoft" });
  },
};

/** x [..., K] times an 8-bit matrix [K, N] by steps, plus bias [N] -> [..., N]. */
export const int8StepMatmul = (
  x: Value,
  { q, scale, rows }: Int8Matrix,
  { steps, zero, strong = [] }: InputSteps,
  bias?: Value,
): Value => {
  const [codes] = apply(codesOp, [x], { steps, zero });
  const operands = [x, codes, q, scale, ...(bias === undefined ? [] : [bias])];
  const weak = apply(productOp, operands, { steps, zero })[0];
  return rows === undefined ? weak : add(weak, strongProduct(x, strong, rows));
};

const roundedOp: Op<[codes: Value], { steps: readonly number[]; zero: number }, [Value]> = {
  name: "stepRounded",
  infer: ([{ shape }]) => [{ dtype: "float32", shape }],
  onnx: (emit, [codes], { attrs: { steps, zero } }) => {
    const [wide] = emit.node("Cast", [codes], { to: { int: 1 } });
    const [centred] = emit.node("Sub", [wide!, emit.constant(tensorOf("float32", [], [zero]))]);
    return emit.node("Mul", [centred!, emit.constant(tensorOf("float32", [steps.length], steps))]);
  },
};

/** x [..., K] in steps: what the codes of a matrix by steps multiply. */
export const inSteps = (x: Value, by: Pick<InputSteps, "steps">): Value => {
  if (x.shape.at(-1) === by.steps.length) return mul(x, constant(inverseOf(by)));
  throw new ShapeError(`int8Matmul: ${shapeText(x.shape)} does not fit ${by.steps.length} steps`);
};

/** x [..., K] as a product by steps reads it, but for strong inputs. */
export const stepRounded = (x: Value, { steps, zero }: InputSteps): Value =>
  apply(roundedOp, apply(codesOp, [x], { steps, zero }), { steps, zero })[0];
