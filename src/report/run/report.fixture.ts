/** A report of a run in every part. */
import { exactly, type Measured } from "../../metrics/metric.ts";
import { figuresOf } from "../../search/figures.ts";
import { causalLm } from "../../tasks/causalLm.ts";
import type { Report, ReportCandidate } from "./report.ts";

/** Half the width of intervals: of what the start loses, none. */
const margins: Readonly<Record<string, (value: number) => number>> = {
  bitsPerByte: () => 0.021,
  lost: (value) => (value === 0 ? 0 : 0.004 + 0.02 * Math.abs(value)),
  "node-cpu/p50Ms": (value) => 0.02 * value,
  "node-cpu/p95Ms": (value) => 0.05 * value,
};

const measuredAs = (name: string, value: number): Measured => {
  const margin = margins[name]?.(value) ?? 0;
  return margin === 0 ? exactly(value) : { value, low: value - margin, high: value + margin, n: 400 };
};

const candidate = (
  base: string,
  dtype: ReportCandidate["dtype"],
  figures: readonly [layers: number, params: number, mb: number, bits: number, p50: number],
  onFront: boolean,
): ReportCandidate => {
  const [layers, params, mb, quality, p50Ms] = figures;
  const measured = {
    bitsPerByte: quality,
    lost: quality - 2.2841,
    kept: 2.2841 / quality,
    sizeBytes: mb * 1e6,
    "node-cpu/p50Ms": p50Ms,
    "node-cpu/p95Ms": p50Ms * 1.31,
    "node-cpu/prefillTokensPerSec": 21_000 / p50Ms,
    "node-cpu/memoryBytes": 3e6 + mb * 2.4e6,
  };
  const all = Object.entries(measured).map(([name, value]) => [name, measuredAs(name, value)]);
  return { name: `${base} ${dtype}`, base, dtype, layers, params, onFront, figures: Object.fromEntries(all) };
};

export const candidates = [
  candidate("whole", "fp32", [4, 1_066_000, 4.31, 2.2841, 0.731], true),
  candidate("whole", "q8", [4, 1_066_000, 1.142, 2.2853, 0.802], true),
  candidate("whole", "q4", [4, 1_066_000, 0.771, 2.3612, 0.851], false),
  candidate("2-layer cut", "fp32", [2, 669_000, 2.72, 3.4123, 0.415], true),
  candidate("2-layer taught", "fp32", [2, 669_000, 2.72, 2.3417, 0.421], true),
  candidate("2-layer taught", "q8", [2, 669_000, 0.742, 2.3431, 0.463], true),
  candidate("2-layer taught", "q4", [2, 669_000, 0.451, 2.3894, 0.482], true),
];

export const decay = (steps: number, every: number, from: number, to: number, wiggle: number) =>
  Array.from({ length: Math.floor(steps / every) + 1 }, (_, i): [number, number] => {
    const step = i * every;
    return [step, to + (from - to) * Math.exp((-5 * step) / steps) + wiggle * Math.sin(step * 12.9898)];
  });

export const evil = '<script src="https://evil.example/x.js">alert(1)</script>';

export const fixture: Report = {
  title: "anneal report",
  chosen: "2-layer taught q8",
  rule: "smallest file within the loss allowed",
  met: true,
  exceeded: [],
  budget: [
    { figure: "sizeBytes", most: 1e6 },
    { figure: "lost", most: 0.1 },
  ],
  figures: figuresOf({ task: causalLm, does: "generates", targets: ["node-cpu"] }),
  pipeline: "text-generation",
  candidates,
  curves: [
    { name: "whole", train: decay(640, 10, 7.63, 3.6, 0.12), validation: decay(640, 160, 7.63, 3.74, 0) },
    { name: "taught", train: decay(300, 10, 4.4, 3.7, 0.1), validation: decay(300, 100, 5.6, 3.83, 0) },
  ],
  data: {
    stages: [
      {
        name: "clean",
        docsIn: 2154,
        docsOut: 2101,
        bytesIn: 4_921_233,
        bytesOut: 4_871_022,
        reasons: [{ reason: "empty", count: 53, examples: [{ id: "notes/a.md:3", excerpt: "" }] }],
      },
      {
        name: "exact duplicates",
        docsIn: 2101,
        docsOut: 1604,
        bytesIn: 4_871_022,
        bytesOut: 3_104_977,
        reasons: [
          {
            reason: "exact duplicate",
            count: 497,
            examples: [
              {
                id: "b/LICENSE.md:1",
                excerpt: "Permission is hereby granted, free of charge",
                matched: "a/LICENSE.md:1",
              },
              { id: "c/README.md:9", excerpt: `see ${evil} here\u0007\u202e`, matched: 'x"y' },
            ],
          },
        ],
      },
    ],
  },
  tokens: { train: 812_345, validation: 51_002, vocab: 2048, bytesPerToken: 3.61 },
  samples: [
    {
      name: "2-layer taught q8",
      prompt: "## Install\n\n",
      text: "Run `npm install` in the root of the package.\n\n- a list",
    },
    {
      name: "2-layer taught q8",
      prompt: "The function returns",
      text: " a promise that resolves to the\u0000 value </pre>",
    },
  ],
  parity: {
    format: 1,
    versions: {},
    machine: "Some CPU @ 2.40GHz, 2 cores, 8 GiB",
    targets: {
      "node-cpu": {
        status: "passed",
        dtypes: {
          fp32: parityOf(1.3e-5, 1, 1, 1),
          q8: parityOf(0.0612, 0.99994, 0.981, 0.9),
          q4: parityOf(1.42, 0.9962, 0.871, 0.3),
        },
      },
      "web-wasm": { status: "not checked", reason: "a | b", dtypes: {} },
    },
  },
  notes: ["int8 is not faster here: the matrices are small & few.", "distillation won back 95 % of it."],
  provenance: {
    command: "anneal quickstart --max-mb 1 --max-loss 0.1",
    seed: 1,
    versions: { anneal: "0.1.0", "onnxruntime-node": "1.30.0", node: "20.20.0" },
    machine: "Some CPU @ 2.40GHz, 2 cores, 8 GiB",
    hashes: {
      "config.json": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
      "onnx/model_quantized.onnx": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    },
    createdBy: "anneal 0.1.0",
  },
};

function parityOf(maxLogitDiff: number, cosine: number, topTokenAgreement: number, greedyAgreement: number) {
  const firstTokenAgreement = topTokenAgreement;
  return {
    status: "passed" as const,
    maxLogitDiff,
    cosine,
    topTokenAgreement,
    firstTokenAgreement,
    greedyAgreement,
    prompts: 10,
    tokens: 32,
  };
}
