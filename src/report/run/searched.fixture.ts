/** The report of a search: many candidates, where the others ended, what decided, what the winner says. */
import { exactly } from "../../metrics/metric.ts";
import { categorical, integer, type Space, type Values } from "../../search/space/space.ts";
import { type Ended, funnelOf } from "./funnel.ts";
import { evil, fixture } from "./report.fixture.ts";
import type { Report, ReportCandidate } from "./report.ts";

const space: Space = {
  layers: integer(2, 6),
  neurons: categorical([1, 0.75, 0.5], { ordered: true }),
  steps: categorical([0, 300], {
    ordered: true,
    when: ({ layers, neurons }) => layers !== 6 || neurons !== 1,
  }),
  dtype: categorical(["fp32", "q8", "q4"]),
};

const bytes = { fp32: 4, q8: 1.08, q4: 0.63 } as const;
const rounding = { fp32: 0, q8: 0.002, q4: 0.061 } as const;

const candidateAt = (values: Values, number: number): ReportCandidate => {
  const {
    layers,
    neurons,
    dtype,
    steps = 0,
  } = values as {
    layers: number;
    neurons: number;
    dtype: keyof typeof bytes;
    steps?: number;
  };
  const share = (layers / 6) * (0.4 + 0.6 * neurons);
  const cut = 1 - share;
  const wave = 0.03 * Math.sin(5.1 * number);
  const lost = number === 0 ? 0 : (steps > 0 ? 0.25 : 1.9) * cut ** 1.6 + rounding[dtype] + wave * cut;
  const mb = (0.4 + 3.9 * share) * (bytes[dtype] / 4);
  const ms = (0.11 + 0.62 * share) * (1 + 0.08 * Math.sin(3 * number)) * (dtype === "fp32" ? 1 : 1.07);
  const name = `${layers === 6 ? "" : `${layers}-layer `}${neurons === 1 ? "" : `${100 * neurons}%-neuron `}${
    cut === 0 ? "full" : steps > 0 ? "distilled" : "pruned"
  } ${dtype}`;
  const about = (value: number, margin: number) => ({
    value,
    low: value - margin,
    high: value + margin,
    n: 400,
  });
  return {
    ...{ name, base: name.replace(/ \S+$/, ""), dtype, layers, params: Math.round(1_066_000 * share) },
    ...{ number, values, onFront: false },
    figures: {
      bitsPerByte: about(2.2841 + lost, 0.021),
      lost: number === 0 ? exactly(0) : about(lost, 0.004 + 0.03 * Math.abs(lost)),
      kept: exactly(2.2841 / (2.2841 + lost)),
      sizeBytes: exactly(mb * 1e6),
      "node-cpu/p50Ms": about(ms, 0.02 * ms),
      "node-cpu/p95Ms": about(1.3 * ms, 0.05 * ms),
      "node-cpu/prefillTokensPerSec": exactly(21_000 / ms),
      "node-cpu/memoryBytes": exactly(3e6 + mb * 2.4e6),
    },
    lineage: [
      ...(layers === 6 ? [] : [{ name: "dropLayers", options: { keep: layers } }]),
      ...(neurons === 1 ? [] : [{ name: "keepUnits", options: { kind: "neurons", share: neurons } }]),
      ...(steps === 0 ? [] : [{ name: "distill", options: { alpha: 0.9, temperature: 1, steps } }]),
      ...(dtype === "fp32" ? [] : [{ name: "quantize", options: { bits: Number(dtype[1]), block: 32 } }]),
    ],
    command: `npx anneal export out/trial-${number} --out point`,
  };
};

const configurations: readonly Values[] = [
  ...["fp32", "q8", "q4"].map((dtype) => ({ layers: 6, neurons: 1, dtype })),
  ...[4, 3, 2].flatMap((layers) =>
    [1, 0.5].flatMap((neurons) => [
      { layers, neurons, steps: 0, dtype: "fp32" },
      ...["fp32", "q8", "q4"].map((dtype) => ({ layers, neurons, steps: 300, dtype })),
    ]),
  ),
];

const all = configurations.map(candidateAt);
const costs = (c: ReportCandidate): number[] =>
  ["lost", "sizeBytes", "node-cpu/p50Ms"].map((name) => c.figures[name]!.value);
const beats = (a: number[], b: number[]): boolean =>
  a.every((x, i) => x <= b[i]!) && a.some((x, i) => x < b[i]!);
const candidates = all.map((c) => ({ ...c, onFront: !all.some((o) => beats(costs(o), costs(c))) }));

const ended: readonly Ended<"size" | "speed" | "rung" | "failed" | "measured">[] = [
  ...Array.from({ length: 31 }, (_, i) => ({
    ...{ name: `${3 + (i % 3)}-layer distilled fp32`, stage: "size" as const, seconds: 0.01 },
    why: `size foretold as ${(1.1 + i / 20).toFixed(2)} MB, of 1.00`,
  })),
  ...Array.from({ length: 6 }, (_, i) => ({
    ...{ name: `6-layer 75%-neuron q${i}`, stage: "speed" as const, seconds: 1.2 },
    why: `p50 foretold as ${(0.7 + i / 50).toFixed(3)} ms/token, of 0.6`,
  })),
  ...Array.from({ length: 4 }, (_, i) => ({
    ...{ name: `2-layer 50%-neuron lr ${i}`, stage: "rung" as const, seconds: 9 },
    why: "its loss after 33 updates is beyond the best third",
  })),
  { name: "5-layer distilled q4", stage: "failed", seconds: 3, why: evil },
  ...candidates.map(({ name }) => ({ name, stage: "measured" as const, seconds: 31 })),
];

/** A report in which everything that a search tells is told. */
export const searched: Report = {
  ...fixture,
  ...{ candidates, chosen: "3-layer distilled q8", title: "anneal report" },
  search: {
    space,
    importance: [
      ["layers", 0.52],
      ["steps", 0.31],
      ["dtype", 0.12],
      ["neurons", 0.05],
    ],
    funnel: funnelOf(ended, {
      size: "size, foretold",
      speed: "speed, of the shape alone",
      rung: "stopped while it learnt",
      failed: "failed",
      measured: "measured whole",
    }),
  },
  beside: {
    ...{ records: 872, differ: 14, onlyFirst: 8, onlySecond: 5 },
    examples: [
      {
        ...{ id: "reviews.csv:12", input: "not a bad film, in the end", reference: "positive" },
        ...{ first: "positive", second: "negative" },
      },
      {
        id: "reviews.csv:90",
        input: `${evil} wins`,
        reference: "negative",
        first: "positive",
        second: "negative",
      },
    ],
  },
};
