/** Every figure equals its reference implementation's: see test/golden/metrics.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { accuracy } from "./labels/accuracy.ts";
import { calibrationError, reliability } from "./labels/calibration.ts";
import { confusion } from "./labels/confusion.ts";
import type { Label, Labels } from "./labels/counts.ts";
import type { TagScheme } from "./labels/entities.ts";
import { entityF1, entityPrecision, entityRecall, type Tags } from "./labels/entityScores.ts";
import { matthews } from "./labels/matthews.ts";
import { f1, perClass, precision, recall } from "./labels/precisionRecall.ts";
import type { Measured, Metric } from "./metric.ts";
import { pearson } from "./numbers/pearson.ts";
import { spearman } from "./numbers/spearman.ts";
import { proportion } from "./proportion.ts";
import { meanAveragePrecision } from "./retrieval/meanAveragePrecision.ts";
import { mrr } from "./retrieval/mrr.ts";
import { ndcg } from "./retrieval/ndcg.ts";
import { type Judgments, type Ranking, ranked } from "./retrieval/ranking.ts";
import { recallAt } from "./retrieval/recallAt.ts";
import { bleu, bleuScore, bleuSignature } from "./text/bleu.ts";
import { type BleuTokenizer, bleuTokens } from "./text/bleuTokens.ts";
import { type ChrfOptions, chrf, chrfSignature } from "./text/chrf.ts";
import { normalizeAnswer } from "./text/exactMatch.ts";
import { rougeL } from "./text/rougeL.ts";
import { trimEnd } from "./text/words.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/metrics.json", import.meta.url), "utf8"),
) as Golden;

interface Translation {
  readonly name: string;
  readonly predictions: readonly string[];
  readonly references: readonly (readonly string[])[];
  readonly bleu: Readonly<Record<string, BleuRow>>;
  readonly chrf: Readonly<Record<string, { readonly score: number; readonly signature: string }>>;
}
interface BleuRow {
  readonly score: number;
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  readonly predictedLength: number;
  readonly referenceLength: number;
  readonly signature: string;
}
type Triple = readonly [precision: number, recall: number, f1: number];
type Averages = Readonly<Record<"micro" | "macro" | "weighted", Triple>>;
interface Classified<L> {
  readonly name: string;
  readonly predictions: readonly L[];
  readonly references: readonly L[];
  readonly accuracy: number;
  readonly averages: Averages;
}
interface Classification extends Classified<Label> {
  readonly classes: readonly Label[];
  readonly matthews: number;
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly (readonly [number, number, number, number])[];
}
interface Calibration {
  readonly bins: number;
  readonly confidence: readonly number[];
  readonly hits: readonly number[];
  readonly counts: readonly number[];
  readonly accuracy: readonly number[];
  readonly meanConfidence: readonly number[];
  readonly error: number;
}
interface Tagged {
  readonly name: string;
  readonly scheme: TagScheme;
  readonly predictions: readonly Tags[];
  readonly references: readonly Tags[];
  readonly default: Averages;
  readonly strict: Averages;
}
interface Query {
  readonly judgments: Readonly<Record<string, number>>;
  readonly scores: Readonly<Record<string, number>>;
  readonly values: Readonly<Record<string, number>>;
}
interface Golden {
  readonly tokens: readonly ({ readonly text: string } & Readonly<Record<BleuTokenizer, string[]>>)[];
  readonly translations: readonly Translation[];
  readonly correlations: readonly {
    readonly name: string;
    readonly predictions: readonly number[];
    readonly references: readonly number[];
    readonly pearson: number;
    readonly spearman: number;
  }[];
  readonly proportions: readonly (Omit<Measured, "value"> & { readonly hits: number })[];
  readonly classifications: readonly Classification[];
  readonly multiLabels: readonly Classified<readonly Label[]>[];
  readonly calibration: readonly Calibration[];
  readonly entities: readonly Tagged[];
  readonly retrieval: readonly Query[];
  readonly summaries: readonly {
    readonly prediction: string;
    readonly references: readonly string[];
    readonly rougeL: number;
  }[];
  readonly answers: readonly { readonly text: string; readonly normalized: string }[];
}

/** No interval is wanted here. */
const quick = { resamples: 1 };

