/**
 * Telling replaced tokens from those that were there (Clark et al. 2020,
 * https://arxiv.org/abs/2003.10555): a generator fills in masks, its samples take the places of the tokens,
 * and the model learns which they are.
 */
import type { Value } from "../ir/op.ts";
import type { ElectraConfig } from "../models/encoders/electra.ts";
import { generated, generatorIn } from "../models/encoders/electraGenerator.ts";
import { countedLabels, crossEntropy, softLoss, type Totals, totalsOver } from "../nn/loss.ts";
import { detach } from "../ops/detach.ts";
import {
  add,
  cast,
  div,
  equal,
  greater,
  less,
  minimum,
  mul,
  sigmoid,
  sub,
  where,
} from "../ops/elementwise.ts";
import { put, take } from "../ops/indexing.ts";
import { uniform } from "../ops/random.ts";
import { cumsum, softmax } from "../ops/reduce.ts";
import { concat, reshape, sum } from "../ops/structure.ts";
import { type EncoderInputs, encoderInputs, int32 } from "./encoderInputs.ts";
import {
  atPlaces,
  type BatchShape,
  batchOutputs,
  labelsType,
  labelTotals,
  type Objective,
  type Pass,
} from "./objective.ts";
import type { DistillOptions } from "./teaching/distillation.ts";

// B batch, T context, P places, N = B T, V vocabulary

/** What detection weighs against the generator's loss, as in the paper. */
const WEIGHT = 50;

/** The two logits 0 and x of a binary choice: [B, T] -> [N, 2]. */
const twoLogits = (x: Value): Value => {
  const [b, t] = x.shape as readonly [number, number];
  const column = reshape(x, [b * t, 1]);
  return concat([mul(detach(column), 0), column], 1);
};

/** Losses of logits [B, T] for labels int32 [N]: 1 replaced, 0 not, below 0 what does not count. */
export const detectionLosses = (logits: Value, replaced: Value): { losses: Value; counts: Value } => {
  const { counts, safe } = countedLabels(replaced);
  const n = replaced.shape[0] as number;
  return {
    losses: crossEntropy(twoLogits(logits), reshape(safe, [n, 1])),
    counts: reshape(counts, [n, 1]),
  };
};

const detectionTotals = (logits: Value, replaced: Value): Totals => {
  const { losses, counts } = detectionLosses(logits, replaced);
  return totalsOver(losses, counts);
};

const detectionInputs = (shape: BatchShape, options: EncoderInputs) => ({
  ...encoderInputs(shape, options),
  replaced: labelsType(shape),
});

/**
 * Binary cross-entropy of replacements that a batch has: `inputIds` hold them, `replaced` int32 [B * T] says
 * where: 1, 0, and -100 in padding.
 */
export const replacedTokens = (options: EncoderInputs = {}): Objective => ({
  name: "rtd",
  inputs: (shape) => detectionInputs(shape, options),
  totals: ({ logits }, { replaced }) => detectionTotals(logits, replaced!),
});

/**
 * Draws of a distribution, logits [B, P, V] -> int32 [B, P], by the inverse of its cumulative sum: a pure
 * function of the seed. That is the sampling of Gumbel noise, with one random number a token in place of V.
 */
const sampled = (logits: Value, seed: Value): Value => {
  const [b, p, v] = logits.shape as readonly [number, number, number];
  const sums = cumsum(softmax(detach(logits)), 2);
  const passed = cast(less(sums, uniform(seed, "generator.samples", [b, p, 1])), "float32");
  return cast(minimum(sum(passed, [-1]), v - 1), "int32");
};

/** How replacements are made. */
export interface ReplacementOptions extends EncoderInputs {
  /** Most labels of a row: the batch names their places, `places` int32 [B, asked]. */
  readonly asked: number;
  /** Id of the mask, which the generator fills in. */
  readonly maskId: number;
  /** Whether the generator's samples are the replacements (yes unless told), or those that the batch has. */
  readonly samples?: boolean;
}

