/** What a training run minimises: the extra inputs of a batch, and the loss made of a model's outputs. */
import { constant, type Value } from "../ir/op.ts";
import { type TensorType, tensorOf } from "../ir/tensor.ts";
import type { Model, Outputs } from "../models/model.ts";
import { headLossInChunks } from "../nn/chunkedLoss.ts";
import { countedLabels, crossEntropy, headLoss, type Totals, totalsOver } from "../nn/loss.ts";
import { isPacked, type Param } from "../nn/param.ts";
import { add, mul, sub } from "../ops/elementwise.ts";
import { take } from "../ops/indexing.ts";
import { mean } from "../ops/reduce.ts";
import { gather } from "../ops/rows.ts";
import { reshape, sum } from "../ops/structure.ts";
import type { Tree } from "../util/tree.ts";

// B batch, T time, N = B * T rows, C channels, V vocabulary

/** Rows and columns of a batch of token ids [batch, context], and the size of the vocabulary. */
export interface BatchShape {
  readonly batch: number;
  readonly context: number;
  /** Tokens of a target, where batches have targets of several lengths. */
  readonly target?: number;
  readonly vocab: number;
}

/** A loss of vectors in two halves, between which gradients can be kept. */
export interface VectorHalves {
  /** Each row's vector, by that row alone: [rows, C]. */
  vectors(outputs: Outputs, inputs: Readonly<Record<string, Value>>): Value;
  /** As an objective's, of the vectors and of what is no input of the model. */
  totals(vectors: Value, inputs: Readonly<Record<string, Value>>): Totals;
}

/** What a training run minimises: the inputs that it reads, and the loss made of a model's outputs. */
export interface Objective {
  readonly name: string;
  /** Inputs besides `inputIds`, by name: the model's (attentionMask, ...) and the loss's (labels, ...). */
  inputs(shape: BatchShape): Readonly<Record<string, TensorType>>;
  /**
   * The loss added up over what counts, nats, and how much that is. The loss of several batches, of a
   * step's micro-batches or of ranks, is the sum of their totals over the sum of their counts, never a
   * mean of means. `count` follows from the batch alone: it is known before the model has run.
   */
  totals(outputs: Outputs, inputs: Readonly<Record<string, Value>>): Totals;
  /** What held-out data is measured by, where that has not all of `inputs`: this objective unless told. */
  readonly heldOut?: Objective;
  /** Texts of an example, each a row of `inputIds`; 1 unless told. */
  readonly texts?: number;
  /** Of a loss that compares the texts of a batch with each other: what it is made of. */
  readonly byVectors?: VectorHalves;
  /** Of a loss that takes more than one pass of the model: its totals, in place of `totals`. */
  passes?(pass: Pass): Totals;
}

/** What a loss of several passes is made of. */
export interface Pass {
  readonly model: Model;
  readonly params: Tree<Param>;
  /** `inputIds`, `seed` where there is one, and the objective's inputs. */
  readonly batch: Readonly<Record<string, Value>>;
  readonly memory: MemoryOptions;
}

/** Inputs of a batch that the model reads, besides `inputIds` and the dropout's `seed`. */
export const modelInputs = [
  "attentionMask",
  "tokenTypeIds",
  "positionIds",
  "documentIds",
  "decoderInputIds",
] as const;

/** How a step saves memory, at the cost of time or of nothing. */
export interface MemoryOptions {
  /** Activations within layers are computed again in the backward pass, and not kept for it. */
  readonly recompute?: boolean;
  /**
   * Rows of the language-model head's logits that are there at once: the loss and its gradients are found for
   * so many, then for the next. All at once unless told.
   */
  readonly lossRows?: number;
}

/** Runs a model on a batch. */
export const batchOutputs = (
  model: Model,
  params: Tree<Param>,
  { inputIds, seed, ...rest }: Readonly<Record<string, Value>>,
  { recompute = false, lossRows }: MemoryOptions = {},
): Outputs => {
  const given = Object.fromEntries(modelInputs.flatMap((name) => (rest[name] ? [[name, rest[name]]] : [])));
  const inputs = { inputIds: inputIds!, ...(seed === undefined ? {} : { dropoutSeed: seed }), ...given };
  const outputs = model.arch.forward(
    params,
    // Where memory counts no gradient is kept longer than those of the params that it makes.
    { ...inputs, ...(recompute ? { recompute } : {}), ...(lossRows === undefined ? {} : { inOrder: true }) },
    model.config,
  );
  return lossRows === undefined ? outputs : { ...outputs, lossRows };
};