describe("sacrebleu", () => {
  test.each(golden.tokens)("tokens of $text", ({ text, ...expected }) => {
    const tokenizers = Object.keys(expected) as BleuTokenizer[];
    const cut = tokenizers.map((tokenizer) => [tokenizer, bleuTokens(trimEnd(text), tokenizer)]);
    expect(Object.fromEntries(cut)).toEqual(expected);
  });

  test.each(golden.translations)("BLEU, $name", ({ predictions, references, bleu: rows }) => {
    for (const [key, { signature, score, precisions, brevityPenalty, ...lengths }] of Object.entries(rows)) {
      const [tokenizer, lower] = key.split(" ") as [BleuTokenizer, string?];
      const options = { tokenizer, lowercase: lower !== undefined };
      const got = bleuScore(predictions, references, options);
      expect(got, key).toMatchObject(lengths);
      expect(got.score, key).toBeCloseTo(score, 10);
      expect(got.brevityPenalty, key).toBeCloseTo(brevityPenalty, 12);
      for (const [i, p] of precisions.entries()) expect(got.precisions[i], key).toBeCloseTo(p, 10);
      expect(bleuSignature(references, options)).toBe(signature);
      expect(bleu(options).measure(predictions, references, quick).value).toBe(got.score);
    }
  });

  test.each(golden.translations)("chrF, $name", ({ predictions, references, chrf: rows }) => {
    for (const [key, { score, signature }] of Object.entries(rows)) {
      const [order, lower] = key.split(" ");
      const wordOrder = Number(order) as NonNullable<ChrfOptions["wordOrder"]>;
      const options = { wordOrder, lowercase: lower !== undefined };
      expect(chrf(options).measure(predictions, references, quick).value, key).toBeCloseTo(score, 10);
      expect(chrfSignature(references, options)).toBe(signature);
    }
  });
});

describe("scipy", () => {
  test.each(golden.correlations)("correlations, $name", ({ predictions, references, ...expected }) => {
    expect(pearson.measure(predictions, references, quick).value).toBeCloseTo(expected.pearson, 12);
    expect(spearman.measure(predictions, references, quick).value).toBeCloseTo(expected.spearman, 12);
  });

  test.each(golden.proportions)("the interval of $hits of $n", ({ hits, n, low, high }) => {
    const measured = proportion(hits, n);
    expect(measured).toMatchObject({ value: hits / n, n });
    expect(measured.low).toBeCloseTo(low, 12);
    expect(measured.high).toBeCloseTo(high, 12);
  });
});

