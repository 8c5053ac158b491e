import { expect, test } from "vitest";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { dequantized } from "../rounding/codes.ts";
import { gptq } from "../rounding/gptq.ts";
import { momentsOf } from "../rounding/moments.ts";
import { keptSize } from "./keptSize.ts";

test("outputs are as large along the matrix's own as those are, whatever the scales were; idle ones stay", async () => {
  const [n, k] = [5, 24];
  const random = rng(8, "size");
  const moments = momentsOf(
    Float64Array.from({ length: 300 * k }, () => random.normal()),
    k,
  );
  const values = Float32Array.from({ length: n * k }, (_, i) => (i < k ? 0 : random.normal()));
  const rows = { n, k, values };
  const size = keptSize(await nodeEngine({ threads: 1 }));
  const codes = gptq(rows, moments, { bits: 3, block: 8 });
  const shrunk = { ...codes, scale: codes.scale.map((s) => 0.8 * s) };
  for (const given of [codes, shrunk]) {
    const got = await size.of(rows, given, moments);
    expect(Array.from(got.q)).toEqual(Array.from(codes.q));
    const q = dequantized(got);
    for (let j = 0; j < n; j++) {
      let [own, rounded] = [0, 0];
      for (let i = 0; i < k; i++) {
        for (let m = 0; m < k; m++) {
          const along = values[j * k + i]! * moments.gram[i * k + m]!;
          own += along * values[j * k + m]!;
          rounded += along * q[j * k + m]!;
        }
      }
      expect(Math.abs(rounded - own)).toBeLessThanOrEqual(1e-5 * own);
    }
  }
  const halved = await size.ofValues(
    rows,
    values.map((v) => v / 1.5),
    moments,
  );
  for (const [i, v] of halved.entries()) expect(v).toBeCloseTo(values[i]!, 5);
  await size.dispose();
});
