/**
 * The gated MLP of Llama: SwiGLU where the activation is silu (Shazeer 2020,
 * https://arxiv.org/abs/2002.05202).
 */
import type { Value } from "../ir/op.ts";
import { mul } from "../ops/elementwise.ts";
import { type Projection, projections } from "./fused.ts";
import { projected } from "./groupedAttention.ts";
import type { Param } from "./param.ts";

export type GatedMlp<T> = { gate_proj: Projection<T>; up_proj: Projection<T>; down_proj: Projection<T> };

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
      ? parts.map((part) => projected(part, x))
      : projections(parts, x, `${joined}.gate_up_proj`);
  return projected(p.down_proj, mul(activation(gate!), up!));
};
