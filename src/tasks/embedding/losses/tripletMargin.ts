/**
 * Triplets (Schroff et al. 2015, https://arxiv.org/abs/1503.03832): the negative has to be further from the
 * anchor than the positive is, by a margin; as TripletLoss of sentence-transformers.
 */
import { add, mul, relu, sub } from "../../../ops/elementwise.ts";
import { reshape, slice, sum } from "../../../ops/structure.ts";
import { type Distance, distanceOf } from "./distance.ts";
import { textAt, type VectorLoss } from "./vectorLoss.ts";

// B examples, G texts of an example (anchor, positive, negatives)

/** How far apart, and by which measure. */
export interface MarginOptions {
  readonly margin?: number;
  readonly distance?: Distance;
}

/** max(0, d(anchor, positive) - d(anchor, negative) + margin), for each negative that is present. */
export const tripletMargin = ({ margin = 5, distance = "euclidean" }: MarginOptions = {}): VectorLoss => ({
  name: "triplet-margin",
  inputs: () => ({}),
  totals: (vectors, { present }) => {
    const [batch, texts, width] = vectors.shape as readonly number[];
    const anchor = reshape(textAt(vectors, 0), [batch!, 1, width!]);
    const near = distanceOf(anchor, slice(vectors, 1, 1, 2), distance); // [B, 1]
    const far = distanceOf(anchor, slice(vectors, 1, 2, texts!), distance); // [B, G - 2]
    const counts = slice(present!, 1, 2, texts!);
    return { total: sum(mul(relu(add(sub(near, far), margin)), counts)), count: sum(counts) };
  },
});
