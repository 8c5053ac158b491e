/**
 * Muon: momentum, orthogonalized (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/), in the
 * conventions of torch.optim.Muon, but in float32 where that computes in bfloat16. What is not a hidden
 * matrix goes to AdamW.
 */
import type { Value } from "../ir/op.ts";
import type { TensorType } from "../ir/tensor.ts";
import { add, div, maximum, mul, sqrt } from "../ops/elementwise.ts";
import { matmul } from "../ops/linalg.ts";
import { sumOfSquares } from "../ops/reduce.ts";
import { ShapeError } from "../util/errors.ts";
import { type ScaleByAdamOptions, scaleByAdam } from "./adam.ts";
import { addDecayedWeights, type DecayOptions } from "./decay.ts";
import { scaleByMomentum } from "./momentum.ts";
import { notNegative } from "./options.ts";
import { scaleByLearningRate } from "./sgd.ts";
import { chain, type Optimizer, partition, stateless, type Transform } from "./transform.ts";
import { materialize, scale, type Update } from "./update.ts";

const [A, B, C] = [3.4445, -4.775, 2.0315];

/**
 * [M, N] -> [M, N] with singular values near 1 (0.7 to 1.2) and the same singular vectors: Newton-Schulz
 * steps x' = A x + B (x x^T) x + C (x x^T)^2 x on x / |x|, the products taken on the shorter side.
 */
export const orthogonal = (x: Value, iterations = 5, leastNorm = 1e-7): Value => {
  const [rows, columns] = x.shape as readonly number[];
  if (x.shape.length !== 2)
    throw new ShapeError(`only matrices can be orthogonalized, not ${x.shape.length} dimensions`);
  const tall = rows! > columns!;
  let y = div(x, maximum(sqrt(sumOfSquares([x])), leastNorm));
  for (let i = 0; i < iterations; i++) {
    const gram = matmul(y, y, tall ? { transA: true } : { transB: true }); // [K, K], K the shorter side
    const poly = add(mul(gram, B), matmul(gram, gram, { alpha: C }));
    y = add(mul(y, A), tall ? matmul(y, poly) : matmul(poly, y));
  }
  return y;
};

/** How an update is orthogonalized and scaled. */
export interface OrthogonalizeOptions {
  /** Newton-Schulz steps (5 unless told). */
  readonly iterations?: number;
  /** Least norm to divide by (1e-7 unless told). */
  readonly leastNorm?: number;
  /**
   * "original": sqrt(max(1, rows / columns)); "matchRmsAdamw": 0.2 * sqrt(max(rows, columns)), steps as long
   * as AdamW's, so that its learning rate fits (Liu et al. 2025, https://arxiv.org/abs/2502.16982). Rows are
   * those of the tensor as stored: for [in, out] weights "original" differs from the same model with [out,
   * in] weights.
   */
  readonly adjustLr?: "original" | "matchRmsAdamw";
}

/** orthogonal(u) times a factor from its shape. */
export const orthogonalize = (options: OrthogonalizeOptions = {}): Transform => {
  const { iterations = 5, leastNorm = 1e-7, adjustLr = "original" } = options;
  const turn = (update: Update): Update => {
    const [rows, columns] = update.shape as readonly number[];
    const factor =
      adjustLr === "original"
        ? Math.sqrt(Math.max(1, rows! / columns!))
        : 0.2 * Math.sqrt(Math.max(rows!, columns!));
    return scale(orthogonal(materialize(update), iterations, leastNorm), factor);
  };
  return stateless("orthogonalize", turn, { elementwise: false });
};

const EMBEDDING_OR_HEAD =
  /(^|\.)(wte|wpe|shared|(\w+_)?embed\w*|(\w+_)?head|classifier|score|predictions\.decoder)(\.|$)/;

/** "muon" for hidden matrices; "adamw" for vectors, embeddings and heads. */
export const muonLabel = (path: string, type: TensorType): "muon" | "adamw" =>
  type.shape.length === 2 && !EMBEDDING_OR_HEAD.test(path) ? "muon" : "adamw";

/** Muon's options, and those of the AdamW that takes what is no hidden matrix. */
export interface MuonOptions extends OrthogonalizeOptions, ScaleByAdamOptions, DecayOptions {
  /** Share of the earlier gradients that is kept at each step (0.95 unless told). */
  readonly decay?: number;
  /** Look ahead (true unless told). */
  readonly nesterov?: boolean;
  /** The learning rate of the AdamW part as a share of Muon's (0.1 unless told; 1 with "matchRmsAdamw"). */
  readonly adamwLrRatio?: number;
  /** Which part a param goes to (`muonLabel` unless told). */
  readonly labelOf?: typeof muonLabel;
}

/**
 * Hidden matrices: m' = decay * m + g, p' = (1 - lr * weightDecay) * p - lr * factor * orthogonal(g + decay *
 * m'); the rest: AdamW (b1, b2, eps) at adamwLrRatio * lr. weightDecay is 0.1 unless told, for both.
 * torch.optim.Muon averages where this accumulates; the norm that is divided out differs, the step does not.
 */
export const muon = (options: MuonOptions = {}): Optimizer => {
  const {
    decay = 0.95,
    nesterov = true,
    weightDecay = 0.1,
    decayMask,
    labelOf = muonLabel,
    ...rest
  } = options;
  const { iterations = 5, leastNorm = 1e-7, adjustLr = "original", ...others } = rest;
  const { adamwLrRatio = adjustLr === "original" ? 0.1 : 1, ...moments } = others;
  notNegative("adamwLrRatio", adamwLrRatio);
  const hidden = chain(
    "muon",
    scaleByMomentum({ decay, nesterov }),
    orthogonalize({ iterations, leastNorm: leastNorm / (1 - decay), adjustLr }),
    addDecayedWeights(weightDecay, decayMask),
  );
  const plain = chain(
    "adamw",
    scaleByAdam(moments),
    addDecayedWeights(weightDecay, decayMask),
    stateless("ratio", (update) => scale(update, adamwLrRatio)),
  );
  return chain("muon", partition("muon", { muon: hidden, adamw: plain }, labelOf), scaleByLearningRate());
};
