import fc from "fast-check";
import { expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { meanAveragePrecision } from "./meanAveragePrecision.ts";
import { mrr } from "./mrr.ts";
import { ndcg } from "./ndcg.ts";
import { ranked } from "./ranking.ts";
import { recallAt } from "./recallAt.ts";

const quick = { resamples: 2 };
const documents = Array.from({ length: 12 }, (_, i) => `d${i}`);
const rankings = fc.shuffledSubarray(documents, { minLength: 1 });
const judged = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 12, maxLength: 12 });

test.each([ndcg(), ndcg({ k: 3 }), mrr(), mrr({ k: 2 }), recallAt({ k: 5 }), meanAveragePrecision()])(
  "$name is from 0 to 1, and 1 where all that is relevant comes first",
  (metric) => {
    fc.assert(
      fc.property(rankings, judged, (ranking, gains) => {
        const judgments = new Map(documents.map((d, i) => [d, gains[i]!]));
        const { value } = metric.measure([ranking], [judgments], quick);
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1 + 1e-12);
        const relevant = gains.filter((gain) => gain > 0).length;
        const best = metric.measure([ranked(judgments)], [judgments], quick).value;
        if (relevant === 0) expect(best).toBe(0);
        else if (metric.name !== "recall@5" || relevant <= 5) expect(best).toBeCloseTo(1, 12);
        expect(value).toBeLessThanOrEqual(best + 1e-12);
      }),
    );
  },
);

test("of equal scores the later id comes first; a document twice is refused", () => {
  expect(
    ranked(
      new Map([
        ["a", 1],
        ["b", 1],
        ["c", 2],
      ]),
    ),
  ).toEqual(["c", "b", "a"]);
  expect(() => mrr().measure([["a", "b", "a"]], [new Map([["a", 1]])])).toThrow(DataError);
});

test("a cut before the first document is refused", () => {
  expect(() => ndcg({ k: 0 }).measure([["a"]], [new Map([["a", 1]])])).toThrow('field "k"');
});
