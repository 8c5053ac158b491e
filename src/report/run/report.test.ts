import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { modelCard } from "./card.ts";
import { type Report, type ReportCandidate, reportHtml } from "./report.ts";

const candidate = (
  base: string,
  dtype: ReportCandidate["dtype"],
  figures: readonly [layers: number, params: number, mb: number, bits: number, p50: number],
  onFront: boolean,
): ReportCandidate => {
  const [layers, params, mb, quality, p50Ms] = figures;
  const speed = {
    p50Ms,
    p95Ms: p50Ms * 1.31,
    prefillTokensPerSec: 21_000 / p50Ms,
    memoryBytes: 3e6 + mb * 2.4e6,
  };
  const name = `${base} ${dtype}`;
  return {
    name,
    base,
    dtype,
    layers,
    params,
    sizeBytes: mb * 1e6,
    onFront,
    ...speed,
    ...{ quality, lost: quality - 2.2841 },
  };
};

const candidates = [
  candidate("whole", "fp32", [4, 1_066_000, 4.31, 2.2841, 0.731], true),
  candidate("whole", "q8", [4, 1_066_000, 1.142, 2.2853, 0.802], true),
  candidate("whole", "q4", [4, 1_066_000, 0.771, 2.3612, 0.851], false),
  candidate("2-layer cut", "fp32", [2, 669_000, 2.72, 3.4123, 0.415], true),
  candidate("2-layer taught", "fp32", [2, 669_000, 2.72, 2.3417, 0.421], true),
  candidate("2-layer taught", "q8", [2, 669_000, 0.742, 2.3431, 0.463], true),
  candidate("2-layer taught", "q4", [2, 669_000, 0.451, 2.3894, 0.482], true),
];

const decay = (steps: number, every: number, from: number, to: number, wiggle: number) =>
  Array.from({ length: Math.floor(steps / every) + 1 }, (_, i): [number, number] => {
    const step = i * every;
    return [step, to + (from - to) * Math.exp((-5 * step) / steps) + wiggle * Math.sin(step * 12.9898)];
  });

const evil = '<script src="https://evil.example/x.js">alert(1)</script>';

