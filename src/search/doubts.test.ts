import { describe, expect, test } from "vitest";
import { exactly } from "../metrics/metric.ts";
import { causalLm } from "../tasks/causalLm.ts";
import { doubtNotes, doubtsOf, limitNotes } from "./doubts.ts";
import { type Budget, choose, figuresOf } from "./index.ts";

const figures = figuresOf({ task: causalLm, does: "generates", targets: ["node-cpu"] });
const under4: Budget = [{ figure: "sizeBytes", most: 4e6 }];

const N = 400;
/** Losses of mean `nats` whose difference from those of another phase has a spread of about `noise`. */
const losses = (nats: number, noise: number, phase: number) =>
  Float32Array.from({ length: N }, (_, i) => nats + noise * Math.SQRT2 * Math.sin(1.7 * i + phase));

interface Form {
  readonly nats: number;
  readonly mb: number;
  readonly noise?: number;
  readonly fault?: string;
}

const decide = (forms: Readonly<Record<string, Form>>, budget: Budget) => {
  const all = Object.entries(forms);
  const candidates = all.map(([name, { nats, mb, fault }]) => ({
    name,
    figures: {
      bitsPerByte: exactly(nats / 2),
      lost: exactly((nats - all[0]![1].nats) / 2),
      sizeBytes: exactly(mb * 1e6),
      "node-cpu/p50Ms": exactly(1),
    },
    ...(fault === undefined ? {} : { fault }),
  }));
  const measured = new Map(all.map(([name, { nats, noise = 0 }], i) => [name, losses(nats, noise, i)]));
  const choice = choose(candidates, { budget, figures });
  const doubts = doubtsOf({ candidates, losses: measured, choice, budget, figures, scale: 0.5 });
  return { chosen: choice.chosen.name, doubtful: doubts.map(({ candidate }) => candidate), doubts };
};

describe("under a limit on size", () => {
  const forms = { fp32: { nats: 3, mb: 9 }, q8: { nats: 3.01, mb: 3 }, q4: { nats: 3.02, mb: 2 } };

  test("a rival within two standard errors is in doubt", () => {
    const noisy = { ...forms, q4: { ...forms.q4, noise: 0.5 } };
    expect(decide(noisy, under4)).toMatchObject({ chosen: "q8", doubtful: ["q4"] });
  });

  test("one that is certainly worse, too large or faulty is not", () => {
    expect(decide(forms, under4)).toMatchObject({ chosen: "q8", doubtful: [] });
    const noisy = { ...forms, fp32: { ...forms.fp32, noise: 0.5 } };
    expect(decide(noisy, under4).doubtful).toEqual([]);
    const faulty = { ...forms, q4: { ...forms.q4, noise: 0.5, fault: "off" } };
    expect(decide(faulty, under4).doubtful).toEqual([]);
  });
});

describe("under a limit on the loss alone", () => {
  test("the chosen one that may exceed it is in doubt, and a smaller one that may keep it", () => {
    // 0.1 bits per byte are 0.2 nats per token here.
    const forms = {
      fp32: { nats: 3, mb: 9 },
      q8: { nats: 3.19, mb: 3, noise: 0.5 },
      q4: { nats: 3.21, mb: 2, noise: 0.5 },
    };
    const { chosen, doubtful, doubts } = decide(forms, [{ figure: "lost", most: 0.1 }]);
    expect({ chosen, doubtful }).toEqual({ chosen: "q8", doubtful: ["q8", "q4"] });
    expect(doubts[0]).toMatchObject({ against: "fp32", limit: expect.closeTo(0.2, 12), n: N });
  });

  test("a larger one that may not keep it decides nothing, nor does what is far from it", () => {
    const forms = {
      fp32: { nats: 3, mb: 9 },
      other: { nats: 3.21, mb: 8, noise: 0.5 },
      q8: { nats: 3.05, mb: 3, noise: 0.5 },
    };
    expect(decide(forms, [{ figure: "lost", most: 0.1 }])).toMatchObject({ chosen: "q8", doubtful: [] });
  });

  test("where nothing meets it, one that may is in doubt", () => {
    const forms = { fp32: { nats: 3, mb: 9 }, q8: { nats: 3.004, mb: 3, noise: 0.5 } };
    expect(decide(forms, [...under4, { figure: "lost", most: 0.001 }])).toMatchObject({
      chosen: "q8",
      doubtful: ["q8"],
    });
  });
});

test("the remark names tokens, difference, noise and the way out; none where all is certain", () => {
  const units = { unit: "nats per token", example: "token" };
  const doubt = { candidate: "q4", against: "q8", mean: 0.01, standardError: 0.02, n: 395 };
  expect(doubtNotes([doubt], units)).toEqual([
    "The choice is within the noise: 395 held-out tokens do not decide it " +
      "(q4 differs from q8 by 0.0100 \u00b1 0.0400 nats per token; about 6\u202f320 would tell). More held-out text would.",
  ]);
  const one = { ...doubt, standardError: Number.POSITIVE_INFINITY, n: 1, limit: 0.2 };
  expect(doubtNotes([one], units)[0]).toMatch(
    /1 held-out token does not.*unknown.*at most 0\.2000 is allowed/,
  );
  expect(doubtNotes([], units)).toEqual([]);
});

test("a limit that the next process may break is told, and how many processes would tell", () => {
  const figures = figuresOf({ task: causalLm, does: "generates", targets: ["node-cpu"] });
  const timed = (low: number, value: number, high: number, n: number) => {
    const chosen = { name: "q8", figures: { "node-cpu/p50Ms": { value, low, high, n } } };
    const choice = { chosen, met: true, rule: "", exceeded: [] };
    const budget = [{ figure: "p50Ms", most: 1.5 }];
    return limitNotes({ candidates: [chosen], choice, budget, figures });
  };
  expect(timed(1.2, 1.45, 1.7, 6)).toEqual([
    "p50 of q8 is 1.45 ms/token in 6 processes, and in the next ten 1.20 to 1.70: " +
      "the limit of 1.50 lies within; about 15 would tell where the median is.",
  ]);
  for (const value of [1.3, 1.5]) expect(timed(1.2, value, 1.8, 6)[0]).toMatch(/lies within\.$/);
  expect([...timed(1.2, 1.3, 1.4, 6), ...timed(1.2, 1.4, 1.6, 1)]).toEqual([]);
});
