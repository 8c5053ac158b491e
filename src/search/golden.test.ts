/** Samplers, hypervolume, processes and importance against Optuna, BoTorch and GPyTorch: test/golden/search.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { undominated } from "./front/boxes.ts";
import { hypervolume } from "./front/hypervolume.ts";
import type { Point } from "./front/sort.ts";
import { pedAnova } from "./importance.ts";
import { acquisition, split } from "./samplers/tpe.ts";
import { categorical, float, integer, type Values } from "./space/space.ts";
import { logLikelihood, posterior } from "./surrogate/gp.ts";
import { logHypervolumeImprovement } from "./surrogate/improvement.ts";
import type { Trial } from "./trial.ts";

interface TpeCase {
  readonly trials: readonly Trial[];
  readonly below: readonly number[];
  readonly asked: readonly Values[];
  readonly logBelow: readonly number[];
  readonly logAbove: readonly number[];
}
interface Golden {
  readonly tpe: Readonly<Record<"one" | "two" | "constrained", TpeCase>>;
  readonly importance: Readonly<
    Record<"one" | "two", { trials: readonly Trial[]; importance: Readonly<Record<string, number>> }>
  >;
  readonly hypervolume: readonly { points: readonly Point[]; reference: Point; volume: number }[];
  readonly gp: {
    readonly x: readonly number[][];
    readonly y: readonly number[];
    readonly asked: readonly number[][];
    readonly inverse: readonly number[];
    readonly scale: number;
    readonly noise: number;
    readonly mean: readonly number[];
    readonly variance: readonly number[];
    readonly logLikelihood: number;
    readonly gradient: readonly number[];
  };
  readonly ehvi: readonly {
    readonly front: readonly Point[];
    readonly reference: Point;
    readonly cases: readonly { mean: number[]; deviation: number[]; improvement: number }[];
  }[];
}

const file = new URL("../../test/golden/search.json", import.meta.url);
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
const space = {
  lr: float(1e-4, 1e-1, { log: true }),
  decay: float(0, 0.3),
  layers: integer(1, 8),
  width: integer(16, 256, { log: true }),
  optimizer: categorical(["adamw", "muon", "lion"]),
};

const near = (got: readonly number[], wanted: readonly number[], digits = 9): void => {
  expect(got.length).toBe(wanted.length);
  for (const [i, want] of wanted.entries()) expect(got[i]! / want, `of ${i}`).toBeCloseTo(1, digits);
};

describe.each(["one", "two", "constrained"] as const)("TPE: %s", (name) => {
  const { trials, below, asked, logBelow, logAbove } = golden.tpe[name];
  test("the best trials are Optuna's", () => {
    const got = split(trials, below.length).below.map(({ number }) => number);
    expect(got).toEqual(below);
  });
  test("both densities are Optuna's, and so the acquisition", () => {
    const { good, rest, of } = acquisition(space, trials);
    near(asked.map(good.logAt), logBelow);
    near(asked.map(rest.logAt), logAbove);
    near(
      asked.map(of),
      logBelow.map((b, i) => b - logAbove[i]!),
      7,
    );
  });
});

test("hypervolumes of 2 to 5 objectives are Optuna's", () => {
  const got = golden.hypervolume.map(({ points, reference }) => hypervolume(points, reference));
  near(
    got,
    golden.hypervolume.map(({ volume }) => volume),
    12,
  );
});

test("a process's posterior is GPyTorch's; the likelihood's gradient is that of torch", () => {
  const { gp } = golden;
  const { x, y, inverse, scale, noise } = gp;
  const at = posterior({ x, y }, { inverse, scale, noise });
  const got = gp.asked.map(at);
  near(
    got.map(({ mean }) => mean),
    gp.mean,
    6,
  );
  near(
    got.map(({ variance }) => variance),
    gp.variance,
    6,
  );
  const { value, gradient } = logLikelihood({ x, y }, { inverse, scale, noise });
  near([value, ...gradient], [gp.logLikelihood, ...gp.gradient], 8);
});

test("expected gains in hypervolume are BoTorch's", () => {
  for (const { front, reference, cases } of golden.ehvi) {
    const boxes = undominated(front, reference);
    const got = cases.map(({ mean, deviation }) =>
      Math.exp(
        logHypervolumeImprovement(
          boxes,
          mean.map((m, i) => ({ mean: m, variance: deviation[i]! ** 2 })),
        ),
      ),
    );
    near(
      got,
      cases.map(({ improvement }) => improvement),
      7,
    );
  }
});

test.each(["one", "two"] as const)("importance with objectives: %s, is Optuna's", (name) => {
  const { trials, importance } = golden.importance[name];
  const got = pedAnova(space, trials);
  near(
    Object.keys(importance).map((key) => got[key]!),
    Object.values(importance),
    8,
  );
});
