/** Where a model's layers begin, for what computes them again or one by one. */
import type { Value } from "../ir/op.ts";
import { block } from "../ops/block.ts";

/** What a layer reads, marked as the beginning of a block where the call asks for recompute or order. */
export const layerInput = (
  { recompute = false, inOrder = false }: { readonly recompute?: boolean; readonly inOrder?: boolean },
  x: Value,
): Value => (recompute || inOrder ? block(x, { again: recompute }) : x);
