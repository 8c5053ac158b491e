/** Every figure equals its reference implementation's: see test/golden/metrics.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Measured } from "./metric.ts";
import { pearson } from "./numbers/pearson.ts";
import { spearman } from "./numbers/spearman.ts";
import { proportion } from "./proportion.ts";
import { bleu, bleuScore, bleuSignature } from "./text/bleu.ts";
import { type BleuTokenizer, bleuTokens } from "./text/bleuTokens.ts";
import { type ChrfOptions, chrf, chrfSignature } from "./text/chrf.ts";
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
