/**
 * Figures of classifiers, as a number for each example whose mean is the figure. Where the figure is no mean
 * (F1, a correlation), the numbers are the figure and each example's influence on it (Hampel 1974,
 * https://doi.org/10.1080/01621459.1974.10482962): so differences of two models have a standard error.
 */
import { ndcg } from "../../metrics/retrieval/ndcg.ts";
import { ranked } from "../../metrics/retrieval/ranking.ts";
import type { Problem } from "./labels.ts";

// N examples, K labels

/** What a model says of examples and what is right, example by example. */
export interface Judged {
  /** Logits of each example, K each. */
  readonly logits: readonly ArrayLike<number>[];
  /** Of each example one id, K zeros and ones, or one number. */
  readonly labels: readonly ArrayLike<number>[];
  /** Which query each example is of, where texts are ranked. */
  readonly groups: readonly number[];
}

/** A figure of one kind of labels. */
export interface LabelFigure {
  readonly name: string;
  readonly unit: string;
  /** What a number is of: "text", "query". */
  readonly example: string;
  numbers(judged: Judged): Float32Array;
}

/** The place of the largest number. */
export const largest = (logits: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
};

/** Probabilities of logits that exclude one another. */
export const softmaxOf = (logits: ArrayLike<number>): number[] => {
  const top = logits[largest(logits)]!;
  const exps = Array.from(logits, (x) => Math.exp(x - top));
  const total = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / total);
};

/** The probability of one logit. */
export const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));

const accuracies = ({ logits, labels }: Judged): Float32Array =>
  Float32Array.from(logits, (row, i) => Number(largest(row) === labels[i]![0]));

/** F1 = 2 TP / (P + A) and influences: F1 + N (2 tp - F1 (p + a)) / (P + A). */
export const f1Influences = (
  counts: readonly { readonly matched: number; readonly predicted: number; readonly actual: number }[],
): Float32Array => {
  const matched = counts.reduce((sum, c) => sum + 2 * c.matched, 0);
  const all = counts.reduce((sum, c) => sum + c.predicted + c.actual, 0);
  const figure = all === 0 ? 0 : matched / all;
  const per = all === 0 ? 0 : counts.length / all;
  return Float32Array.from(counts, (c) => figure + per * (2 * c.matched - figure * (c.predicted + c.actual)));
};

const microF1s = ({ logits, labels }: Judged): Float32Array =>
  f1Influences(
    logits.map((row, i) => {
      const right = labels[i]!;
      let [matched, predicted, actual] = [0, 0, 0];
      for (let k = 0; k < row.length; k++) {
        const said = row[k]! > 0;
        predicted += Number(said);
        actual += right[k]!;
        matched += said ? right[k]! : 0;
      }
      return { matched, predicted, actual };
    }),
  );

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Standard scores; all 0 where nothing differs. */
const standard = (values: readonly number[]): number[] => {
  const middle = mean(values);
  const spread = Math.sqrt(mean(values.map((x) => (x - middle) ** 2)));
  return values.map((x) => (spread > 0 ? (x - middle) / spread : 0));
};

/** Pearson's r = mean of zx zy, and influences: zx zy - r (zx² + zy²) / 2 + r. */
const correlations = ({ logits, labels }: Judged): Float32Array => {
  const x = standard(logits.map((row) => row[0]!));
  const y = standard(labels.map((row) => row[0]!));
  const r = mean(x.map((value, i) => value * y[i]!));
  return Float32Array.from(x, (zx, i) => zx * y[i]! - (r * (zx * zx + y[i]! * y[i]!)) / 2 + r);
};

const byGroup = ({ groups }: Judged): number[][] => {
  const rows = new Map<number, number[]>();
  for (const [i, group] of groups.entries()) rows.set(group, [...(rows.get(group) ?? []), i]);
  return [...rows.values()];
};

const gain = ndcg({ k: 10 });

/** NDCG@10 of each query that has a text which is right. */
const rankings = (judged: Judged): Float32Array => {
  const { logits, labels } = judged;
  const queries = byGroup(judged).filter((rows) => rows.some((i) => labels[i]![0]! > 0));
  const values = queries.map((rows) => {
    const said = ranked(new Map(rows.map((i) => [String(i), logits[i]![0]!])));
    const right = new Map(rows.map((i) => [String(i), labels[i]![0]!]));
    return gain.measure([said], [right]).value;
  });
  return Float32Array.from(values.length === 0 ? [0] : values);
};

/** The first figure of each kind of labels: what the best weights and candidates are told by. */
export const figures: Readonly<Record<Problem, LabelFigure>> = {
  single_label_classification: {
    name: "accuracy",
    unit: "of accuracy",
    example: "text",
    numbers: accuracies,
  },
  multi_label_classification: { name: "micro F1", unit: "of F1", example: "text", numbers: microF1s },
  regression: { name: "Pearson's r", unit: "of correlation", example: "text", numbers: correlations },
  ranking: { name: "NDCG@10", unit: "of NDCG", example: "query", numbers: rankings },
};
