import { describe, expect, test } from "vitest";
import { exactly, type Measured } from "../../metrics/metric.ts";
import { causalLm } from "../../tasks/causalLm.ts";
import { type Budget, figuresOf } from "../figures.ts";
import { differenceOf, less, quotient } from "./difference.ts";
import { pickLines, picksOf } from "./picks.ts";

const figures = figuresOf({ task: causalLm, does: "generates", targets: ["node-cpu"] });

const about = (value: number, margin: number): Measured => ({
  ...{ value, low: value - margin, high: value + margin },
  n: 100,
});

interface Form {
  readonly bits: number;
  readonly mb: number;
  readonly ms: number;
  readonly fault?: string;
}

const START = 2;
const candidate = (name: string, { bits, mb, ms, fault }: Form) => ({
  name,
  figures: {
    bitsPerByte: about(bits, 0.05),
    lost: bits === START ? exactly(0) : about(bits - START, 0.01),
    kept: exactly(START / bits),
    sizeBytes: exactly(mb * 1e6),
    "node-cpu/p50Ms": about(ms, 0.02),
  },
  ...(fault === undefined ? {} : { fault }),
});

const forms: Readonly<Record<string, Form>> = {
  "full fp32": { bits: START, mb: 4, ms: 0.8 },
  "full q8": { bits: 2.004, mb: 1.1, ms: 0.81 },
  "small fp32": { bits: 2.1, mb: 2.4, ms: 0.41 },
  "small q8": { bits: 2.11, mb: 0.7, ms: 0.42 },
  "small q4": { bits: 1.5, mb: 0.4, ms: 0.1, fault: "it computes something else" },
};
const candidates = Object.entries(forms).map(([name, form]) => candidate(name, form));
const budget: Budget = [{ figure: "sizeBytes", most: 1.2e6 }];
const given = { candidates, chosen: "full q8", budget, figures };

describe("picksOf", () => {
  const picks = picksOf(given);
  const named = (as: (typeof picks)[number]["names"][number]) =>
    picks.find(({ names }) => names.includes(as))!;

  test("names the smallest, fastest and best of the sound ones, and the chosen one first", () => {
    expect(picks.map(({ names, candidate: { name } }) => [names.join(), name])).toEqual([
      ["chosen,best", "full q8"],
      ["smallest", "small q8"],
      ["fastest", "small fp32"],
    ]);
    expect(picks.map(({ against }) => against.length)).toEqual([2, 2, 2]);
  });

  test("of those that are not told apart, takes the smaller; says what of the budget one exceeds", () => {
    expect(named("best")).toMatchObject({ candidate: { name: "full q8" }, level: ["full fp32"] });
    expect(named("fastest")).toMatchObject({ exceeded: ["size 2.40 MB (limit 1.2)"], level: ["small q8"] });
    expect(named("smallest")).toMatchObject({ exceeded: [], level: [] });
  });

  test("tells what is better, worse and within noise against each other", () => {
    const against = named("fastest").against.find(({ candidate: name }) => name === "small q8")!;
    expect(against.differences.map(({ figure, standing }) => [figure, standing])).toEqual([
      ["lost", "within noise"],
      ["sizeBytes", "worse"],
      ["node-cpu/p50Ms", "within noise"],
    ]);
    expect(pickLines(picks, figures)).toEqual([
      "smallest (small q8): gains 0.636x the size, 0.519x the p50; " +
        "gives up 0.1060 \u00b1 0.0141 bits per byte more lost",
      "fastest (small fp32): gains 0.506x the p50; gives up 0.0960 \u00b1 0.0141 bits per byte more lost, " +
        "2.18x the size; not told from small q8 in that; beyond the budget: size 2.40 MB (limit 1.2)",
    ]);
  });

  test("losses in pairs tell apart what intervals do not", () => {
    // Where one is hard the other is too: the pairs differ by 0.004 to a hundredth of their spread.
    const hard = Float32Array.from({ length: 400 }, (_, i) => 2 + Math.sin(1.7 * i));
    const losses = new Map([
      ["full fp32", hard],
      ["full q8", hard.map((x, i) => x + 0.004 + 1e-4 * Math.cos(i))],
    ]);
    const paired = picksOf({ ...given, losses, scale: 1 });
    const best = paired.find(({ names }) => names.includes("best"))!;
    expect(best).toMatchObject({ candidate: { name: "full fp32" }, level: [] });
    const beside = best.against.find(({ names }) => names.includes("chosen"))!;
    expect(beside.differences[0]).toMatchObject({ figure: "lost", standing: "better" });
  });

  test("one that has every name stands once, and none where nothing is sound", () => {
    const [only] = candidates;
    expect(picksOf({ ...given, candidates: [only!], chosen: only!.name })).toMatchObject([
      { names: ["chosen", "smallest", "fastest", "best"], against: [] },
    ]);
    expect(picksOf({ ...given, candidates: [candidates[4]!] })).toEqual([]);
    expect(picksOf({ ...given, candidates: [] })).toEqual([]);
  });
});

test("differences hold the truth in 95 of 100 samples", () => {
  let seed = 7;
  const uniform = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  let [held, ratios] = [0, 0];
  const trials = 2000;
  for (let i = 0; i < trials; i++) {
    const a = about(5 + normal() * 0.3, 1.96 * 0.3);
    const b = about(4 + normal() * 0.1, 1.96 * 0.1);
    const [d, q] = [less(a, b), quotient(a, b)!];
    held += Number(d.low <= 1 && 1 <= d.high);
    ratios += Number(q.low <= 1.25 && 1.25 <= q.high);
  }
  expect(held / trials).toBeCloseTo(0.95, 1.7);
  expect(ratios / trials).toBeCloseTo(0.95, 1.7);
});

test("what was measured once is told from nothing, what is known for certain from everything", () => {
  const size = figures.find(({ name }) => name === "sizeBytes")!;
  const of = (sizeBytes: Measured) => ({ figures: { sizeBytes } });
  const unsure = { value: 5, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, n: 1 };
  expect(differenceOf([of(unsure), of(exactly(1))], size)?.standing).toBe("within noise");
  expect(differenceOf([of(exactly(5)), of(exactly(5))], size)?.standing).toBe("same");
  expect(differenceOf([of(exactly(4)), of(exactly(5))], size)?.standing).toBe("better");
  expect(differenceOf([of(exactly(0)), of(exactly(5))], size)?.standing).toBe("better");
  expect(differenceOf([{ figures: {} }, of(exactly(5))], size)).toBeUndefined();
});
