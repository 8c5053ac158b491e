import { afterAll, describe, expect, test } from "vitest";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { rng } from "../../util/rng.ts";
import { inputFactor } from "../rounding/gptq.ts";
import { momentsOf } from "../rounding/moments.ts";
import { towardsDense } from "./towardsDense.ts";

const engine = await nodeEngine({ threads: 1 });

describe("weights towards the dense model's outputs", () => {
  const [n, k, count, damping] = [3, 6, 200, 0.01];
  const random = rng(4, "towards");
  const y = Float64Array.from({ length: count * k }, () => random.normal());
  // What rounding did in front: inputs that are smaller, mixed, and noisy.
  const x = y.map((v, i) => 0.8 * v + 0.3 * y[(i + 1) % y.length]! + 0.1 * random.normal());
  const moments = momentsOf(x, k);
  const products = new Float64Array(k * k);
  for (let r = 0; r < count; r++) {
    for (let i = 0; i < k; i++) {
      for (let m = 0; m < k; m++) products[i * k + m]! += x[r * k + i]! * y[r * k + m]!;
    }
  }
  const rows = { n, k, values: Float32Array.from({ length: n * k }, () => random.normal()) };
  const towards = towardsDense(engine);
  afterAll(() => towards.dispose());

  test("are those of damped least squares, in each order of inputs", async () => {
    for (const actOrder of [true, false]) {
      const factor = inputFactor(moments, { damping, actOrder });
      const [fit] = await towards.of([rows], { moments, factor, cross: { products } });
      const mean = moments.squares.reduce((sum, s) => sum + s / k, 0);
      for (let j = 0; j < n; j++) {
        for (let m = 0; m < k; m++) {
          // The gradient of |W' x - W y|^2 + damping |W' - W|^2 is 0.
          let slope = damping * mean * (fit!.values[j * k + m]! - rows.values[j * k + m]!);
          for (let i = 0; i < k; i++) {
            slope += fit!.values[j * k + i]! * moments.gram[i * k + m]!;
            slope -= rows.values[j * k + i]! * products[m * k + i]!;
          }
          expect(Math.abs(slope)).toBeLessThan(1e-3 * mean);
        }
      }
    }
  });

  test("stay where the inputs are the dense model's", async () => {
    const own = { moments, factor: inputFactor(moments), cross: { products: moments.gram } };
    const [same] = await towards.of([rows], own);
    expect(Array.from(same!.values)).toEqual(Array.from(rows.values));
  });

  test("stay where other rows know nothing of the difference, and move by half where it is half as large there", async () => {
    const learnt = { moments, cross: { products } };
    const known = { ...learnt, factor: inputFactor(moments, { damping: 1e-9 }) };
    const movedBy = async (size: number): Promise<number> => {
      const other = products.map((v, i) => moments.gram[i]! + size * (v - moments.gram[i]!));
      const heldOut = { moments, cross: { products: other } };
      const [fit] = await towards.of([rows], { ...known, parts: { learnt, heldOut } });
      const [whole] = await towards.of([rows], known);
      const change = (by: ArrayLike<number>, i: number): number => by[i]! - rows.values[i]!;
      return change(fit!.values, 3) / change(whole!.values, 3);
    };
    expect(await movedBy(0)).toBeCloseTo(0, 3);
    expect(await movedBy(0.5)).toBeCloseTo(0.5, 2);
  });
});
