import { describe, expect, test } from "vitest";
import { classBatches } from "./classBatches.ts";
import { distinctBatches } from "./distinctBatches.ts";

/** 200 examples of two texts; every tenth shares its second with another. */
const keys = Array.from({ length: 200 }, (_, i) => [i, 1000 + (i % 10 === 0 ? 0 : i)]);
const lengths = keys.map((_, i) => 5 + ((i * 7) % 40));
const options = { keys, lengths, batch: 16, seed: 3 };

describe("batches of distinct texts", () => {
  test("no batch has a text twice, and an epoch has every example once", () => {
    const { epoch, at } = distinctBatches(options);
    const rows = Array.from({ length: epoch }, (_, i) => at(i));
    for (const batch of rows) {
      const texts = batch.flatMap((i) => keys[i]!);
      expect(new Set(texts).size).toBe(texts.length);
      expect(batch.length).toBeLessThanOrEqual(16);
    }
    expect(rows.flat().sort((a, b) => a - b)).toEqual(keys.map((_, i) => i));
  });

  test("are a function of seed and index alone", () => {
    const [one, other] = [distinctBatches(options), distinctBatches(options)];
    const later = other.at(3 * other.epoch + 2);
    expect(other.at(1)).toEqual(one.at(1));
    expect(one.at(3 * one.epoch + 2)).toEqual(later);
    expect(one.at(0)).not.toEqual(one.at(one.epoch));
    expect(distinctBatches({ ...options, seed: 4 }).at(0)).not.toEqual(one.at(0));
  });

  test("one text everywhere leaves batches of one", () => {
    const same = { ...options, keys: keys.map(([a]) => [a!, 7]) };
    expect(distinctBatches(same).first.every((rows) => rows.length === 1)).toBe(true);
    expect(distinctBatches(same).epoch).toBe(200);
  });

  test("texts of a batch are of like length", () => {
    const { first } = distinctBatches({ ...options, keys: keys.map((_, i) => [i]) });
    const spread = (rows: readonly number[]) => {
      const own = rows.map((i) => lengths[i]!);
      return Math.max(...own) - Math.min(...own);
    };
    expect(Math.max(...first.map(spread))).toBeLessThan(10);
  });
});

describe("batches of classes", () => {
  const classes = Array.from({ length: 90 }, (_, i) => i % 7);
  const given = { classes, batch: 12, seed: 2 };

  test("each class of a batch has two texts or more, each text once an epoch", () => {
    const { epoch, at } = classBatches(given);
    const all = Array.from({ length: epoch }, (_, i) => at(i));
    for (const rows of all) {
      for (const i of rows) expect(rows.filter((k) => classes[k] === classes[i]).length).toBeGreaterThan(1);
    }
    const taken = all.flat();
    expect(new Set(taken).size).toBe(taken.length);
    expect(taken.length).toBeGreaterThanOrEqual(90 - 7);
  });

  test("are a function of seed and index alone", () => {
    const [one, other] = [classBatches(given), classBatches(given)];
    other.at(2 * other.epoch);
    expect(other.at(1)).toEqual(one.at(1));
  });
});
