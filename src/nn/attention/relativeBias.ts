/**
 * Relative position biases of T5 (Raffel et al. 2020, https://arxiv.org/abs/1910.10683): a head adds to its
 * scores a learnt number for each bucket of distances; near distances have a bucket each, far ones share.
 */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { add, maximum, minimum, sub } from "../../ops/elementwise.ts";
import { gather } from "../../ops/rows.ts";
import { reshape, transpose } from "../../ops/structure.ts";

// U queries, K keys, H heads

/** How distances are put into buckets. */
export interface BucketOptions {
  readonly buckets: number;
  /** Distances from here on share the last bucket. */
  readonly maxDistance: number;
  /** Whether later keys have buckets of their own (encoders); else they share that of distance 0. */
  readonly bidirectional: boolean;
}

/**
 * The bucket of `distance` = position of the key - position of the query. In float32 as the reference, since
 * at borders the rounding decides.
 */
export const bucketOf = (
  distance: number,
  { buckets, maxDistance, bidirectional }: BucketOptions,
): number => {
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const offset = bidirectional && distance > 0 ? count : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(count / 2);
  if (away < exact) return offset + away;
  const { fround, log } = Math;
  const share = fround(fround(log(fround(away / exact))) / fround(log(maxDistance / exact)));
  return offset + Math.min(count - 1, exact + Math.trunc(fround(share * (count - exact))));
};

/** Buckets of the distances -maxDistance .. maxDistance, at which all further ones stop changing. */
const table = (options: BucketOptions): Value => {
  const { maxDistance } = options;
  const ids = Array.from({ length: 2 * maxDistance + 1 }, (_, i) => bucketOf(i - maxDistance, options));
  return constant(tensorOf("int64", [ids.length], ids));
};

/** weight [buckets, H], positions int64 queries [U] and keys [K] -> [H, U, K], to be added to the scores. */
export const relativeBias = (weight: Value, queries: Value, keys: Value, options: BucketOptions): Value => {
  const { maxDistance } = options;
  const distance = sub(reshape(keys, [1, keys.shape[0]!]), reshape(queries, [queries.shape[0]!, 1]));
  const place = add(maximum(minimum(distance, maxDistance), -maxDistance), maxDistance);
  return transpose(gather(weight, gather(table(options), place)), [2, 0, 1]);
};
