import { describe, expect, test } from "vitest";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { CheckpointError, ConfigError } from "../util/errors.ts";
import { averaging } from "./average.ts";

/** The weights of update `n`, which later updates overwrite as a run's do. */
const at = (n: number): ReadonlyMap<string, Tensor> =>
  new Map([
    ["a.b", tensorOf("float32", [6], [Math.sin(n), n * n, Math.cos(n), n, -n, Math.sqrt(n)])],
    ["c", tensorOf("float32", [1], [1 / n])],
  ]);

const numbers = (weights: ReadonlyMap<string, Tensor> | undefined): Record<string, number[]> =>
  Object.fromEntries(Array.from(weights ?? [], ([path, t]) => [path, Array.from(t.data as Float32Array)]));

/** The mean of `at` with a factor for each update. */
const meanWith = (factors: readonly number[]): Record<string, number[]> => {
  const total = factors.reduce((a, b) => a + b, 0);
  const sets = factors.map((factor, i) => ({ factor, set: numbers(at(i + 1)) }));
  const paths = Object.keys(sets[0]!.set);
  return Object.fromEntries(
    paths.map((path) => [
      path,
      sets[0]!.set[path]!.map((_, i) =>
        sets.reduce((sum, { factor, set }) => sum + (factor / total) * set[path]![i]!, 0),
      ),
    ]),
  );
};

const expectNear = (given: Record<string, number[]>, wanted: Record<string, number[]>): void => {
  expect(Object.keys(given)).toEqual(Object.keys(wanted));
  for (const [path, values] of Object.entries(wanted)) {
    values.forEach((value, i) => {
      expect(Math.abs(given[path]![i]! - value), path).toBeLessThan(1e-6 * Math.max(1, Math.abs(value)));
    });
  }
};

describe("a moving average", () => {
  test("is the mean with factors that fall by the decay, from the first update on", () => {
    for (const decay of [0.5, 0.9, 0.9999]) {
      const average = averaging({ ema: decay });
      expect(average.weights()).toBeUndefined();
      for (let n = 1; n <= 30; n++) {
        average.updated(at(n));
        average.reached(at(99));
        expectNear(
          numbers(average.weights()),
          meanWith(Array.from({ length: n }, (_, i) => decay ** (n - 1 - i))),
        );
      }
    }
  });
});

test("the mean of the last checkpoints is of those and no update between them", () => {
  const average = averaging({ last: 3 });
  expect(average.weights()).toBeUndefined();
  for (let n = 1; n <= 6; n++) {
    average.updated(at(99));
    average.reached(at(n));
    expectNear(numbers(average.weights()), meanWith(Array.from({ length: n }, (_, i) => Number(i >= n - 3))));
  }
});

describe.each([{ ema: 0.7 }, { last: 12 }])("%j", (how) => {
  const grown = (from: number, to: number, average = averaging(how)) => {
    for (let n = from; n <= to; n++) {
      average.updated(at(n));
      average.reached(at(n));
    }
    return average;
  };
  /** As a file holds it: in another order. */
  const stored = (state: ReadonlyMap<string, Tensor>) =>
    new Map(
      [...state]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, t]) => [name, { ...t, data: t.data.slice() }]),
    );

  test("goes on from its state with the same bits, at any time", () => {
    const straight = numbers(grown(1, 25).weights());
    for (const k of [0, 1, 5, 13, 24]) {
      const resumed = averaging(how);
      resumed.load(stored(grown(1, k).state()), at(1));
      expect(numbers(grown(k + 1, 25, resumed).weights())).toEqual(straight);
    }
  });

  test("refuses a state of other weights, or of none", () => {
    const state = stored(grown(1, 4).state());
    const other = new Map([["d", tensorOf("float32", [1], [0])]]);
    expect(() => averaging(how).load(state, other)).toThrow(CheckpointError);
    state.delete("count");
    expect(() => averaging(how).load(state, at(1))).toThrow(/"count": is missing from the average/);
  });
});

test.each([
  {},
  { ema: 0 },
  { ema: 1 },
  { ema: Number.NaN },
  { last: 0 },
  { last: 1.5 },
  { ema: 0.9, last: 2 },
])("%j is refused", (how) => {
  expect(() => averaging(how)).toThrow(ConfigError);
});
