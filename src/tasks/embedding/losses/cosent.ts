/**
 * CoSENT (Su 2022, https://kexue.fm/archives/8847): of two pairs, that which is scored higher has to have the
 * larger cosine; as CoSENTLoss of sentence-transformers.
 */
import { constant } from "../../../ir/op.ts";
import { tensorOf } from "../../../ir/tensor.ts";
import { unitRows } from "../../../models/pooling.ts";
import { crossEntropy } from "../../../nn/loss.ts";
import { cast, greater, minimum, mul, sub } from "../../../ops/elementwise.ts";
import { concat, reshape, sum } from "../../../ops/structure.ts";
import type { ScaleOptions } from "./inBatchNegatives.ts";
import { scoredIf, textAt, type VectorLoss } from "./vectorLoss.ts";

// B pairs

/**
 * log(1 + sum of exp(scale * (cosine of i - cosine of j)) over i scored below j), for `scores` float32 [B]: a
 * loss of the batch as a whole, which counts once.
 */
export const cosent = ({ scale = 20 }: ScaleOptions = {}): VectorLoss => ({
  name: "cosent",
  inputs: ({ batch }) => ({ scores: { dtype: "float32", shape: [batch] } }),
  totals: (vectors, { present, scores }) => {
    const batch = vectors.shape[0] as number;
    const unit = unitRows(vectors);
    const cosines = mul(sum(mul(textAt(unit, 0), textAt(unit, 1)), [-1]), scale); // [B]
    const [column, row] = [
      [batch, 1],
      [1, batch],
    ] as const;
    const isBelow = cast(greater(reshape(scores!, row), reshape(scores!, column)), "float32"); // [B, B]
    const there = textAt(present!, 1);
    const counted = mul(isBelow, mul(reshape(there, column), reshape(there, row)));
    const gaps = scoredIf(counted, sub(reshape(cosines, column), reshape(cosines, row)));
    const zero = constant(tensorOf("float32", [1, 1], [0]));
    const all = concat([zero, reshape(gaps, [1, batch * batch])], 1);
    const loss = crossEntropy(all, constant(tensorOf("int32", [1, 1], [0])));
    const count = minimum(sum(there), 1);
    return { total: mul(sum(loss), count), count };
  },
});
