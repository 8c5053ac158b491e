import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { type Document, stageRecorder } from "../records/document.ts";
import { countText, countTexts, eachNgram, eachWord, featureCounts, mergeCounts } from "./features.ts";
import {
  chooseTop,
  divergence,
  fitSelection,
  gumbel,
  ranking,
  type SelectionReport,
  type SelectOptions,
  select,
  selectionReport,
  weigh,
} from "./select.ts";

const BASE = ["sa", "ba", "mi", "ro", "ken", "tul", "ga", "ne"];

/** A word of a topic: topics share the most frequent fifth of their words. */
const wordOf = (topic: number, n: number): string =>
  BASE[n % 8]! + BASE[(n >> 3) % 8]! + (n % 5 === 0 ? "" : `x${topic}`);

const textOf = (topic: number, id: number, length: number): string => {
  const random = rng(7, `text/${topic}/${id}`);
  return Array.from({ length }, () => wordOf(topic, Math.floor(64 * random.uniform() ** 2))).join(" ");
};

/** 1000 documents, 100 of them of topic 0, which is the target's. */
const pool: Document[] = Array.from({ length: 1000 }, (_, i) => {
  const topic = i % 10;
  return { id: `${topic}:${i}`, text: textOf(topic, i, 20 + (i % 30)) };
});
const target = Array.from({ length: 15 }, (_, i) => textOf(0, 10_000 + i, 40));

const chosen = async (documents: readonly Document[], options: Partial<SelectOptions> = {}) => {
  const recorder = stageRecorder("select");
  const out: Document[] = [];
  let report: SelectionReport | undefined;
  const given: SelectOptions = {
    target,
    budget: { unit: "documents", amount: 100 },
    seed: 3,
    onReport: (r) => {
      report = r;
    },
    ...options,
  };
  for await (const doc of select(() => documents, recorder, given)) out.push(doc);
  return { out, report: report!, stage: recorder.report() };
};

describe("features", () => {
  const words = (text: string) => {
    const seen: number[] = [];
    eachWord(text, (h) => seen.push(h));
    return seen;
  };

  test("words are runs of letters or of marks, without regard to case; Han one by one", () => {
    expect(words("Hello, World!")).toEqual([
      ...words("hello"),
      ...words(","),
      ...words("world"),
      ...words("!"),
    ]);
    expect(words("l'été 42")).toHaveLength(4);
    expect(words("数据 清洗")).toHaveLength(4);
    expect(words(" \n\t\u00a0\u3000")).toEqual([]);
  });

  test("n-grams: each is seen once, and order matters", () => {
    const lengths = [0, 0, 0];
    expect(eachNgram("a b c d", 3, (_, n) => lengths[n - 1]!++)).toBe(4);
    expect(lengths).toEqual([4, 3, 2]);
    expect(countTexts(["a b"], { ngrams: 2 }).counts).not.toEqual(countTexts(["b a"], { ngrams: 2 }).counts);
    expect(countTexts(["a b"], { ngrams: 1 }).counts).toEqual(countTexts(["b a"], { ngrams: 1 }).counts);
  });

  test("counts of shards add up to those of the whole", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.nat(), (texts, cut) => {
        const at = texts.length === 0 ? 0 : cut % texts.length;
        const sum = countTexts(texts.slice(0, at), { buckets: 97 });
        mergeCounts(sum, countTexts(texts.slice(at), { buckets: 97 }));
        expect(sum).toEqual(countTexts(texts, { buckets: 97 }));
        expect(sum.counts.reduce((a, b) => a + b, 0)).toBe(sum.total);
      }),
    );
  });

  test("wrong sizes are refused", () => {
    expect(() => featureCounts({ buckets: 0 })).toThrow(/buckets/);
    expect(() => mergeCounts(featureCounts({ buckets: 2 }), featureCounts({ buckets: 3 }))).toThrow(/add up/);
  });
});