/** Runs a model on a batch, and adds up its loss. */
export const batchTotals = (
  model: Model,
  params: Tree<Param>,
  objective: Objective,
  batch: Readonly<Record<string, Value>>,
  memory: MemoryOptions = {},
): Totals => {
  if (objective.passes !== undefined) return objective.passes({ model, params, batch, memory });
  const { inputIds: _, seed: __, ...rest } = batch;
  return objective.totals(batchOutputs(model, params, batch, memory), rest);
};

/** [B, T, C] -> [B * T, C]. */
export const rowsOf = (x: Value): Value => {
  const [b, t, width] = x.shape as readonly number[];
  return reshape(x, [b! * t!, width!]);
};

/** Labels for each token of a batch: int32 [B * T]. */
export const labelsType = ({ batch, context }: BatchShape): TensorType => ({
  dtype: "int32",
  shape: [batch * context],
});

/** Per-row losses [N, 1] and which rows count, for labels [N] with IGNORE where nothing is to be learnt. */
export const tokenLosses = (outputs: Outputs, labels: Value): { losses: Value; counts: Value } => {
  const { counts, safe } = countedLabels(labels);
  const n = labels.shape[0] as number;
  const column = reshape(safe, [n, 1]);
  const { head, headBias } = outputs;
  const losses =
    head === undefined || isPacked(head)
      ? crossEntropy(rowsOf(outputs.logits), column)
      : headLoss(rowsOf(outputs.hidden), head, column, headBias);
  return { losses, counts: reshape(counts, [n, 1]) };
};

/**
 * Outputs and labels [B * T] of some tokens alone: those at `places` [B, P] of their rows, so that the head
 * need not read the others. -> hidden [B, P, C], logits [B, P, V], labels [B * P].
 */
export const atPlaces = (outputs: Outputs, labels: Value, places: Value): [Outputs, Value] => {
  const { hidden, readout, head, headBias } = outputs;
  const [rows, asked] = places.shape as readonly number[];
  const context = hidden.shape[1] as number;
  const starts = Array.from({ length: rows! }, (_, b) => b * context);
  const index = add(places, constant(tensorOf("int32", [rows!, 1], starts)));
  const some = gather(rowsOf(hidden), index);
  // Where the head is a matrix, the loss reads `hidden` and nobody these logits.
  const logits = readout === undefined ? gather(rowsOf(outputs.logits), index) : readout(some);
  return [
    {
      ...{ hidden: some, logits, present: [] },
      ...(head === undefined ? {} : { head }),
      ...(headBias === undefined ? {} : { headBias }),
    },
    reshape(gather(labels, index), [rows! * asked!]),
  ];
};

/** The cross-entropy of labels int32 [B * T] added up, and how many count. */
export const labelTotals = (outputs: Outputs, labels: Value): Totals => {
  const { head, headBias, hidden, lossRows = Number.POSITIVE_INFINITY } = outputs;
  const [n] = labels.shape as readonly number[];
  if (head !== undefined && !isPacked(head) && headBias === undefined && n! > lossRows) {
    const { counts, safe } = countedLabels(labels);
    const column = (v: Value): Value => reshape(v, [n!, 1]);
    const given = { x: rowsOf(hidden), w: head, labels: column(safe), counts: column(counts) };
    return { total: headLossInChunks(given, lossRows), count: sum(counts) };
  }
  const { losses, counts } = tokenLosses(outputs, labels);
  return totalsOver(losses, counts);
};

/**
 * What smoothing adds to the cross-entropy of labels int32 [B * T]: the share goes to all V tokens alike
 * (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567), (1 - s) * nll + s * mean of -log p = nll + s *
 * (logit of the label - mean logit). By a head that is a matrix both are products with one vector, so that
 * nothing of V columns is made for it. Added up over the labels that count -> [].
 */
export const smoothingTotal = (outputs: Outputs, labels: Value, share: number): Value => {
  const { counts, safe } = countedLabels(labels);
  const { head, headBias } = outputs;
  if (head === undefined || isPacked(head)) {
    const logits = rowsOf(outputs.logits);
    const own = take(logits, reshape(safe, [labels.shape[0]!, 1]));
    const more = sub(reshape(own, labels.shape), mean(logits, [-1]));
    return mul(sum(mul(more, counts)), share);
  }
  const apart = sub(gather(head, safe), mean(head, [0], true)); // [N, C]
  const more = sum(mul(rowsOf(outputs.hidden), apart), [-1]);
  const biased = headBias === undefined ? more : add(more, sub(gather(headBias, safe), mean(headBias)));
  return mul(sum(mul(biased, counts)), share);
};

/** The same of the labels at `places` [B, P] alone: a label that has no place does not count. */
export const placedTotals = (outputs: Outputs, labels: Value, places: Value): Totals => {
  const { losses, counts } = tokenLosses(...atPlaces(outputs, labels, places));
  return totalsOver(losses, counts);
};
