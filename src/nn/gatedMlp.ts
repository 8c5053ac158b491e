/**
 * The gated MLP of Llama: SwiGLU where the activation is silu (Shazeer 2020,
 * https://arxiv.org/abs/2002.05202).
 */
import type { Value } from "../ir/op.ts";
import { mul } from "../ops/elementwise.ts";
import { projections } from "./fused.ts";
import { linear, type Projection } from "./linear.ts";
import type { Param } from "./param.ts";

/** Weights of a gated MLP. */
export type GatedMlp<T> = { gate_proj: Projection<T>; up_proj: Projection<T>; down_proj: Projection<T> };

/** The gate's activation, and whether gate and up are one product. */
export interface GatedOptions {
  readonly activation: (x: Value) => Value;
  /** Path of the weights where they may be joined, which pays when few tokens pass at once. */
  readonly joined?: string;
}

/** down(activation(gate x) * up x): [B, T, C] -> [B, T, C] */
export const gatedMlp = (p: GatedMlp<Param>, x: Value, { activation, joined }: GatedOptions): Value => {
  const parts = [p.gate_proj, p.up_proj];
  const [gate, up] =
    joined === undefined
      ? parts.map((part) => linear(part, x))
      : projections(parts, x, `${joined}.gate_up_proj`);
  return linear(p.down_proj, mul(activation(gate!), up!));
};
