/** Where a model's layers begin, for what computes them again. */
import type { Value } from "../ir/op.ts";
import { block } from "../ops/block.ts";

/** What a layer reads, marked as the beginning of a block where the call asks for recompute. */
export const layerInput = ({ recompute = false }: { readonly recompute?: boolean }, x: Value): Value =>
  recompute ? block(x) : x;