const fixture: Report = {
  title: "anneal report",
  chosen: "2-layer taught q8",
  rule: "smallest file within the loss allowed",
  met: true,
  exceeded: [],
  budget: { maxMb: 1, maxLoss: 0.1 },
  metric: { name: "bits per byte", better: "less", step: "token" },
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

/** Every element closed in order, as a page without implied end tags has to be. */
const unclosed = (page: string): string[] => {
  const open: string[] = [];
  const empty = new Set(["meta", "line", "circle", "rect", "polyline", "path", "br"]);
  for (const [, close, name] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
    if (empty.has(name!)) continue;
    if (close === "") open.push(name!);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
};

describe("reportHtml", () => {
  const page = reportHtml(fixture);

  test("is one closed document with every section and candidate", () => {
    expect(unclosed(page)).toEqual([]);
    for (const id of [
      "pareto",
      "candidates",
      "training",
      "data",
      "samples",
      "parity",
      "notes",
      "provenance",
    ]) {
      expect(page.match(new RegExp(`id="${id}"`, "g")), id).toHaveLength(1);
    }
    for (const { name } of candidates) expect(page).toContain(`<th scope="row">${name}</th>`);
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test("says what was shipped, what it lost and whether the budget is met", () => {
    const sentence = page
      .match(/<p class="lead-sentence">([\s\S]*?)<\/header>/)![1]!
      .replace(/<[^>]+>/g, "")
      .replace(/\s+/g, " ");
    expect(sentence).toContain(
      "Shipped 2-layer taught q8: 0.742 MB, 0.463 ms per token, 2.343 bits per byte",
    );
    expect(sentence).toContain("0.0590 more than the whole model (whole fp32: 4.31 MB, 0.731 ms, 2.284)");
    expect(sentence).toContain(
      "The budget is met (at most 1 MB; at most 0.1 bits per byte lost)".replace("; ", ", "),
    );
    const missed = reportHtml({ ...fixture, met: false, exceeded: ["size 2.00 MB (limit 1)"] });
    expect(missed).toMatch(/The budget is not met<\/span>[\s\S]*size 2\.00 MB \(limit 1\)/);
    expect(reportHtml({ ...fixture, budget: {} })).toContain("No budget was set");
  });

  test("shows what fails parity with the reason, and off the line of the best", () => {
    const line = (of: string) => of.match(/<polyline class="front"[^>]*>|<path class="front"[^>]*>/g);
    const smallest = candidates.findIndex(({ name }) => name === "2-layer taught q4");
    const fault = "cosine 0.5 <b>";
    const marked = candidates.map((c, i) => (i === smallest ? { ...c, fault, onFront: false } : c));
    const faulty = reportHtml({ ...fixture, candidates: marked });
    expect(faulty).toContain('<td class="text">fails parity: cosine 0.5 &lt;b&gt;</td>');
    expect(faulty.match(/<td class="text bad">fails</g)).toHaveLength(1);
    expect(faulty.match(/<td class="text">passes</g)).toHaveLength(candidates.length - 1);
    expect(unclosed(faulty)).toEqual([]);
    expect(line(page)).not.toBeNull();
    expect(line(faulty)).not.toEqual(line(page));
    const failed = { status: "failed" as const, reason: "cosine 0.5" };
    const targets = { "node-cpu": { status: "failed" as const, dtypes: { q4: failed } } };
    const judged = reportHtml({ ...fixture, parity: { ...fixture.parity, targets } });
    expect(judged).toContain('<td class="text">failed: cosine 0.5</td>');
  });

  test("runs nothing and loads nothing", () => {
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|base|form)\b/i);
    expect(page).not.toMatch(/\b(src|href|action)=(?!&|"#[a-z]+")|url\(|@import/i);
    expect(page.replaceAll("https://evil.example", "")).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
  });

  test("escapes every text that is not its own", () => {
    const texts = {
      title: evil,
      chosen: `${evil} q8`,
      rule: evil,
      notes: [evil],
      candidates: [{ ...candidates[0]!, name: `${evil} q8`, note: evil }],
      curves: [{ ...fixture.curves[0]!, name: evil }],
      samples: [{ name: evil, prompt: evil, text: evil }],
      provenance: {
        ...fixture.provenance,
        command: evil,
        machine: evil,
        createdBy: evil,
        versions: { [evil]: evil },
        hashes: { [evil]: evil },
      },
    };
    const hostile = reportHtml({ ...fixture, ...texts });
    expect(hostile).not.toContain("<script");
    expect(hostile.match(/&lt;script src=&quot;https/g)!.length).toBeGreaterThan(15);
    expect(unclosed(hostile)).toEqual([]);
  });

  test("shows control characters", () => {
    expect(page).toContain("here\u2407\u27e8U+202E\u27e9");
    expect(page).toContain("the\u2400 value &lt;/pre&gt;");
    expect(page).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    const lone = reportHtml({ ...fixture, notes: ["a\ud83db \ud83d\ude00"] });
    expect(lone).toContain("a\u27e8U+D83D\u27e9b \ud83d\ude00");
  });

  test("makes the same bytes of the same report", () => {
    expect(reportHtml(structuredClone(fixture))).toBe(page);
  });

  test("writes figures for people", () => {
    for (const text of [
      "1\u202f066\u202f000",
      "812\u202f345",
      "2.3431",
      "+0.0590",
      "1.3e\u22125",
      "98.1 %",
      "4.92 MB",
    ]) {
      expect(page, text).toContain(text);
    }
  });

  test("keeps labels apart and within the picture", () => {
    for (const [svg] of page.matchAll(/<svg[\s\S]*?<\/svg>/g)) {
      const label = /class="label[^"]*" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]*)/g;
      const boxes = Array.from(svg.matchAll(label), ([, x, y, anchor, text]) => {
        const half = text!.length * 3;
        return {
          x: Number(x) + (anchor === "start" ? half : anchor === "end" ? -half : 0),
          y: Number(y),
          half,
        };
      });
      for (const [i, a] of boxes.entries()) {
        expect(a.x - a.half).toBeGreaterThanOrEqual(0);
        expect(a.x + a.half).toBeLessThanOrEqual(440);
        for (const b of boxes.slice(i + 1)) {
          expect(Math.abs(a.y - b.y) >= 12 || Math.abs(a.x - b.x) >= a.half + b.half).toBe(true);
        }
      }
    }
    for (const { name } of candidates)
      expect(page.split("</svg>")[0]).toMatch(new RegExp(`text-anchor="\\w+">${name}`));
  });

  test("draws limits that are near, and a far outlier at the edge with its value", () => {
    const [size] = page.match(/<svg[\s\S]*?<\/svg>/)!;
    expect(size.match(/class="limit"/g)).toHaveLength(2);
    expect(size).toContain(">limit 1<");
    expect(size).toMatch(/2-layer cut fp32 \(3\.4\d*\)/);
    expect(size.match(/<path class="point/g)).toHaveLength(1);
    const far = reportHtml({ ...fixture, budget: { maxMb: 500, maxLoss: 60 } });
    expect(far).not.toContain('class="limit"');
    expect(far).toMatch(/class="limit-name"[^>]*>limit 500 \u2192</);
    expect(far.match(/class="limit-name"[^>]*>limit 62\.\d* \u2191</g)).toHaveLength(2);
  });

  test("has contents of the sections that there are", () => {
    const links = (text: string): string[] =>
      Array.from(text.matchAll(/<a href="#(\w+)">/g), ([, id]) => id!);
    expect(links(page)).toEqual(Array.from(page.matchAll(/<section id="(\w+)">/g), ([, id]) => id!));
    expect(links(page)).toContain("notes");
    expect(links(reportHtml({ ...fixture, notes: [] }))).not.toContain("notes");
  });

  test("works with one candidate, no drops, no curves, no samples", () => {
    const [only] = candidates;
    const least = reportHtml({
      ...fixture,
      chosen: only!.name,
      candidates: [only!],
      curves: [],
      samples: [],
      notes: [],
      parity: { ...fixture.parity, targets: {} },
      data: { stages: [{ name: "clean", docsIn: 0, docsOut: 0, bytesIn: 0, bytesOut: 0, reasons: [] }] },
    });
    expect(unclosed(least)).toEqual([]);
    expect(least).not.toMatch(/NaN|undefined|Infinity/);
    expect(least).toContain("It is the whole model itself");
    expect(least).toContain("Nothing was trained in this run");
  });

  test("works with curves that are empty, of one point, or not finite", () => {
    const curves: Report["curves"] = [
      { name: "none", train: [], validation: [] },
      { name: "one", train: [[10, 2]], validation: [] },
      {
        name: "nan",
        train: [
          [0, 3],
          [1, Number.NaN],
          [2, 2.5],
        ],
        validation: [[2, Number.POSITIVE_INFINITY]],
      },
      { name: "long", train: decay(5000, 1, 8, 3, 0.1), validation: [[0, 8]] },
    ];
    const drawn = reportHtml({ ...fixture, curves });
    expect(drawn).toContain("No loss was recorded");
    expect(drawn).toContain('class="train-dot"');
    expect(drawn).not.toMatch(/NaN|Infinity/);
    const longest = Array.from(
      drawn.matchAll(/class="train" points="([^"]*)"/g),
      ([, p]) => p!.split(" ").length,
    );
    expect(Math.max(...longest)).toBeLessThanOrEqual(300);
  });

  test("throws where the chosen one is not a candidate", () => {
    expect(() => reportHtml({ ...fixture, chosen: "other" })).toThrow(ConfigError);
    expect(() => modelCard({ ...fixture, candidates: [] })).toThrow(/no candidate is named/);
  });
});

describe("modelCard", () => {
  const card = modelCard(fixture);

  test("opens with front matter that names library, task and license", () => {
    const matter = card.match(/^---\n([\s\S]*?)\n---\n/)![1]!;
    for (const line of ["license: other", "library_name: transformers.js", "pipeline_tag: text-generation"]) {
      expect(matter.split("\n")).toContain(line);
    }
  });

  test("has the shipped dtypes with their files and no other candidate's row", () => {
    for (const file of ["onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_q4.onnx"]) {
      expect(card.match(new RegExp(`\\| \`${file}\` \\|`, "g")), file).toHaveLength(1);
    }
    expect(card).toContain("| **q8** (default) | `onnx/model_quantized.onnx` | 0.742 | 2.3431 |");
    expect(card).not.toContain("2.2853");
  });

  test("has code with the default dtype, the command, hashes and parity", () => {
    expect(card.match(/dtype: "q8"/g)).toHaveLength(2);
    expect(card).toContain("npx anneal generate DIR");
    expect(card).toContain("```sh\nanneal quickstart --max-mb 1 --max-loss 0.1\n```");
    expect(card).toContain("| config.json | `5e884898");
    expect(card).toMatch(
      /\| node-cpu \| q4 \| passed \| 1\.42 \| 0\.996200 \| 87\.1 % \| 87\.1 % \| 30 % \|/,
    );
    expect(card).toContain("| web-wasm |  | not checked |");
    expect(card).toContain("not checked: a \\| b");
    expect(card).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(modelCard(structuredClone(fixture))).toBe(card);
  });

  test("lets no text break out of its place", () => {
    const machine = "a | b\n# heading <img src=x>";
    const hostile = modelCard({
      ...fixture,
      provenance: { ...fixture.provenance, machine, command: "x\n```\n# out" },
    });
    expect(hostile).toContain("a \\| b \\# heading \\<img src=x\\>");
    expect(hostile).toContain("````sh\nx\n```\n# out\n````");
  });

  test("says that a budget is exceeded", () => {
    const missed = modelCard({ ...fixture, met: false, exceeded: ["size 2.00 MB (limit 1)"] });
    expect(missed).toContain("It exceeds (size 2.00 MB (limit 1)) the budget it was made for: at most 1 MB");
    expect(modelCard({ ...fixture, budget: {} })).not.toContain("budget");
  });

  test("lists a shipped dtype that was not measured", () => {
    const chosen = "2-layer cut fp32";
    const row = modelCard({ ...fixture, chosen }).match(/^\| q4 \| .*$/m)![0];
    expect(row).toBe(`| q4 | \`onnx/model_q4.onnx\` |${" \u2013 |".repeat(6)}`);
  });

  test("every table has rows as wide as its head", () => {
    for (const [block] of card.matchAll(/(?:^\|.*\n?)+/gm)) {
      const widths = block
        .trim()
        .split("\n")
        .map((row) => row.split(/(?<!\\)\|/).length);
      expect(new Set(widths).size, block).toBe(1);
    }
  });
});
