/** A search of a space: what is foretold, what is refused, what is kept, what ends early. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { calibrationBatches } from "../../compress/calibration/batches.ts";
import { derived } from "../../compress/pass.ts";
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import type { TrialRecord } from "../../search/candidates/candidate.ts";
import { type Optimized, optimize } from "../../search/candidates/optimize.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { cuttableOf, fullSpace } from "../../search/candidates/space.ts";
import { measuredValue, SIZE } from "../../search/figures.ts";
import { categorical } from "../../search/space/space.ts";
import { judgeOn } from "./judge.ts";
import { corpus, modelOf, optionsOf, tokens } from "./optimize.fixture.ts";
import { openStore } from "./store.ts";
import { searchTold } from "./told.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-search-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let engine: Engine;
const whole = modelOf(1, 4);
const texts = [Array.from(tokens)];
const space = fullSpace({ ...cuttableOf(whole), steps: 2, fits: true });
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const context = (signal?: AbortSignal) => ({
  ...{ engine, seed: 3, calibration: texts, log: () => {} },
  ...(signal ? { signal } : {}),
});

const search = (more: Partial<OptimizeOptions> = {}, signal?: AbortSignal): Promise<Optimized> =>
  optimize(
    whole,
    {
      ...optionsOf(
        [
          { figure: SIZE, most: 150_000 },
          { figure: "lost", most: 100 },
        ],
        judgeOn(engine, corpus),
      ),
      ...{ space, sampler: "grid", trials: 1, spares: true },
      batches: calibrationBatches(whole, texts, 64),
      ...more,
    },
    context(signal),
  );

const told = (records: readonly TrialRecord[]) =>
  records.map(({ seconds: _, candidate, parity, ...record }) => ({
    ...{ ...record, score: candidate?.score, sha256: parity?.sha256 },
  }));

describe("a search of depths, widths and forms", () => {
  let found: Optimized;
  beforeAll(async () => {
    found = await search();
  }, 60_000);

  test("begins with the model as it is, in every form, and makes as many smaller ones as it may", () => {
    expect(found.candidates[0]).toMatchObject({ number: 0, name: "full fp32", base: "full" });
    const bases = new Set(found.records.flatMap(({ candidate }) => (candidate ? [candidate.base] : [])));
    const smaller = [...bases].filter((name) => !/^full( |$)/.test(name));
    expect(new Set(smaller.map((name) => name.replace(/ (gptq|fitted)$/, ""))).size).toBe(1);
    expect(new Set(found.records.map(({ number }) => number)).size).toBe(found.records.length);
  });

  test("makes nothing that is too large for the limit, and says what it would have been", () => {
    const refused = found.records.filter(({ why = "" }) => why.startsWith("size foretold"));
    expect(refused.length).toBeGreaterThan(0);
    for (const { foretold, why, candidate, seconds } of refused) {
      expect(foretold![SIZE]!).toBeGreaterThan(1.03 * 150_000);
      expect(why).toMatch(/^size foretold as \d/);
      expect(candidate).toBeUndefined();
      expect(seconds).toBeLessThan(5);
    }
  });

  test("of the start measures no form that is too large, but for the smallest; fits nothing in vain", async () => {
    const sizeOf = (name: string) => measuredValue(found.candidates.find((c) => c.name === name)!, SIZE);
    const most = 0.8 * sizeOf("full q4");
    const begun = new Set<string>();
    const onForm = (name: string): void => void begun.add(name);
    const budget = [
      { figure: SIZE, most },
      { figure: "lost", most: 100 },
    ];
    const scored: (readonly [number, number])[] = [];
    const onScored = (done: number, of: number): void => void scored.push([done, of]);
    const { records } = await search({ budget, onForm, onScored });
    const measured = records.filter(({ stage }) => stage === "measured").length;
    expect(scored.filter(([done]) => done === 1)).toHaveLength(measured);
    expect(scored.filter(([done, of]) => done === of)).toHaveLength(measured);
    const of = (name: string) => records.find((r) => r.name === name)!;
    for (const name of ["full q8", "full gptq q4"]) {
      expect(of(name)).toMatchObject({ stage: "size" });
      expect(of(name).why).toMatch(/^size is [\d.]+ MB, of [\d.]+$/);
    }
    expect(of("full q4").stage).toBe("measured");
    const smaller = records.filter(({ values }) => values.layers !== 4 || values.neurons !== 1);
    expect(smaller.every(({ foretold }) => foretold?.[SIZE] !== undefined || !foretold)).toBe(true);
    const vain = smaller.filter(({ why = "" }) => /^size even with [48] bits in all matrices/.test(why));
    expect(vain.length).toBeGreaterThan(0);
    for (const { name, values } of vain) {
      expect(values.rounding).toBe("fitted");
      expect(begun.has(name)).toBe(false);
    }
  }, 60_000);

  test("foretells sizes; which matrices keep 8 bits, the start says, and models this small differ", () => {
    const pairs = found.records.flatMap(({ foretold, candidate }) => {
      const size = foretold?.[SIZE];
      if (size === undefined || candidate === undefined || candidate.values.rounding === "fitted") return [];
      return [[size, measuredValue(candidate, SIZE)] as const];
    });
    expect(pairs.length).toBeGreaterThan(1);
    for (const [size, real] of pairs) expect(Math.abs(size / real - 1)).toBeLessThan(0.05);
  });

  test("names its picks by losses in pairs, and tells where configurations ended", () => {
    const { picks, losses, candidates, choice } = found;
    expect(picks[0]!.candidate).toBe(choice.chosen);
    expect(picks.flatMap(({ names }) => names).toSorted()).toEqual(["best", "chosen", "fastest", "smallest"]);
    expect([...losses.keys()]).toEqual(candidates.map(({ name }) => name));
    const { funnel, space: told } = searchTold(found);
    expect(told).toBe(space);
    expect(funnel.stages.map(({ ended }) => ended).reduce((a, b) => a + b)).toBe(
      found.records.length - candidates.length,
    );
    expect(funnel.stages[0]!.reasons.map(({ why }) => why).join("; ")).toContain("size foretold as");
  });

  test("each candidate has the passes that made it, and its graph's hash", () => {
    for (const { lineage, base, dtype, values } of found.candidates) {
      const names = lineage.map(({ name }) => name);
      expect(names.includes("distill")).toBe(Number(values.steps ?? 0) > 0);
      expect(names.includes("keepUnits")).toBe((values.neurons ?? 1) !== 1);
      expect(names.includes("quantize")).toBe(dtype !== "fp32");
      expect(found.parity.get(base)![dtype]!.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test("killed in the midst of a model's forms, again and again, ends as if it had not been", async () => {
    const identity = { model: "whole" };
    const store = (resume: boolean) =>
      openStore({ run: join(dir, "killed"), identity, resume, whole, onWarning: () => {} });
    let [kills, went]: [number, Optimized | undefined] = [0, undefined];
    while (went === undefined) {
      const kill = new AbortController();
      let seen = 0;
      // While its first form is made, while its second is: some are measured then, some refused, some neither.
      const onForm = (_: string, at: string): void => {
        if (at === "judged" && ++seen > kills % 2) kill.abort(new Error("killed"));
      };
      went = await search({ keeping: await store(kills > 0), onForm }, kill.signal).catch((error) => {
        expect(error.message).toBe("killed");
        kills++;
        return undefined;
      });
    }
    expect(kills).toBeGreaterThan(3);
    expect(told(went.records)).toEqual(told(found.records));
    expect(went.choice.chosen.name).toBe(found.choice.chosen.name);
    expect(went.doubts.map(({ candidate }) => candidate)).toEqual(found.doubts.map((d) => d.candidate));
    // What was made by the first process is there to be delivered, with the very bits that were measured.
    const base = await went.base(went.choice.chosen.base);
    const { dtype } = went.choice.chosen;
    const again = await judgeOn(engine, corpus)(base, [dtype]);
    expect(again[dtype]!.sha256).toBe(found.parity.get(found.choice.chosen.base)![dtype]!.sha256);
  }, 60_000);

  test("another search in the folder is told apart, and made anew", async () => {
    const lines: string[] = [];
    const onWarning = (text: string) => lines.push(text);
    const run = join(dir, "killed");
    const kept = await openStore({ run, identity: { model: "other" }, resume: true, whole, onWarning });
    expect(kept.earlier).toEqual([]);
    expect(lines[0]).toContain("differs in model");
  });
});

test("where the time is over the best so far is the result", async () => {
  const over = new AbortController();
  const found = await search({
    trials: 50,
    until: over.signal,
    onCandidate: ({ base }) => {
      if (base !== "full") over.abort();
    },
  });
  const bases = new Set(found.candidates.map(({ base }) => base.replace(/ (gptq|fitted)$/, "")));
  expect(bases.size).toBeLessThanOrEqual(2);
  expect(found.choice.chosen.fault).toBeUndefined();
}, 60_000);

test("a search of few trials begins with the mildest cuts, untaught, in every form that loses no more", async () => {
  const budget = [{ figure: "kept", least: 2 }];
  const found = await search({
    sampler: "bayes",
    trials: 2,
    budget,
    space: { ...space, steps: categorical([0]) },
  });
  const smaller = found.records.filter(({ values }) => values.layers !== 4 || values.neurons !== 1);
  const [first, second] = ["75%-neuron pruned", "3-layer by-influence pruned"];
  expect(smaller.map(({ name, stage }) => [name, stage])).toEqual(
    [first, second].flatMap((base) => [
      [`${base} fp32`, "measured"],
      ...["q8", "q4", "gptq q4", "fitted q4"].map((form) => [`${base} ${form}`, "quality"]),
    ]),
  );
  expect(smaller[1]!.why).toBe(`${first} fp32 has more bits, and lost more than is allowed`);
}, 60_000);

test("other codes are not made for products that are beyond a limit on speed already", async () => {
  const budget = [
    { figure: SIZE, most: 150_000 },
    { figure: "p50Ms", most: 1e-9 },
  ];
  const { records } = await search({ budget, trials: 0 });
  const stages = Object.fromEntries(records.map(({ name, stage, why }) => [name, why ?? stage]));
  expect(stages).toMatchObject({
    "full q8": "measured",
    "full q4": "measured",
    "full gptq q4": expect.stringMatching(/^full q4 computes as much, beyond the limit on /),
    "full fitted q4": expect.stringMatching(/^full q4 and full q8 computes? as much, beyond the limit on /),
  });
}, 60_000);

test("what there is no time to teach is left for another day, and tried as it is", async () => {
  const store = () =>
    openStore({ run: join(dir, "late"), identity: {}, resume: true, whole, onWarning: () => {} });
  const long = { ...space, steps: categorical([0, 1e6]), layersBy: categorical(["spread"]) };
  const found = await search({
    ...{ sampler: "random", trials: 3, space: long, keeping: await store(), left: () => 60_000 },
    budget: [{ figure: "lost", most: 100 }],
  });
  const late = found.records.filter(({ stage }) => stage === "time");
  expect(late.length).toBeGreaterThan(0);
  for (const { why, values } of late) {
    expect(why).toMatch(/^teaching it would take about \d+ minutes more, longer than there is$/);
    expect(values.steps).toBe(1e6);
  }
  expect(found.candidates.some(({ values }) => values.steps === 0)).toBe(true);
  // Only the first was begun: the others are known to take as long.
  expect(late.filter(({ seconds }) => seconds > 0)).toHaveLength(1);
  const { earlier } = await store();
  expect(earlier.map(({ record }) => record.stage)).not.toContain("time");
}, 60_000);

test("a pass of one's own joins, and one that fails is noted while the search goes on", async () => {
  const own = {
    param: categorical(["none", "halved", "broken"]),
    pass: (value: string | number | boolean) =>
      value === "none"
        ? undefined
        : {
            ...{ name: "own", options: { value } },
            run: async (model: typeof whole) => {
              if (value === "broken") throw new Error("it does not go");
              return derived(model, { name: "own", options: { value } }, {});
            },
          },
  };
  const few = { layers: categorical([4]), own: own.param, dtype: categorical(["fp32"]) };
  const budget = [{ figure: "lost", most: 100 }];
  const found = await search({ space: few, budget, trials: 9, passes: { own } });
  expect(found.records.map(({ name, stage, why }) => [name, stage, why])).toEqual([
    ["full own none fp32", "measured", undefined],
    ["full own halved fp32", "measured", undefined],
    ["full own broken fp32", "failed", "it does not go"],
  ]);
  expect(found.candidates[1]!.lineage.at(-1)).toEqual({ name: "own", options: { value: "halved" } });
}, 60_000);
