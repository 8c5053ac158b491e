/** Losses. */
import { apply, type Emit, type Op, type Value } from "../ir/op.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { after } from "../ops/after.ts";
import { add, cast, div, greater, maximum, mul, neg, sub } from "../ops/elementwise.ts";
import { put, take } from "../ops/indexing.ts";
import { matmul } from "../ops/linalg.ts";
import { logSoftmax } from "../ops/reduce.ts";
import { reshape, sum } from "../ops/structure.ts";
import { ShapeError } from "../util/errors.ts";

type Plain = Record<never, never>;

// N rows, C channels, V vocabulary

/** logits [N, V] -> softmax [N, V] and the logarithm of its denominator [N, 1], exact at any probability. */
const emitSoftmax = (emit: Emit, logits: string): { probs: string; logSum: string } => {
  const last = emit.constant(tensorOf("int64", [1], [-1]));
  const [probs] = emit.node("Softmax", [logits], { axis: { int: -1 } });
  const [top] = emit.node("ReduceMax", [logits, last], { keepdims: { int: 1 } });
  const [topProb] = emit.node("ReduceMax", [probs!, last], { keepdims: { int: 1 } });
  const [logTop] = emit.node("Log", [topProb!]);
  const [logSum] = emit.node("Sub", [top!, logTop!]);
  return { probs: probs!, logSum: logSum! };
};

/**
 * Losses [N, 1] and softmax [N, V] of logits for labels [N, 1], in the logits' own memory: all else that is
 * read of them is read before. What makes the softmax wait is that the labels' logits are put back where they
 * were, which a runtime does in place.
 */
const emitLosses = (emit: Emit, logits: string, labels: string): string[] => {
  const last = emit.constant(tensorOf("int64", [1], [-1]));
  const [top] = emit.node("ReduceMax", [logits, last], { keepdims: { int: 1 } });
  const [picked] = emit.node("GatherElements", [logits, labels], { axis: { int: -1 } });
  const [nothing] = emit.node("Mul", [top!, emit.constant(tensorOf("float32", [], [0]))]);
  const [again] = emit.node("Add", [picked!, nothing!]);
  const [same] = emit.node("ScatterElements", [logits, labels, again!], { axis: { int: -1 } });
  const [probs] = emit.node("Softmax", [same!], { axis: { int: -1 } });
  const [topProb] = emit.node("ReduceMax", [probs!, last], { keepdims: { int: 1 } });
  const [logTop] = emit.node("Log", [topProb!]);
  const [missed] = emit.node("Sub", [top!, picked!]);
  const [loss] = emit.node("Sub", [missed!, logTop!]);
  return [loss!, probs!];
};

/** What flows to the logits from a cotangent of their softmax. */
const softmaxSlope = (probs: Value, g: Value): Value => mul(probs, sub(g, sum(mul(g, probs), [-1], true)));

interface HeadRows {
  readonly x: Value;
  readonly w: Value;
  readonly labels: Value;
  readonly probs: Value;
  readonly losses: Value;
}

/**
 * What flows to x [N, C] from a cotangent [N, 1] of a head's losses, and the two whose product the gradient
 * of w is: d [N, V] and g x [N, C]. They are made once the losses are: nobody reads the logits then, and
 * the probabilities' own memory takes the gradient.
 */
export const headSlopes = (
  { x, w, labels, probs, losses }: HeadRows,
  g: Value,
): { dx: Value; d: Value; scaled: Value } => {
  const d = put(probs, labels, after(sub(take(probs, labels), 1), [losses]));
  return { dx: mul(matmul(d, w), g), d, scaled: mul(x, g) };
};

/** Checks x [N, C], w [V, C], labels [N, 1]. Throws ShapeError. */
const headTypes = ([x, w, labels]: readonly [x: Value, w: Value, labels: Value]) => {
  if (x.shape.length !== 2 || w.shape[1] !== x.shape[1] || labels.shape[0] !== x.shape[0]) {
    const shapes = [x, w, labels].map((v) => shapeText(v.shape)).join(", ");
    throw new ShapeError(`headLoss: wants x [N, C], w [V, C], labels [N, 1]; got ${shapes}`);
  }
  return [
    { dtype: x.dtype, shape: [x.shape[0]!, 1] },
    { dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!] },
  ] as const;
};

type Incoming = readonly [g: Value | null, gProbs: Value | null];

/** What flows back to x, w and a bias [V] from cotangents of the losses and of the softmax. */
const headCotangents = ([g, gProbs]: Incoming, { x, w, labels, probs, losses }: HeadRows) => {
  const parts: (readonly [dx: Value, dw: Value, db: Value])[] = [];
  if (g !== null) {
    const { dx, d, scaled } = headSlopes({ x, w, labels, probs, losses }, g);
    const db = reshape(matmul(g, d, { transA: true }), [w.shape[0]!]);
    parts.push([dx, matmul(d, scaled, { transA: true }), db]);
  }
  if (gProbs !== null) {
    const d = softmaxSlope(probs, gProbs);
    parts.push([matmul(d, w), matmul(d, x, { transA: true }), sum(d, [0])]);
  }
  return parts.reduce(([dx, dw, db], [x1, w1, b1]) => [add(dx, x1), add(dw, w1), add(db, b1)] as const);
};

