/**
 * Losses of what stands within models: hidden states through a projection that learns beside the student
 * (Jiao et al. 2019, https://arxiv.org/abs/1909.10351), and relations of queries, keys and values (MiniLM:
 * Wang et al. 2020, https://arxiv.org/abs/2002.10957 and https://arxiv.org/abs/2012.15828), which need
 * neither equal widths nor equal heads.
 */
import type { Value } from "../../ir/op.ts";
import { add, div, equal, maximum, mul, sub, where } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { logSoftmax, softmax } from "../../ops/reduce.ts";
import { reshape, sum, transpose } from "../../ops/structure.ts";

// B batch, T time, C and K channels of student and teacher, R relation heads

const square = (x: Value): Value => sum(mul(x, x), [-1]);

/** Added up over the tokens that count (`mask` float32 [B, T]), over their number: [B, T] -> []. */
const meanOver = (each: Value, mask: Value): Value => div(sum(mul(each, mask)), maximum(sum(mask), 1));

/**
 * |s P^T - t|^2 / |t|^2, the mean over the tokens that count: student [B, T, C], teacher [B, T, K],
 * projection [K, C], mask float32 [B, T] -> [].
 */
export const hiddenLoss = (student: Value, teacher: Value, projection: Value, mask: Value): Value => {
  const off = sub(matmul(student, projection, { transB: true }), teacher);
  return meanOver(div(square(off), maximum(square(teacher), 1e-6)), mask);
};

/** [B, T, W] -> [B, R, T, W / R] */
const inHeads = (x: Value, heads: number): Value => {
  const [b, t, w] = x.shape as readonly number[];
  return transpose(reshape(x, [b!, t!, heads, w! / heads]), [0, 2, 1, 3]);
};

/** a b^T / sqrt(width of a head) without tokens that do not count: [B, T, W] each -> [B, R, T, T]. */
const scoresOf = (a: Value, b: Value, mask: Value, heads: number): Value => {
  const [rows, t, width] = a.shape as readonly number[];
  const scores = matmul(inHeads(a, heads), inHeads(b, heads), {
    transB: true,
    alpha: 1 / Math.sqrt(width! / heads),
  });
  return where(equal(reshape(mask, [rows!, 1, 1, t!]), 0), -1e9, scores);
};

/** Two tensors of one model that are related, [B, T, W] each: queries to keys, values to values. */
export type Related = readonly [a: Value, b: Value];

/**
 * KL(teacher || student) of the distributions softmax(a b^T / sqrt(W / R)), nats, the mean over heads and
 * tokens that count (`mask` float32 [B, T]) -> [].
 */
export const relationLoss = (student: Related, teacher: Related, mask: Value, heads: number): Value => {
  const [mine, theirs] = [student, teacher].map(([a, b]) => scoresOf(a!, b!, mask, heads)) as [Value, Value];
  const gaps = mul(softmax(theirs), sub(logSoftmax(theirs), logSoftmax(mine))); // [B, R, T, T]
  return meanOver(mul(sum(gaps, [1, -1]), 1 / heads), mask);
};

/** The sum of losses []. */
export const sumOf = (losses: readonly Value[]): Value => losses.reduce((a, b) => add(a, b));
