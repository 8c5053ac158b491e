import fc from "fast-check";
import { expect, test } from "vitest";
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { keptBytesPerRow, keptLogits, logitsFrom, topLogits } from "./keptTeacher.ts";

const softmax = (row: ArrayLike<number>): number[] => {
  const most = Math.max(...Array.from(row));
  const all = Array.from(row, (x) => Math.exp(x - most));
  const sum = all.reduce((a, b) => a + b, 0);
  return all.map((x) => x / sum);
};

test("the likeliest tokens keep their probabilities, and the others share what is left", () => {
  const float = fc.float({ noNaN: true, min: -30, max: 30 });
  const row = fc.array(float, { minLength: 9, maxLength: 9 });
  const property = fc.property(
    fc.array(row, { minLength: 1, maxLength: 4 }),
    fc.integer({ min: 1, max: 9 }),
    (all, topK) => {
      const size = { rows: all.length, vocab: 9, topK };
      const bytes = topLogits(Float32Array.from(all.flat()), size);
      expect(bytes.length).toBe(all.length * keptBytesPerRow(topK));
      const out = new Float32Array(all.length * 9);
      logitsFrom(bytes, size, out);
      for (const [r, given] of all.entries()) {
        const [want, got] = [softmax(given), softmax(out.subarray(r * 9, r * 9 + 9))];
        const kept = want
          .map((_, i) => i)
          .sort((a, b) => given[b]! - given[a]! || a - b)
          .slice(0, topK);
        for (const i of kept) expect(got[i]).toBeCloseTo(want[i]!, 4);
        const rest = got.filter((_, i) => !kept.includes(i));
        expect(Math.max(0, ...rest) - Math.min(1, ...rest)).toBeLessThan(1e-6);
      }
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test("a teacher is asked once for a batch, and says the same again; a cut file is made anew", async () => {
  const files = new Map<string, Uint8Array>();
  const keyOf = (batch: Feeds): string => String(batch.labels!.data);
  const store = {
    find: async (batch: Feeds) => files.get(keyOf(batch)),
    keep: async (batch: Feeds, bytes: Uint8Array) => void files.set(keyOf(batch), bytes),
  };
  let asked = 0;
  const ask = async (batch: Feeds): Promise<Float32Array> => {
    asked++;
    return Float32Array.from({ length: batch.labels!.data.length * 5 }, (_, i) => Math.sin(i * i));
  };
  const say = keptLogits(ask, { topK: 2, store }, 5);
  const batch = { labels: tensor("int32", [3], Int32Array.of(1, 2, 3)) };
  const first = (await say(batch)).teacherLogits!;
  expect(first.shape).toEqual([3, 5]);
  expect((await say(batch)).teacherLogits).toEqual(first);
  expect(asked).toBe(1);
  files.set(keyOf(batch), files.get(keyOf(batch))!.subarray(1));
  expect((await say(batch)).teacherLogits).toEqual(first);
  expect(asked).toBe(2);
  await say({ labels: tensor("int32", [1], Int32Array.of(1)) });
  expect(asked).toBe(3);
});
