/** What every sampler keeps: the space and its conditions, the seed, no configuration twice; and that it finds. */
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { hypervolume } from "../front/hypervolume.ts";
import { configurations, sizeOf } from "../space/configurations.ts";
import {
  categorical,
  checkSpace,
  checkValues,
  float,
  integer,
  keyOf,
  type Space,
  type Values,
} from "../space/space.ts";
import { fromUnit, pointOf, toUnit } from "../space/unit.ts";
import { study } from "../study.ts";
import { type SamplerName, samplers } from "./index.ts";
import { halton } from "./quasiRandom.ts";

const names = Object.keys(samplers) as SamplerName[];
const mixed: Space = {
  optimizer: categorical(["adamw", "muon"]),
  lr: float(1e-4, 1e-1, { log: true }),
  momentum: float(0, 1, { when: ({ optimizer }) => optimizer === "muon" }),
  width: categorical([64, 128, 256], { ordered: true }),
  layers: integer(1, 6),
};
const small: Space = {
  bits: categorical([2, 4, 8], { ordered: true }),
  block: categorical([32, 64], { when: ({ bits }) => bits !== 8, ordered: true }),
  cut: integer(1, 3),
};

/** Two goals that contradict each other, and a constraint on the second. */
const measure = (values: Readonly<Record<string, unknown>>) => {
  const { lr, layers, width, momentum } = values as Record<string, number>;
  const loss =
    (Math.log10(lr!) + 2) ** 2 + 3 / layers! + 40 / width! + (momentum === undefined ? 0.5 : momentum);
  const size = layers! * (width! / 64) ** 2;
  return { objectives: [loss, size], violations: [size - 60] };
};

/** The greatest difference of two configurations' coordinates. */
const pointsApart = (a: Values, b: Values): number => {
  const [p, q] = [pointOf(mixed, a), pointOf(mixed, b)];
  return Math.max(...p.map((x, i) => Math.abs(x - q[i]!)));
};

const run = (sampler: SamplerName, trials: number, seed = 1) => {
  const made = study(mixed, { sampler, seed });
  for (let i = 0; i < trials; i++) {
    const trial = made.ask()!;
    const { objectives, violations } = measure(trial.values);
    // One in nine fails, as trials do.
    if (i % 9 === 8) made.tell(trial.number, { state: "failed" });
    else made.tell(trial.number, { state: "complete", objectives, violations });
  }
  return made;
};

describe.each(names)("%s", (sampler) => {
  test("keeps the space and its conditions; one seed, one search; resumed, the same", () => {
    const whole = run(sampler, 26);
    for (const { values } of whole.trials) checkValues(mixed, values);
    expect(new Set(whole.trials.map(({ values }) => keyOf(values))).size).toBe(26);
    const resumed = study(mixed, { sampler, seed: 1, trials: whole.trials.slice(0, 25) });
    expect(resumed.ask()?.values).toEqual(whole.trials[25]!.values);
    if (sampler !== "grid") {
      expect(run(sampler, 3, 2).trials[0]!.values).not.toEqual(whole.trials[0]!.values);
    }
  });

  test("tries all of a small space, each configuration once, then has no more", () => {
    const made = study(small, { sampler });
    const seen = new Set<string>();
    for (let trial = made.ask(); trial !== undefined; trial = made.ask()) {
      seen.add(keyOf(trial.values));
      const { bits, cut, block = 0 } = trial.values as Record<string, number>;
      made.tell(trial.number, { state: "complete", objectives: [block / bits! - cut!, bits! * cut!] });
    }
    expect(seen).toEqual(new Set(Array.from(configurations(small), keyOf)));
    expect(seen.size).toBe(sizeOf(small));
  });

  test("asked for several at once, gives different ones", () => {
    const made = run(sampler, 14);
    const asked = Array.from({ length: 4 }, () => keyOf(made.ask()!.values));
    expect(new Set(asked).size).toBe(4);
  });
});

test.each([
  ["tpe", 40],
  ["nsga2", 64],
  ["bayes", 24],
] as const)("%s dominates more than random trials do", (sampler, trials) => {
  const volume = (name: SamplerName): number => {
    const seeds = [1, 2];
    const volumes = seeds.map((seed) =>
      hypervolume(
        run(name, trials, seed)
          .front()
          .map(({ objectives }) => objectives),
        [8, 96],
      ),
    );
    return volumes.reduce((a, b) => a + b, 0);
  };
  expect(volume(sampler)).toBeGreaterThan(volume("random"));
});