/**
 * The loss of a linear head, whose gradient never scales anything of V columns: with d = probs - onehot, dx =
 * g * (d w) and dw = d^T (g * x). loss = max - log(probs at max) - logit of the label, exact at any
 * probability.
 */
const headLossOp: Op<[x: Value, w: Value, labels: Value], Plain, [loss: Value, probs: Value]> = {
  name: "headLoss",
  infer: headTypes,
  vjp: (g, { inputs: [x, w, labels], outputs: [losses, probs] }) => {
    const [dx, dw] = headCotangents(g, { x, w, labels, probs, losses });
    return [dx, dw, null];
  },
  onnx: (emit, [x, w, labels]) => {
    const attrs = { transA: { int: 0 }, transB: { int: 1 }, alpha: { float: 1 } };
    const [logits] = emit.node("FusedMatMul", [x, w], attrs, { domain: "com.microsoft" });
    return emitLosses(emit, logits!, labels);
  },
};

type Biased = [x: Value, w: Value, labels: Value, bias: Value];

/** The same with a bias [V], which the product takes in. */
const biasedHeadLossOp: Op<Biased, Plain, [loss: Value, probs: Value]> = {
  name: "biasedHeadLoss",
  infer: ([x, w, labels]) => headTypes([x, w, labels]),
  vjp: (g, { inputs: [x, w, labels], outputs: [losses, probs] }) => {
    const [dx, dw, db] = headCotangents(g, { x, w, labels, probs, losses });
    return [dx, dw, null, db];
  },
  onnx: (emit, [x, w, labels, bias]) => {
    const [logits] = emit.node("Gemm", [x, w, bias], { transB: { int: 1 } });
    return emitLosses(emit, logits!, labels);
  },
};

/**
 * Cross-entropy of softmax(x w^T + bias), nats per row: x [N, C], w [V, C], labels [N, 1], bias [V] or
 * none -> [N, 1].
 */
export const headLoss = (x: Value, w: Value, labels: Value, bias?: Value): Value =>
  bias === undefined
    ? apply(headLossOp, [x, w, labels], {})[0]
    : apply(biasedHeadLossOp, [x, w, labels, bias], {})[0];

/** As `headLoss`, with the softmax [N, V] that its gradients are made of. */
export const headLossAndProbs = (x: Value, w: Value, labels: Value): readonly [losses: Value, probs: Value] =>
  apply(headLossOp, [x, w, labels], {});

/** Label of positions that do not count. */
export const IGNORE = -100;

/** Cross-entropy from logits [N, V] and labels [N, 1], nats per row -> [N, 1]. */
export const crossEntropy = (logits: Value, labels: Value): Value => neg(take(logSoftmax(logits), labels));

/** Rows that count (1) or not (0), and labels safe to index with: labels int32 [N] -> [N] each. */
export const countedLabels = (labels: Value): { counts: Value; safe: Value } => {
  const counts = cast(greater(labels, -1), "float32");
  return { counts, safe: maximum(labels, 0) };
};

/** A loss added up, and what its mean divides by: both []. */
export type Totals = {
  readonly total: Value;
  readonly count: Value;
};

/** `losses` [N, 1] added up over the rows that count (`counts` [N, 1]), and their number. */
export const totalsOver = (losses: Value, counts: Value): Totals => ({
  total: sum(mul(losses, counts)),
  count: sum(counts),
});

/** Less than anything that counts, weighted or not. */
const NOTHING = 1e-9;

/** total / count -> []; 0 where nothing counts. */
export const meanLoss = ({ total, count }: Totals): Value => div(total, maximum(count, NOTHING));

const softLossOp: Op<[logits: Value, targets: Value], Plain, [loss: Value, probs: Value]> = {
  name: "softLoss",
  infer: ([logits, targets]) => {
    if (!sameShape(logits.shape, targets.shape)) {
      const [a, b] = [shapeText(logits.shape), shapeText(targets.shape)];
      throw new ShapeError(`softLoss: logits ${a} and targets ${b} differ`);
    }
    return [
      { dtype: logits.dtype, shape: [...logits.shape.slice(0, -1), 1] },
      { dtype: logits.dtype, shape: logits.shape },
    ];
  },
  vjp: ([g, gProbs], { inputs: [logits, targets], outputs: [, probs] }) => {
    const parts: Value[] = [];
    if (g !== null) parts.push(mul(sub(probs, targets), g));
    if (gProbs !== null) parts.push(softmaxSlope(probs, gProbs));
    return [parts.reduce((a, b) => add(a, b)), g === null ? null : neg(mul(logits, g))];
  },
  onnx: (emit, [logits, targets]) => {
    const { probs, logSum } = emitSoftmax(emit, logits);
    const [weighted] = emit.node("Mul", [targets, logits]);
    const last = emit.constant(tensorOf("int64", [1], [-1]));
    const [expected] = emit.node("ReduceSum", [weighted!, last], { keepdims: { int: 1 } });
    const [loss] = emit.node("Sub", [logSum, expected!]);
    return [loss!, probs];
  },
};

/**
 * Cross-entropy of softmax(logits) against distributions, nats per row: both [N, V], each row of `targets`
 * adds up to 1 -> [N, 1].
 */
export const softLoss = (logits: Value, targets: Value): Value => apply(softLossOp, [logits, targets], {})[0];
