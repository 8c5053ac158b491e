/** Losses. */
import { apply, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { add, cast, div, greater, maximum, mul, neg, sub } from "../ops/elementwise.ts";
import { put, take } from "../ops/indexing.ts";
import { matmul } from "../ops/linalg.ts";
import { logSoftmax, softmax } from "../ops/reduce.ts";
import { sum } from "../ops/structure.ts";
import { ShapeError } from "../util/errors.ts";

type Plain = Record<never, never>;

// N rows, C channels, V vocabulary

/**
 * The loss of a linear head, whose gradient never scales anything of V columns: with d = probs - onehot, dx =
 * g * (d w) and dw = d^T (g * x). loss = max - log(probs at max) - logit of the label, exact at any
 * probability.
 */
const headLossOp: Op<[x: Value, w: Value, labels: Value], Plain, [loss: Value, probs: Value]> = {
  name: "headLoss",
  infer: ([x, w, labels]) => {
    if (x.shape.length !== 2 || w.shape[1] !== x.shape[1] || labels.shape[0] !== x.shape[0]) {
      const shapes = [x, w, labels].map((v) => shapeText(v.shape)).join(", ");
      throw new ShapeError(`headLoss: wants x [N, C], w [V, C], labels [N, 1]; got ${shapes}`);
    }
    return [
      { dtype: x.dtype, shape: [x.shape[0]!, 1] },
      { dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!] },
    ];
  },
  vjp: ([g, gProbs], { inputs: [x, w, labels], outputs: [, probs] }) => {
    const parts: [dx: Value, dw: Value][] = [];
    if (g !== null) {
      const d = put(probs, labels, sub(take(probs, labels), 1));
      parts.push([mul(matmul(d, w), g), matmul(d, mul(x, g), { transA: true })]);
    }
    if (gProbs !== null) {
      const d = mul(probs, sub(gProbs, sum(mul(gProbs, probs), [-1], true)));
      parts.push([matmul(d, w), matmul(d, x, { transA: true })]);
    }
    return [
      parts.map(([dx]) => dx).reduce((a, b) => add(a, b)),
      parts.map(([, dw]) => dw).reduce((a, b) => add(a, b)),
      null,
    ];
  },
  onnx: (emit, [x, w, labels]) => {
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const attrs = { transA: { int: 0 }, transB: { int: 1 }, alpha: { float: 1 } };
    const [logits] = emit.node("FusedMatMul", [x, w], attrs, { domain: "com.microsoft" });
    const [probs] = emit.node("Softmax", [logits!], { axis: { int: -1 } });
    const [top] = emit.node("ReduceMax", [logits!, last], { keepdims: { int: 1 } });
    const [topProb] = emit.node("ReduceMax", [probs!, last], { keepdims: { int: 1 } });
    const [logTop] = emit.node("Log", [topProb!]);
    const [logSum] = emit.node("Sub", [top!, logTop!]);
    const [picked] = emit.node("GatherElements", [logits!, labels], { axis: { int: -1 } });
    const [loss] = emit.node("Sub", [logSum!, picked!]);
    return [loss!, probs!];
  },
};

/** Cross-entropy of softmax(x w^T), nats per row: x [N, C], w [V, C], labels [N, 1] -> [N, 1]. */
export const headLoss = (x: Value, w: Value, labels: Value): Value =>
  apply(headLossOp, [x, w, labels], {})[0];

/** Label of positions that do not count. */
export const IGNORE = -100;

/** Cross-entropy from logits [N, V] and labels [N, 1], nats per row -> [N, 1]. */
export const crossEntropy = (logits: Value, labels: Value): Value => neg(take(logSoftmax(logits), labels));

/** Rows that count (1) or not (0), and labels safe to index with: labels int32 [N] -> [N] each. */
export const countedLabels = (labels: Value): { counts: Value; safe: Value } => {
  const counts = cast(greater(labels, -1), "float32");
  return { counts, safe: maximum(labels, 0) };
};

/** Mean of `losses` [N, 1] over the rows that count. */
export const meanOver = (losses: Value, counts: Value): Value =>
  div(sum(mul(losses, counts)), maximum(sum(counts), 1));

/**
 * Cross-entropy of temperature-softened distributions times T^2, nats per row: logits [N, V] both -> [N, 1].
 * It is KL(teacher || student) plus the teacher's entropy, which has no gradient (Hinton et al. 2015,
 * https://arxiv.org/abs/1503.02531).
 */
export const distillLoss = (student: Value, teacher: Value, temperature: number): Value => {
  const target = softmax(mul(teacher, 1 / temperature));
  const scores = logSoftmax(mul(student, 1 / temperature));
  return mul(neg(sum(mul(target, scores), [-1], true)), temperature * temperature);
};
