/**
 * Texts of classes: all triplets of a batch whose anchor and positive are of one class and whose negative is
 * of another (Hermans et al. 2017, https://arxiv.org/abs/1703.07737), as BatchAllTripletLoss of
 * sentence-transformers. Chosen over the semi-hard and hardest triplets, since all give a smooth loss from
 * the first step on where those may collapse, and over a classifier on top, whose weights are thrown away.
 */

import { constant } from "../../../ir/op.ts";
import { tensorOf } from "../../../ir/tensor.ts";
import {
  add,
  cast,
  div,
  equal,
  greater,
  maximum,
  minimum,
  mul,
  relu,
  sub,
} from "../../../ops/elementwise.ts";
import { reshape, sum } from "../../../ops/structure.ts";
import { distancesIn } from "./distance.ts";
import type { MarginOptions } from "./tripletMargin.ts";
import { textAt, type VectorLoss } from "./vectorLoss.ts";

// B texts

/** A triplet of less is settled. */
const SETTLED = 1e-16;

/** 1 off the diagonal. */
const others = (batch: number) =>
  constant(
    tensorOf(
      "float32",
      [batch, batch],
      Array.from({ length: batch * batch }, (_, i) => Number(i % (batch + 1) !== 0)),
    ),
  );

/**
 * The mean of max(0, d(anchor, positive) - d(anchor, negative) + margin) over the triplets of `classes` int32
 * [B] where it is more than 0: a loss of the batch as a whole, which counts once. Takes B^3 numbers.
 */
export const batchTriplets = ({ margin = 5, distance = "euclidean" }: MarginOptions = {}): VectorLoss => ({
  name: "batch-triplets",
  inputs: ({ batch }) => ({ classes: { dtype: "int32", shape: [batch] } }),
  totals: (vectors, { present, classes }) => {
    const batch = vectors.shape[0] as number;
    const apart = distancesIn(textAt(vectors, 0), distance); // [B, B]
    const [column, row] = [
      [batch, 1],
      [1, batch],
    ] as const;
    const there = textAt(present!, 0);
    const both = mul(reshape(there, column), reshape(there, row));
    const isSame = cast(equal(reshape(classes!, column), reshape(classes!, row)), "float32");
    const positives = reshape(mul(mul(isSame, both), others(batch)), [batch, batch, 1]);
    const negatives = reshape(mul(sub(1, isSame), both), [batch, 1, batch]);
    const gaps = sub(reshape(apart, [batch, batch, 1]), reshape(apart, [batch, 1, batch]));
    const losses = mul(relu(add(gaps, margin)), mul(positives, negatives)); // [B, B, B]
    const open = sum(cast(greater(losses, SETTLED), "float32"));
    const count = minimum(sum(there), 1);
    return { total: mul(div(sum(losses), maximum(open, 1)), count), count };
  },
});
