/** What later processes measure, on a machine whose speed drifts, and on which processes differ. */
import { expect, test } from "vitest";
import { exactly, type Figures } from "../../metrics/metric.ts";
import { rng } from "../../util/rng.ts";
import { type Repeated, ratiosOf, type Turn, withAgain } from "./again.ts";
import type { MeasuredCandidate } from "./candidate.ts";

const P50 = "node-cpu/p50Ms";
const random = rng(5, "again");

/** A machine that is faster or slower by some share for a while. */
const machine = (drift: number, apart: number) => {
  let now = 0;
  return {
    wait: (): void => {
      now = drift * random.normal();
    },
    time: (ms: number): Figures => ({ [P50]: exactly(ms * Math.exp(now + apart * random.normal())) }),
  };
};

const of = (name: string, figures: Figures): MeasuredCandidate => ({
  ...{ number: 0, name, values: {}, base: name, dtype: "fp32", layers: 1, params: 1, score: 1 },
  ...{ figures: { ...figures, sizeBytes: exactly(5) }, lineage: [] },
});

/** A search: the start, two that were measured once, one of which is chosen and measured in turns. */
const searched = (drift: number, apart: number) => {
  const at = machine(drift, apart);
  const measured = [of("start", at.time(4))];
  const between = Array.from({ length: 10 }, () => {
    at.wait();
    return at.time(4);
  });
  at.wait();
  measured.push(of("chosen", at.time(1)), of("other", at.time(1)));
  at.wait();
  const turns = Array.from({ length: 6 }, (): Turn => [at.time(4), at.time(1)]);
  const repeated: Repeated = { between, turns: new Map([["chosen", turns]]) };
  return { at, measured, repeated, candidates: withAgain(measured, repeated) };
};

test.each([
  [0.1, 0.03],
  [0.02, 0.1],
])("ten later processes lie in what is reported (a drift of %f, processes apart by %f)", (drift, apart) => {
  let all = 0;
  const rounds = 400;
  for (let round = 0; round < rounds; round++) {
    const { at, candidates } = searched(drift, apart);
    at.wait();
    const { low, high } = candidates[1]!.figures[P50]!;
    const later = Array.from({ length: 10 }, () => at.time(1)[P50]!.value);
    if (later.every((ms) => low <= ms && ms <= high)) all++;
  }
  expect(all / rounds).toBeGreaterThan(0.94);
});

test("two are compared by less than that: in turns by far, measured once by what times lie apart", () => {
  const { measured, repeated, candidates } = searched(0.1, 0.02);
  const ratioOf = ratiosOf(measured, repeated);
  const width = ({ low, high }: { low: number; high: number }) => Math.log(high / low);
  const [start, chosen] = candidates.map(({ figures }) => figures[P50]!);
  const ratio = ratioOf("chosen", "start", P50)!;
  expect(ratio.low).toBeLessThan(0.25);
  expect(ratio.high).toBeGreaterThan(0.25);
  expect(ratio.value).toBeCloseTo(chosen!.value / start!.value, 10);
  expect(width(ratio)).toBeLessThan(width(chosen!) / 5);
  const once = ratioOf("other", "start", P50)!;
  expect(width(once)).toBeGreaterThan(2 * width(ratio));
  expect(width(once)).toBeLessThan(width(candidates[2]!.figures[P50]!));
  // What is not timed has no ratio of its own; where nothing was measured again what was measured once stands.
  expect(ratioOf("chosen", "start", "sizeBytes")).toBeUndefined();
  const none: Repeated = { between: [], turns: new Map() };
  expect(withAgain(measured, none)).toEqual(measured);
  expect(ratiosOf(measured, none)("chosen", "start", P50)).toBeUndefined();
});
