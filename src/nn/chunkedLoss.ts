/**
 * The loss of a language model's head, a chunk of rows after the other: of all logits and their gradients,
 * which at large vocabularies are most of a step's memory, one chunk is there at a time. As in Liger Kernel
 * (Hsu et al. 2024, https://arxiv.org/abs/2410.10989) a chunk's gradients are made with its loss, from the
 * same logits, so that nothing is computed twice; a cotangent of the whole scales them afterwards.
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { after } from "../ops/after.ts";
import { isDetached } from "../ops/detach.ts";
import { add, mul } from "../ops/elementwise.ts";
import { addOuter, matmul } from "../ops/linalg.ts";
import { concat, slice, sum } from "../ops/structure.ts";
import { headLossAndProbs, headSlopes } from "./loss.ts";

type Gradients = readonly [total: Value, x: Value, w: Value, dx: Value, dw: Value];

/** A total with gradients that are known; where nobody asks for them, the total alone. */
const totalOp: Op<Gradients, Record<never, never>, [Value]> = {
  name: "totalWithGradients",
  infer: ([total]) => [{ dtype: total.dtype, shape: total.shape }],
  simplify: ([total]) => total,
  // A head that trains has its gradient first: the last chunk's logits would be kept for it to the end.
  vjp: ([g], { inputs: [, , w, dx, dw] }) => {
    const back = isDetached(w) ? dx : after(dx, [dw]);
    return [null, mul(back, g), mul(dw, g), null, null];
  },
  onnx: (_, [total]) => [total],
};

/** Rows, head and labels of a loss. */
export interface HeadLossInputs {
  /** [N, C] */
  readonly x: Value;
  /** [V, C] */
  readonly w: Value;
  /** int32 [N, 1] */
  readonly labels: Value;
  /** How much each row counts, [N, 1]. Nothing flows back to it. */
  readonly counts: Value;
}

/** Cross-entropy of softmax(x w^T) times `counts`, nats, added up over the rows, `rows` at a time -> []. */
export const headLossInChunks = ({ x, w, labels, counts }: HeadLossInputs, rows: number): Value => {
  const [n] = x.shape as readonly number[];
  const [totals, dxs]: [Value[], Value[]] = [[], []];
  let [dw, before]: [Value | undefined, readonly Value[]] = [undefined, []];
  for (let start = 0; start < n!; start += rows) {
    const part = (v: Value): Value => slice(v, 0, start, Math.min(n!, start + rows));
    const own = after(part(x), before);
    const [ids, weights] = [part(labels), part(counts)];
    const [losses, probs] = headLossAndProbs(own, w, ids);
    const total = sum(mul(losses, weights));
    const { dx, d, scaled } = headSlopes({ x: own, w, labels: ids, probs, losses }, weights);
    totals.push(total);
    dxs.push(dx);
    dw = dw === undefined ? matmul(d, scaled, { transA: true }) : addOuter(dw, d, scaled);
    // The gradient of a head that stands still is not made, and nothing waits for it.
    before = isDetached(w) ? [total, dx] : [total, dx, dw];
  }
  const total = totals.reduce((a, b) => add(a, b));
  return apply(totalOp, [total, x, w, concat(dxs, 0), dw!], {})[0];
};
