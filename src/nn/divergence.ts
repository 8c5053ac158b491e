/**
 * How far a student's distribution is from its teacher's: forward KL (Hinton et al. 2015,
 * https://arxiv.org/abs/1503.02531), reverse KL, which looks for one of the teacher's modes (Gu et al. 2023,
 * https://arxiv.org/abs/2306.08543), and Jensen-Shannon between both (Agarwal et al. 2023,
 * https://arxiv.org/abs/2306.13649).
 */
import type { Value } from "../ir/op.ts";
import { add, log, maximum, mul, sub } from "../ops/elementwise.ts";
import { put, take } from "../ops/indexing.ts";
import { logSoftmax, softmax } from "../ops/reduce.ts";
import { sum } from "../ops/structure.ts";
import { crossEntropy, softLoss } from "./loss.ts";

// N rows, V vocabulary

/** The divergences that a student can be taught by. */
export const divergences = ["forward", "reverse", "js"] as const;

/** The name of a divergence: KL(teacher || student), KL(student || teacher), Jensen-Shannon. */
export type Divergence = (typeof divergences)[number];

/** How the teacher's distribution and the label are mixed. */
export interface DistillLossOptions {
  /** Share of the teacher in the target; the rest is the label. */
  readonly alpha: number;
  /** Softening of both distributions. */
  readonly temperature: number;
  /** "forward" unless told. */
  readonly divergence?: Divergence;
}

/** Less than any probability that counts, whose logarithm is finite. */
const TINY = 1e-20;

/** KL(p || q) of log-probabilities [N, V], nats per row -> [N, 1]. */
const klOf = (p: Value, logP: Value, logQ: Value): Value => sum(mul(p, sub(logP, logQ)), [-1], true);

/** KL(student || teacher) of softened logits [N, V], nats per row -> [N, 1]. */
export const reverseKl = (student: Value, teacher: Value): Value =>
  klOf(softmax(student), logSoftmax(student), logSoftmax(teacher));

/** The mean of KL(teacher || m) and KL(student || m), m their mean: logits [N, V] -> nats per row [N, 1]. */
export const jensenShannon = (student: Value, teacher: Value): Value => {
  const [s, t] = [softmax(student), softmax(teacher)];
  const logM = log(maximum(mul(add(s, t), 0.5), TINY));
  return mul(add(klOf(t, logSoftmax(teacher), logM), klOf(s, logSoftmax(student), logM)), 0.5);
};

/**
 * The divergence of softened logits [N, V], nats per row -> [N, 1]; forward KL without the teacher's entropy,
 * which has no gradient.
 */
const apartBy: Readonly<Record<Divergence, (student: Value, teacher: Value) => Value>> = {
  forward: (student, teacher) => softLoss(student, softmax(teacher)),
  reverse: reverseKl,
  js: jensenShannon,
};

/**
 * alpha * T^2 * the divergence of the distributions softened by T + (1 - alpha) * cross-entropy of the
 * labels, nats per row: logits [N, V] both, labels [N, 1] -> [N, 1]. Of forward KL at T = 1 both are one
 * cross-entropy against the mixture of teacher and label.
 */
export const distillLoss = (
  student: Value,
  teacher: Value,
  labels: Value,
  { alpha, temperature, divergence = "forward" }: DistillLossOptions,
): Value => {
  if (temperature === 1 && divergence === "forward") {
    const shares = mul(softmax(teacher), alpha);
    return softLoss(student, put(shares, labels, add(take(shares, labels), 1 - alpha)));
  }
  const softened = (logits: Value): Value => mul(logits, 1 / temperature);
  const apart = apartBy[divergence](softened(student), softened(teacher));
  const soft = mul(apart, alpha * temperature * temperature);
  return alpha === 1 ? soft : add(soft, mul(crossEntropy(student, labels), 1 - alpha));
};