test("bayes asks for what finds as much in less, where it is told what trials took", () => {
  const two: Space = { way: categorical(["quick", "slow"]), x: integer(1, 64) };
  const slowOnes = (told: boolean, seed: number): number => {
    const made = study(two, { sampler: "bayes", seed });
    for (let i = 0; i < 12; i++) {
      const { number, values } = made.ask()!;
      const x = Number(values.x);
      const compute = values.way === "slow" ? 40 : 1;
      const objectives = [(x - 40) ** 2, 30 * x];
      made.tell(number, { state: "complete", objectives, ...(told ? { compute } : {}) });
    }
    return made.trials.slice(4).filter(({ values }) => values.way === "slow").length;
  };
  const all = (told: boolean): number => [1, 2, 3].reduce((sum, seed) => sum + slowOnes(told, seed), 0);
  expect(2 * all(true)).toBeLessThan(all(false));
});

test("bayes begins in the middle of what has an order, apart from what is tried or running", () => {
  for (const seed of [1, 2, 3]) {
    const made = study(mixed, { sampler: "bayes", seed });
    const [first, second] = [made.ask()!, made.ask()!];
    const { lr, layers, width } = first.values as Record<string, number>;
    expect(Math.log10(lr!)).toBeGreaterThan(-3.25);
    expect(Math.log10(lr!)).toBeLessThan(-1.75);
    expect([2, 3, 4, 5]).toContain(layers);
    expect(width).toBe(128);
    expect(second.values.optimizer).not.toBe(first.values.optimizer);
    made.tell(first.number, { state: "failed" });
    made.tell(second.number, { state: "failed" });
    expect(pointsApart(first.values, made.ask()!.values)).toBeGreaterThan(0.2);
  }
});

test("the scrambled sequence has one point in each share of each axis, in every prefix of a power of its base", () => {
  const point = halton(3, 5);
  const axes = [
    [2, 32],
    [3, 27],
    [5, 25],
  ] as const;
  for (const [axis, [, count]] of axes.entries()) {
    const shares = Array.from({ length: count }, (_, i) => Math.floor(point(i)[axis]! * count + 1e-9));
    expect(new Set(shares).size).toBe(count);
  }
  expect(halton(3, 6)(1)).not.toEqual(point(1));
});

test("values of each kind go to the unit interval and back", () => {
  for (const param of Object.values(mixed)) {
    for (const at of [0, 0.2, 0.5, 0.83, 1 - 1e-12]) {
      const value = fromUnit(param, at);
      expect(fromUnit(param, toUnit(param, value))).toEqual(
        typeof value === "number" ? expect.closeTo(value, 9) : value,
      );
    }
  }
});

test.each([
  ["no parameters", {}],
  ["no choices", { a: categorical([]) }],
  ["a choice twice", { a: categorical([1, 1]) }],
  ["from 3 to 2", { a: float(3, 2) }],
  ["logarithmic and begins at 0", { a: float(0, 2, { log: true }) }],
  ["no whole number", { a: integer(0.5, 2) }],
  ["not finite", { a: float(0, Number.POSITIVE_INFINITY) }],
])("a space with %s is refused", (what, space) => {
  expect(() => checkSpace(space)).toThrow(ConfigError);
  expect(() => checkSpace(space)).toThrow(what);
});

test("trials of another space, and objectives of another number, are refused", () => {
  const values = { bits: 3, cut: 1 };
  expect(() => study(small, { trials: [{ number: 0, values, state: "complete" }] })).toThrow(
    /3 is not of the space/,
  );
  const made = study(small);
  made.tell(made.ask()!.number, { state: "complete", objectives: [1, 2] });
  const { number } = made.ask()!;
  expect(() => made.tell(number, { state: "complete", objectives: [1] })).toThrow(/1 objectives, where 2/);
  expect(() => made.tell(9, { state: "failed" })).toThrow(ConfigError);
  expect(made.tell(number, { state: "complete", objectives: [1, Number.NaN] }).state).toBe("failed");
});

test("others get no number that an earlier process began with, and none that is left out is asked for", () => {
  const few = { layers: categorical([1, 2, 3]) };
  const made = study(few, { sampler: "grid", begun: [1, 4] });
  expect(made.ask({ layers: 1 })!.number).toBe(5);
  expect(made.ask({ layers: 2 }, 4)!.number).toBe(4);
  expect(() => made.ask({ layers: 3 }, 4)).toThrow(/is taken/);
  expect(made.ask(undefined, undefined, ({ layers }) => layers === 3)).toBeUndefined();
  expect(made.ask()!.values).toEqual({ layers: 3 });
});
