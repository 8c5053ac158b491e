/**
 * Activations by their names in config.json: transformers' table (ACT2FN), but for those with weights of
 * their own (prelu, xielu) and those of other fields (laplace, sqrtsoftplus).
 */
import type { Value } from "../ir/op.ts";
import {
  add,
  exp,
  gelu,
  geluTanh,
  log,
  maximum,
  minimum,
  mul,
  relu,
  sigmoid,
  tanh,
} from "../ops/elementwise.ts";
import { silu } from "../ops/silu.ts";

/** x clipped to [low, high]. */
const clip = (x: Value, low: number, high: number): Value => minimum(maximum(x, low), high);

/** ln(1 + e^x), without overflow: the larger of x and 0, plus ln(1 + e^-|x|). */
const softplus = (x: Value): Value => {
  const positive = relu(x);
  const small = exp(add(x, mul(positive, -2))); // e^-|x|
  return add(positive, log(add(small, 1)));
};

/** Activation functions, elementwise, by name. */
export const activations = {
  gelu,
  gelu_python: gelu,
  gelu_10: (x: Value): Value => clip(gelu(x), -10, 10),
  gelu_new: geluTanh,
  gelu_fast: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  gelu_python_tanh: geluTanh,
  gelu_accurate: geluTanh,
  quick_gelu: (x: Value): Value => mul(x, sigmoid(mul(x, 1.702))),
  silu,
  swish: silu,
  hardswish: (x: Value): Value => mul(x, mul(clip(add(x, 3), 0, 6), 1 / 6)),
  mish: (x: Value): Value => mul(x, tanh(softplus(x))),
  relu,
  relu2: (x: Value): Value => {
    const positive = relu(x);
    return mul(positive, positive);
  },
  relu6: (x: Value): Value => clip(x, 0, 6),
  leaky_relu: (x: Value): Value => maximum(x, mul(x, 0.01)),
  sigmoid,
  tanh,
  linear: (x: Value): Value => x,
} as const satisfies Record<string, (x: Value) => Value>;

/** The name of an activation in config.json. */
export type ActivationName = keyof typeof activations;
