/**
 * In-batch negatives: each anchor has to find its positive among the positives and hard negatives of all
 * examples of the batch (Henderson et al. 2017, https://arxiv.org/abs/1705.00652; van den Oord et al. 2018,
 * https://arxiv.org/abs/1807.03748), as MultipleNegativesRankingLoss of sentence-transformers.
 */
import { constant } from "../../../ir/op.ts";
import { tensorOf } from "../../../ir/tensor.ts";
import { unitRows } from "../../../models/pooling.ts";
import { crossEntropy, totalsOver } from "../../../nn/loss.ts";
import { matmul } from "../../../ops/linalg.ts";
import { reshape, slice, transpose } from "../../../ops/structure.ts";
import { scoredIf, textAt, type VectorLoss } from "./vectorLoss.ts";

// B examples, G texts of an example (anchor, positive, hard negatives), C channels

/** The factor of cosines. */
export interface ScaleOptions {
  /** 1 over the temperature. */
  readonly scale?: number;
}

/**
 * -log softmax(scale * cosine(anchor, candidates)) at the anchor's own positive. Each anchor counts once; a
 * hard negative that is missing is no candidate.
 */
export const inBatchNegatives = ({ scale = 20 }: ScaleOptions = {}): VectorLoss => ({
  name: "in-batch-negatives",
  inputs: () => ({}),
  totals: (vectors, { present }) => {
    const [batch, texts, width] = vectors.shape as readonly number[];
    const unit = unitRows(vectors);
    const all = batch! * (texts! - 1);
    // Place by place: the positives first, so that an anchor's own is at its number.
    const candidates = reshape(transpose(slice(unit, 1, 1, texts!), [1, 0, 2]), [all, width!]);
    const takesPart = reshape(transpose(slice(present!, 1, 1, texts!), [1, 0]), [1, all]);
    const scores = matmul(textAt(unit, 0), candidates, { transB: true, alpha: scale }); // [B, all]
    const own = constant(
      tensorOf(
        "int32",
        [batch!, 1],
        Array.from({ length: batch! }, (_, i) => i),
      ),
    );
    const losses = crossEntropy(scoredIf(takesPart, scores), own); // [B, 1]
    return totalsOver(losses, reshape(textAt(present!, 0), [batch!, 1]));
  },
});
