/**
 * Learning from preferences. A model is pulled towards what was preferred and away from what was not, as
 * far as its own log-probabilities leave those of the untouched model, which are inputs: they are computed
 * once.
 */
import type { Value } from "../../ir/op.ts";
import type { TensorType } from "../../ir/tensor.ts";
import type { Outputs } from "../../models/model.ts";
import type { Totals } from "../../nn/loss.ts";
import { detach } from "../../ops/detach.ts";
import { add, div, maximum, mul, neg, sigmoid, sub } from "../../ops/elementwise.ts";
import { logSoftmax } from "../../ops/reduce.ts";
import { concat, reshape, slice, sum } from "../../ops/structure.ts";
import { type Places, rowInputs } from "../instruct/batch.ts";
import { atPlaces, type BatchShape, type Objective, tokenLosses } from "../objective.ts";

// B rows, two of each example; P places, N = B / 2 examples

const perRow = ({ batch }: BatchShape): TensorType => ({ dtype: "float32", shape: [batch] });

type Batch = Readonly<Record<string, Value>>;

/** The log-probability of each row's labelled tokens, nats -> [B]. */
export const logProbs = (outputs: Outputs, { labels, places }: Batch): Value => {
  const [rows, count] = places!.shape as readonly [number, number];
  const { losses, counts } = tokenLosses(...atPlaces(outputs, labels!, places!));
  return neg(sum(reshape(mul(losses, counts), [rows, count]), [1]));
};

/** The two rows of each example: [B] -> [N] both. */
const twoOf = (rows: Value): readonly [Value, Value] => {
  const n = (rows.shape[0] as number) / 2;
  const pairs = reshape(rows, [n, 2]);
  const column = (k: number) => reshape(slice(pairs, 1, k, k + 1), [n]);
  return [column(0), column(1)];
};

/**
 * How far a row's log-probability has left that of the untouched model: the first rows' and the second's,
 * [N].
 */
export const ratios = (outputs: Outputs, batch: Batch): readonly [Value, Value] =>
  twoOf(sub(logProbs(outputs, batch), batch.reference!));

/** -log sigmoid(x) [N], exact at any x, as the cross-entropy of the first of two logits x and 0. */
const minusLogSigmoid = (x: Value): Value => {
  const column = reshape(x, [x.shape[0] as number, 1]);
  const both = logSoftmax(concat([column, mul(detach(column), 0)], 1));
  return neg(reshape(slice(both, 1, 0, 1), [x.shape[0] as number]));
};

const totalsOf = (losses: Value, counted: Value): Totals => {
  const [counts] = twoOf(counted);
  return { total: sum(mul(losses, counts)), count: sum(counts) };
};

const preferenceInputs = (shape: BatchShape, places: Places) => ({
  ...rowInputs(shape, places),
  reference: perRow(shape),
  counted: perRow(shape),
});

/** What preferences weigh. */
export interface DpoOptions {
  /** How dear leaving the untouched model is; 0.1 unless told. */
  readonly beta?: number;
  /** Share of the pairs that are taken to be the wrong way round. */
  readonly labelSmoothing?: number;
}

/**
 * Direct preference optimization (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290): -log
 * sigmoid(beta ((log pi(c) - log ref(c)) - (log pi(r) - log ref(r)))), nats per pair; with smoothing e
 * that is (1 - e) of it and e of the same for the pair turned round. Rows 2i and 2i + 1 of a batch are the
 * preferred and the other answer; a micro-batch has an even number. `reference` float32 [B] are the
 * untouched model's log-probabilities, `counted` [B] is 0 where rows are of nothing.
 */
export const dpo = (places: Places, options: DpoOptions = {}): Objective => {
  const { beta = 0.1, labelSmoothing = 0 } = options;
  return {
    name: "dpo",
    inputs: (shape) => preferenceInputs(shape, places),
    totals: (outputs, batch) => {
      const [chosen, rejected] = ratios(outputs, batch);
      const margin = mul(sub(chosen, rejected), beta);
      const right = mul(minusLogSigmoid(margin), 1 - labelSmoothing);
      const losses =
        labelSmoothing === 0 ? right : add(right, mul(minusLogSigmoid(neg(margin)), labelSmoothing));
      return totalsOf(losses, batch.counted!);
    },
  };
};

/** What single answers weigh that are good or not. */
export interface KtoOptions extends Pick<DpoOptions, "beta"> {
  /** Weight of good and of other answers; 1 unless told. */
  readonly desirableWeight?: number;
  readonly undesirableWeight?: number;
}

/**
 * Kahneman-Tversky optimization (Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306): w (1 -
 * sigmoid(beta (r - z))) of a good answer and w (1 - sigmoid(beta (z - r))) of another, r = log pi - log
 * ref; z >= 0 is how far the model has left the untouched one on average over the micro-batch, measured on
 * prompts with answers to others, and no gradient passes it. Row 2i is an example, row 2i + 1 its prompt
 * with the answer to another; `desirable` float32 [B] is 1 where row 2i is good.
 */
export const kto = (places: Places, options: KtoOptions = {}): Objective => {
  const { beta = 0.1, desirableWeight = 1, undesirableWeight = 1 } = options;
  return {
    name: "kto",
    inputs: (shape) => ({ ...preferenceInputs(shape, places), desirable: perRow(shape) }),
    totals: (outputs, batch) => {
      const [own, other] = ratios(outputs, batch);
      const [counts] = twoOf(batch.counted!);
      const [good] = twoOf(batch.desirable!);
      const apart = div(sum(mul(detach(other), counts)), maximum(sum(counts), 1));
      const sign = sub(mul(good, 2), 1);
      const values = sigmoid(mul(mul(sub(own, maximum(apart, 0)), sign), beta));
      const weights = add(mul(good, desirableWeight), mul(sub(1, good), undesirableWeight));
      return totalsOf(mul(weights, sub(1, values)), batch.counted!);
    },
  };
};
