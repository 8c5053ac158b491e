/** Halving over rungs: it saves where early ranks are late ones, and cuts nothing where they are not. */
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import type { Point } from "../front/sort.ts";
import type { Trial } from "../trial.ts";
import { asha } from "./asha.ts";
import { successiveHalving } from "./halving.ts";
import { projected } from "./projected.ts";
import { allowsStop, foretold, foretoldText } from "./rungs.ts";

const N = 27;
const random = rng(1, "rungs");
const goals = Array.from({ length: N }, (): Point => [random.uniform(), random.uniform()]);
/** What is seen at a rung: the goal and what is still missing, or nothing but noise. */
const seen = (i: number, rung: number, honest: boolean): Point =>
  goals[i]!.map((x) => (honest || rung === 2 ? x + (2 - rung) * 0.3 : random.uniform()));

const run = (honest: boolean) => {
  const trials: Trial[] = [];
  for (const number of goals.keys()) {
    let trial: Trial = { number, values: { a: number }, state: "running", rungs: [] };
    for (let rung = 0; rung < 2; rung++) {
      trial = { ...trial, rungs: [...trial.rungs!, seen(number, rung, honest)] };
      if (asha(trial, trials).stop) {
        trial = { ...trial, state: "pruned", objectives: trial.rungs!.at(-1)! };
        break;
      }
    }
    if (trial.state === "running")
      trial = { ...trial, state: "complete", objectives: seen(number, 2, honest) };
    trials.push(trial);
  }
  return trials;
};

describe("ASHA", () => {
  test("with rungs that foretell the end stops most of what is bad, and none of the best front", () => {
    const trials = run(true);
    const pruned = trials.filter(({ state }) => state === "pruned");
    expect(pruned.length).toBeGreaterThan(N / 3);
    expect(trials.slice(0, 5).every(({ state }) => state === "complete")).toBe(true);
    const sums = goals.map(([a, b]) => a! + b!);
    const best = sums.indexOf(Math.min(...sums));
    expect(trials[best]!.state).toBe("complete");
    expect(foretoldText(foretold(trials, 0))).toMatch(
      /correlation with the end 1\.00 .*bad ones are stopped/,
    );
  });
  test("with rungs that say nothing stops none, and says so", () => {
    const trials = run(false);
    expect(trials.filter(({ state }) => state === "pruned")).toEqual([]);
    const known = foretold(trials, 0);
    expect(allowsStop(known)).toBe(false);
    expect(foretoldText(known)).toMatch(/too little to stop any/);
    expect(foretoldText(foretold(trials.slice(0, 4), 0))).toMatch(/fewer than 5/);
  });
  test("stops what is not finite at a rung that counts", () => {
    const bad: Trial = { number: 99, values: {}, state: "running", rungs: [[Number.NaN, 0]] };
    expect(asha(bad, run(true)).stop).toBe(true);
    expect(asha(bad, []).stop).toBe(false);
  });
});

describe("successive halving", () => {
  const halve = async (honest: boolean) => {
    let spent = 0;
    const { all, known } = await successiveHalving([...goals.keys()], {
      rungs: 3,
      measure: async (i, rung) => {
        spent += 3 ** rung;
        return seen(i, rung, honest);
      },
    });
    return { all, known, spent, whole: N * (1 + 3 + 9) };
  };
  test("takes a small part of the whole work, and keeps a third at each rung", async () => {
    const { all, spent, whole } = await halve(true);
    expect(spent).toBeLessThan(0.5 * whole);
    const ended = all.filter((h) => h.ended).length;
    expect(ended).toBeGreaterThanOrEqual(3);
    expect(ended).toBeLessThanOrEqual(3 + 5);
  });
  test("where the pilot's ranks change, takes all of it", async () => {
    const { all, spent, whole, known } = await halve(false);
    expect(known.some(allowsStop)).toBe(false);
    expect(all.every((h) => h.ended)).toBe(true);
    expect(spent).toBe(whole);
  });
});

test("a stopped trial counts for samplers as it would likely have ended", () => {
  const done = (number: number, early: number, late: number): Trial => ({
    ...{ number, values: {}, state: "complete" as const },
    ...{ rungs: [[early]], objectives: [late] },
  });
  const pruned: Trial = { number: 3, values: {}, state: "pruned", rungs: [[5]], objectives: [5] };
  const trials = [done(0, 4, 2), done(1, 3, 2), done(2, 6, 3), pruned];
  expect(projected(trials)[3]).toMatchObject({ state: "complete", objectives: [3] });
  expect(projected([pruned])).toEqual([pruned]);
});