/** The tokens with the generator's samples in their places, and its own loss. */
const replace = ({ model, params, batch }: Pass, { maskId, samples = true }: ReplacementOptions) => {
  const { inputIds, labels, places, seed, attentionMask, tokenTypeIds } = batch;
  const [b, t] = inputIds!.shape as readonly [number, number];
  const grid = reshape(labels!, [b, t]);
  const chosen = greater(grid, -1);
  const original = where(chosen, grid, inputIds!);
  const inputs = {
    inputIds: where(chosen, maskId, inputIds!),
    attentionMask: attentionMask!,
    ...(tokenTypeIds === undefined ? {} : { tokenTypeIds }),
    // Dropout is the generator's own.
    ...(seed === undefined ? {} : { dropoutSeed: add(seed, 0x3c6ef372) }),
  };
  const outputs = generated(params, inputs, model.config as ElectraConfig);
  const [said, asked] = atPlaces(outputs, labels!, places!);
  const own = labelTotals(said, asked);
  if (!samples || seed === undefined) return { own, original, ids: inputIds! };
  // Places without a label are of a token that stays.
  const wanted = greater(reshape(asked, places!.shape), -1);
  const drawn = where(wanted, sampled(said.logits, seed), take(original, places!));
  return { own, original, ids: put(original, places!, drawn) };
};

/**
 * The generator's cross-entropy per masked token + 50 x the detector's per token. A batch has tokens drawn
 * from its own texts in the chosen places (`inputIds`, `labels` [B * T] what was there, `places`,
 * `replaced`): on them a model without a generator learns, and held-out data is measured, so that figures do
 * not depend on how good a generator is. In several micro-batches the two means share one denominator, the
 * masked tokens of all: the shares of masked tokens, which hardly differ, are each batch's own.
 */
export const replacedTokensByGenerator = (options: ReplacementOptions): Objective => {
  const plain = replacedTokens(options);
  return {
    ...plain,
    inputs: (shape) => ({
      ...plain.inputs(shape),
      labels: labelsType(shape),
      places: int32(shape.batch, options.asked),
    }),
    passes: (pass) => {
      const { model, params, batch, memory } = pass;
      if (generatorIn(params) === undefined) {
        return plain.totals(batchOutputs(model, params, batch, memory), batch);
      }
      const { own, original, ids } = replace(pass, options);
      const changed = sub(1, cast(equal(ids, original), "int32"));
      const flat = reshape(changed, batch.replaced!.shape);
      const replaced = where(greater(batch.replaced!, -1), flat, batch.replaced!);
      const { logits } = batchOutputs(model, params, { ...batch, inputIds: ids }, memory);
      const told = detectionTotals(logits, replaced);
      const share = div(own.count, told.count);
      return { total: add(own.total, mul(mul(told.total, share), WEIGHT)), count: own.count };
    },
    heldOut: plain,
  };
};

/** Learning to tell replaced tokens as a teacher does, whose logits [B, T] are inputs, beside the labels. */
export const taughtDetection = (
  { alpha = 0.9, temperature = 1 }: DistillOptions,
  options: EncoderInputs,
): Objective => ({
  name: "distill",
  inputs: (shape) => ({
    ...detectionInputs(shape, options),
    teacherLogits: { dtype: "float32", shape: [shape.batch, shape.context] },
  }),
  totals: ({ logits }, { replaced, teacherLogits }) => {
    const { losses, counts } = detectionLosses(logits, replaced!);
    const [b, t] = logits.shape as readonly [number, number];
    const yes = reshape(sigmoid(mul(teacherLogits!, 1 / temperature)), [b * t, 1]);
    const targets = concat([sub(1, yes), yes], 1);
    const soft = softLoss(twoLogits(mul(logits, 1 / temperature)), targets);
    const both = add(mul(soft, alpha * temperature ** 2), mul(losses, 1 - alpha));
    return totalsOver(both, counts);
  },
  heldOut: replacedTokens(options),
});
