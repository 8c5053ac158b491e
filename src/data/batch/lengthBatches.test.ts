import { expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { lengthBatches } from "./lengthBatches.ts";

const random = rng(1, "lengths");
const lengths = Array.from({ length: 217 * 8 }, () => 1 + random.int(64));

test("batches are of like length up to the last of an epoch a little longer than a chunk", () => {
  const batches = lengthBatches({ lengths, batch: 8, seed: 1 });
  const all = Array.from({ length: batches.epoch }, (_, i) => batches.at(i));
  for (const { rows, width } of all) {
    const own = rows.map((row) => lengths[row]!);
    expect(Math.max(...own) - Math.min(...own)).toBeLessThanOrEqual(2);
    expect(width).toBeGreaterThanOrEqual(Math.max(...own));
  }
  expect(all.flatMap(({ rows }) => rows).sort((a, b) => a - b)).toEqual([...lengths.keys()]);
  expect(batches.widths.length).toBeLessThanOrEqual(20);
  expect(batches.padding).toBeLessThanOrEqual(0.05);
});