describe("scikit-learn", () => {
  const averagesOf = (predictions: readonly Labels[], references: readonly Labels[], averages: Averages) => {
    for (const [average, values] of Object.entries(averages) as [keyof Averages, Triple][]) {
      const got = [precision, recall, f1].map((metric) =>
        metric({ average }).measure(predictions, references, quick),
      );
      for (const [i, value] of values.entries()) expect(got[i]!.value, average).toBeCloseTo(value, 12);
    }
  };

  test.each(golden.classifications)("classes, $name", ({ predictions, references, classes, ...expected }) => {
    averagesOf(predictions, references, expected.averages);
    expect(accuracy.measure(predictions, references).value).toBeCloseTo(expected.accuracy, 12);
    expect(matthews.measure(predictions, references, quick).value).toBeCloseTo(expected.matthews, 12);
    expect(confusion(predictions, references)).toEqual({ classes, counts: expected.confusion });
    const rows = perClass(predictions, references);
    expect(rows.map((row) => row.label)).toEqual(classes);
    for (const [i, row] of rows.entries()) {
      const [p, r, f, support] = expected.perClass[i]!;
      expect(row).toEqual({
        label: classes[i],
        precision: expect.closeTo(p, 12),
        recall: expect.closeTo(r, 12),
        f1: expect.closeTo(f, 12),
        support,
      });
      const one = f1({ average: { of: row.label } }).measure(predictions, references, quick);
      expect(one.value).toBe(row.f1);
    }
  });

  test.each(golden.multiLabels)("several labels, $name", ({ predictions, references, ...expected }) => {
    averagesOf(predictions, references, expected.averages);
    expect(accuracy.measure(predictions, references).value).toBeCloseTo(expected.accuracy, 12);
  });

  test.each(golden.calibration)("calibration, $bins bins", ({ bins, confidence, hits, ...expected }) => {
    const guesses = confidence.map((c) => ({ label: "yes", confidence: c }));
    const right = hits.map((hit) => (hit ? "yes" : "no"));
    const curve = reliability(guesses, right, { bins });
    expect(curve.map((bin) => bin.count)).toEqual(expected.counts);
    const filled = curve.filter((bin) => bin.count > 0);
    for (const [i, bin] of filled.entries()) {
      expect(bin.accuracy).toBeCloseTo(expected.accuracy[i]!, 12);
      expect(bin.confidence).toBeCloseTo(expected.meanConfidence[i]!, 12);
    }
    expect(calibrationError({ bins }).measure(guesses, right, quick).value).toBeCloseTo(expected.error, 12);
  });
});

describe("seqeval", () => {
  test.each(golden.entities)("entities, $name", ({ predictions, references, scheme, ...modes }) => {
    for (const [strict, averages] of [
      [undefined, modes.default],
      [scheme, modes.strict],
    ] as const) {
      for (const [average, values] of Object.entries(averages) as [keyof Averages, Triple][]) {
        const options = strict ? { average, strict } : { average };
        const got = [entityPrecision, entityRecall, entityF1].map((metric) =>
          metric(options).measure(predictions, references, quick),
        );
        for (const [i, value] of values.entries()) expect(got[i]!.value, average).toBeCloseTo(value, 12);
      }
    }
  });
});

describe("pytrec_eval", () => {
  const rankings = golden.retrieval.map(({ scores }) => ranked(new Map(Object.entries(scores))));
  const judgments = golden.retrieval.map((query) => new Map(Object.entries(query.judgments)));
  const metrics: Record<string, Metric<Ranking, Judgments>> = {
    map: meanAveragePrecision(),
    recip_rank: mrr(),
    ...Object.fromEntries(
      [1, 3, 10, 100].flatMap((k) => [
        [`ndcg_cut_${k}`, ndcg({ k })],
        [`recall_${k}`, recallAt({ k })],
        [`map_cut_${k}`, meanAveragePrecision({ k })],
      ]),
    ),
  };

  test.each(Object.entries(metrics))("%s", (name, metric) => {
    const expected = golden.retrieval.map(({ values }) => values[name]!);
    for (const [i, value] of expected.entries()) {
      const got = metric.measure([rankings[i]!], [judgments[i]!], quick);
      expect(got.value, `query ${i + 1}`).toBeCloseTo(value, 12);
    }
    const mean = expected.reduce((sum, x) => sum + x) / expected.length;
    expect(metric.measure(rankings, judgments, quick).value).toBeCloseTo(mean, 12);
  });
});

describe("summaries and answers", () => {
  test.each(golden.summaries)(
    "rouge-score on $prediction",
    ({ prediction, references, rougeL: expected }) => {
      expect(rougeL().measure([prediction], [references], quick).value).toBeCloseTo(expected, 12);
    },
  );

  test.each(golden.answers)("SQuAD's normalization of $text", ({ text, normalized }) => {
    expect(normalizeAnswer(text)).toBe(normalized);
  });
});