describe("select", () => {
  test("recovers the documents planted in a mixed pool, and the KL falls", async () => {
    const { out, report, stage } = await chosen(pool);
    const hits = out.filter(({ id }) => id.startsWith("0:")).length;
    expect(out).toHaveLength(100);
    // One in ten by chance.
    expect(hits / out.length).toBeGreaterThan(0.9);
    expect(report.klSelected).toBeLessThan(report.klPool * 0.6);
    expect(report.klReduction).toBeCloseTo(report.klPool - report.klSelected, 10);
    expect(report).toMatchObject({ poolDocuments: 1000, selectedDocuments: 100, targetDocuments: 15 });
    expect(stage).toMatchObject({ docsIn: 1000, docsOut: 100 });
    expect(stage.reasons[0]).toMatchObject({ reason: "less like the target", count: 900 });
  });

  test("chooses the same whatever the order, and gives them in the pool's order", async () => {
    const forward = await chosen(pool);
    const backward = await chosen([...pool].reverse());
    expect(backward.out.map((d) => d.id).reverse()).toEqual(forward.out.map((d) => d.id));
    expect(backward.report).toEqual(forward.report);
    const few = { budget: { unit: "documents", amount: 30 } } as const;
    const ids = async (seed: number) => (await chosen(pool, { ...few, seed })).out.map((d) => d.id);
    expect(await ids(4)).not.toEqual(await ids(3));
  });

  test("chooses the same whatever the shards", async () => {
    const whole = (await chosen(pool)).out.map((d) => d.id);
    for (const shards of [2, 5]) {
      const parts = Array.from({ length: shards }, (_, s) => pool.filter((_, i) => i % shards === s));
      const counts = featureCounts();
      for (const part of parts) mergeCounts(counts, countTexts(part.map((d) => d.text)));
      const fit = fitSelection(target, counts);
      const ranks = parts.map((part) => {
        const rank = ranking();
        for (const { id, text } of part) rank.add(weigh(fit, text) + gumbel(3, id), 1);
        return rank.take();
      });
      const marks = chooseTop(ranks, 100);
      const ids = parts.flatMap((part, p) => part.filter((_, i) => marks[p]![i] === 1).map((d) => d.id));
      expect(new Set(ids)).toEqual(new Set(whole));
    }
  });

  test("a budget in bytes or tokens is kept, and nearly used", async () => {
    const bytes = await chosen(pool, { budget: { unit: "bytes", amount: 9000 } });
    expect(bytes.stage.bytesOut).toBeLessThanOrEqual(9000);
    expect(bytes.stage.bytesOut).toBeGreaterThan(8000);
    const tokens = (text: string) => text.split(" ").length;
    const budget = { unit: "tokens", amount: 500 } as const;
    const { out } = await chosen(pool, { budget, tokens });
    const sum = out.reduce((n, { text }) => n + tokens(text), 0);
    expect(sum).toBeLessThanOrEqual(500);
    expect(sum).toBeGreaterThan(440);
    await expect(chosen(pool, { budget })).rejects.toThrow(/tokenizer/);
  });

  test("documents outside the limits of length are never chosen", async () => {
    const { out } = await chosen(pool, { minWords: 25, maxWords: 30 });
    const lengths = out.map(({ text }) => text.split(" ").length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(25);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(30);
    const { stage } = await chosen([...pool, { id: "none", text: "" }]);
    expect(stage.reasons.map((r) => [r.reason, r.count])).toEqual([
      ["less like the target", 900],
      ["no words, or too few or many", 1],
    ]);
  });

  test("weights by the mean length find the planted documents too; a pool that changes is refused", async () => {
    const { out } = await chosen(pool, { length: "mean" });
    expect(out.filter(({ id }) => id.startsWith("0:")).length).toBeGreaterThan(85);
    let opened = 0;
    const less = () => (++opened === 3 ? pool.slice(1) : pool);
    const options = { target, budget: { unit: "documents", amount: 5 } } as const;
    const drain = async () => {
      for await (const _ of select(less, stageRecorder("select"), options));
    };
    await expect(drain()).rejects.toThrow(/1000 documents, and then 999/);
  });

  test("the noise is Gumbel's: the top one is drawn in proportion to the weights", () => {
    const wins = [0, 0, 0];
    const shares = [0.6, 0.3, 0.1];
    for (let seed = 0; seed < 4000; seed++) {
      const keys = shares.map((p, i) => Math.log(p) + gumbel(seed, `doc${i}`));
      wins[keys.indexOf(Math.max(...keys))]!++;
    }
    for (const [i, p] of shares.entries()) expect(Math.abs(wins[i]! / 4000 - p)).toBeLessThan(0.03);
  });

  test("the divergence is 0 from itself, and the report needs no pool at hand", () => {
    const counts = countTexts(target, { buckets: 100 });
    expect(divergence(counts, counts)).toBeLessThan(0.1);
    const fit = fitSelection(target, countTexts(pool.map((d) => d.text)));
    const report = selectionReport(fit, fit.target, { budget: { unit: "bytes", amount: 1 }, seed: 1 });
    expect(report.klReduction).toBeGreaterThan(0);
  });

  test("chooseTop takes the largest keys within the amount", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ noNaN: true, min: -9, max: 9 }), fc.integer({ min: 1, max: 20 }))),
        fc.integer({ min: 1, max: 60 }),
        (documents, amount) => {
          const rank = ranking();
          for (const [key, size] of documents) rank.add(key, size);
          const [marks] = chooseTop([rank.take()], amount);
          const taken = documents.filter((_, i) => marks![i] === 1);
          const rest = documents.filter(([, size], i) => marks![i] === 0 && size <= amount);
          const sum = taken.reduce((n, [, size]) => n + size, 0);
          expect(sum).toBeLessThanOrEqual(amount);
          if (rest.length === 0) return;
          const best = Math.max(...rest.map(([key]) => key));
          for (const [key] of taken) expect(key).toBeGreaterThanOrEqual(best);
          expect(Math.min(...rest.filter(([key]) => key === best).map(([, size]) => size))).toBeGreaterThan(
            0,
          );
        },
      ),
    );
  });

  test("an empty target or pool and a budget of nothing are refused", async () => {
    await expect(chosen(pool, { target: ["", " "] })).rejects.toThrow(/target has no words/);
    await expect(chosen([])).rejects.toThrow(/pool has no words/);
    await expect(chosen(pool, { budget: { unit: "bytes", amount: 0 } })).rejects.toThrow(/budget/);
    const counts = featureCounts();
    countText(counts, "a");
    expect(() => fitSelection(["a"], counts, { smoothing: 0 })).toThrow(/smoothing/);
    expect(weigh(fitSelection(["a"], counts), "")).toBe(Number.NEGATIVE_INFINITY);
  });
});
