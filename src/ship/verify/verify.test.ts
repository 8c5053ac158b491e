import { describe, expect, test } from "vitest";
import type { Trial } from "../../evaluate/parity/trial.ts";
import { type ExportDtype, exportDtypes } from "../onnx/dtype.ts";
import { parityMarkdown, parityTable, withParity } from "./table.ts";
import {
  allTargets,
  type Candidate,
  type DtypeParity,
  failsGate,
  failures,
  faultOf,
  insteadOf,
  judged,
  type ParityFile,
  statusOf,
} from "./verify.ts";

const trial = (fields: Partial<Trial> = {}): Trial => ({
  maxLogitDiff: 1e-6,
  scale: 10,
  cosine: 1,
  topTokenAgreement: 1,
  rows: 100,
  prompts: 2,
  tokens: 32,
  loadMs: 5,
  ...fields,
});

const passed: DtypeParity = { status: "passed", ...trial() };
const failed: DtypeParity = { status: "failed", reason: "it is off", instead: "fp32", ...trial() };
const unknown: DtypeParity = { status: "not checked", reason: "no float16" };

const file = (targets: ParityFile["targets"]): ParityFile => ({
  format: 1,
  versions: {},
  machine: "a | machine",
  targets,
});

describe("the tolerance", () => {
  const tolerance = { maxDiff: 0.01, cosine: 0.999 };
  test("is a share of the largest magnitude", () => {
    expect(faultOf(trial({ maxLogitDiff: 0.09 }), tolerance)).toBeUndefined();
    expect(faultOf(trial({ maxLogitDiff: 0.11 }), tolerance)).toBe(
      "largest difference 0.110, at most 0.100 is allowed",
    );
    expect(faultOf(trial({ cosine: 0.99 }), tolerance)).toBe("cosine 0.99, at least 0.999 is needed");
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("fails %d", (bad) => {
    for (const figures of [{ maxLogitDiff: bad }, { cosine: bad }]) {
      expect(faultOf(trial(figures), tolerance)).toMatch(/not finite/);
    }
  });

  test("is the dtype's own", () => {
    const rounded = trial({ maxLogitDiff: 0.05, cosine: 0.9999 });
    expect(judged("fp32", rounded).status).toBe("failed");
    expect(judged("q8", rounded).status).toBe("passed");
  });

  test.each([
    ["q8", { cosine: 0.9989999 }, "cosine 0.998999, at least 0.999 is needed"],
    ["uint8", { cosine: 0.9991, maxLogitDiff: 9 }, undefined],
    ["q4", { cosine: 0.96 }, "cosine 0.96, at least 0.985 is needed"],
    [
      "q4f16",
      { cosine: 0.986, topTokenAgreement: 0.61 },
      /^likeliest tokens or labels 61 % the same, .* 80 % /,
    ],
    ["q4", { cosine: 0.986, topTokenAgreement: 0.8 }, undefined],
    ["int8", { cosine: 0.9995, topTokenAgreement: 0.9 }, /90 % the same, at least 95 % is needed/],
  ] as const)("of %s speaks of direction and likeliest tokens: %o", (dtype, figures, reason) => {
    const { status, reason: found } = judged(dtype, trial(figures));
    expect(status).toBe(reason === undefined ? "passed" : "failed");
    if (typeof reason === "object") expect(found).toMatch(reason);
    else expect(found).toBe(reason);
  });

  test("allows for chance where rows are few, and only there", () => {
    const of = (rows: number) =>
      judged("q8", trial({ cosine: 0.9995, topTokenAgreement: 0.92, rows })).status;
    expect([20, 200, 1000].map(of)).toEqual(["passed", "passed", "failed"]);
    const { reason } = judged("q8", trial({ cosine: 0.9995, topTokenAgreement: 0.5, rows: 20 }));
    expect(reason).toBe(
      "likeliest tokens or labels 50 % the same, at least 95 % is needed (85.2 % of only 20)",
    );
  });

  test("asks for no likeliest token of what gives features", () => {
    const { topTokenAgreement: _, ...features } = trial({ cosine: 0.9995, rows: 0 });
    expect(judged("q8", features).status).toBe("passed");
    expect(judged("q8", { ...features, cosine: 0.99 }).status).toBe("failed");
  });

  test("is of sentence vectors where texts have them", () => {
    const { topTokenAgreement: _, ...features } = trial({ cosine: 0.99, rows: 0 });
    expect(judged("q8", { ...features, sentenceCosine: 0.9995 }).status).toBe("passed");
    expect(judged("q8", { ...features, cosine: 1, sentenceCosine: 0.998 }).reason).toBe(
      "cosine of sentence vectors 0.998, at least 0.999 is needed",
    );
    expect(judged("q4", { ...features, sentenceCosine: Number.NaN }).reason).toMatch(/not finite/);
  });

  test("is one for all dtypes of a class", () => {
    const of = (names: readonly ExportDtype[]) => new Set(names.map((name) => exportDtypes[name].tolerance));
    expect(of(["q8", "int8", "uint8"]).size).toBe(1);
    expect(of(["q4", "q4f16"]).size).toBe(1);
  });
});

describe("instead of a dtype that fails", () => {
  const all = (statuses: Record<string, [Candidate["status"], number]>) =>
    new Map(Object.entries(statuses).map(([dtype, [status, sizeBytes]]) => [dtype, { status, sizeBytes }]));

  test("the smallest that passes and is at least as exact is named", () => {
    const candidates = all({
      fp32: ["passed", 400],
      fp16: ["passed", 200],
      q8: ["failed", 100],
      q4: ["passed", 50],
    });
    expect(insteadOf("q8", candidates)).toBe("fp16");
  });

  test("a less exact one is named only where there is no other, and none where none passes", () => {
    expect(insteadOf("fp32", all({ fp32: ["failed", 400], q8: ["passed", 100] }))).toBe("q8");
    expect(insteadOf("q8", all({ fp32: ["failed", 400], q8: ["failed", 100] }))).toBeUndefined();
    expect(insteadOf("q8", all({ fp16: ["not checked", 200], q8: ["failed", 100] }))).toBeUndefined();
  });
});

describe("a target", () => {
  test("fails if one dtype does, and never passes unchecked", () => {
    expect(statusOf({ fp32: passed, q8: failed })).toBe("failed");
    expect(statusOf({ fp32: passed, fp16: unknown })).toBe("passed");
    expect(statusOf({ fp16: unknown })).toBe("not checked");
    expect(statusOf({})).toBe("not checked");
  });

  const names = ["node-cpu", "node-webgpu", "web-wasm", "web-webgpu"];
  const titles = Object.fromEntries(names.map((name) => [name, `the place ${name}`]));

  test("that nobody asked for keeps what is known, else is not checked", () => {
    const before = { "web-wasm": { status: "passed", dtypes: { fp32: passed } } } as const;
    const targets = allTargets(
      { "node-cpu": { status: "passed", dtypes: { q8: passed } } },
      { titles, before },
    );
    expect(Object.entries(targets).map(([name, { status }]) => [name, status])).toEqual([
      ["node-cpu", "passed"],
      ["node-webgpu", "not checked"],
      ["web-wasm", "passed"],
      ["web-webgpu", "not checked"],
    ]);
  });

  test("of which only some dtypes were tried keeps the others, in order", () => {
    const before = { "node-cpu": { status: "failed", dtypes: { fp32: passed, q8: failed } } } as const;
    const { "node-cpu": found } = allTargets(
      { "node-cpu": { status: "passed", dtypes: { fp16: passed, q8: passed } } },
      { titles, before },
    );
    expect(found).toMatchObject({ status: "passed" });
    expect(Object.keys(found!.dtypes)).toEqual(["fp32", "fp16", "q8"]);
  });

  test("that is gone by now does not stay passed", () => {
    const before = { "web-wasm": { status: "passed", dtypes: { fp32: passed } } } as const;
    const targets = allTargets(
      { "web-wasm": { status: "not checked", reason: "no browser", dtypes: {} } },
      { titles, before },
    );
    expect(targets["web-wasm"]!.status).toBe("not checked");
  });
});

describe("the table", () => {
  const one = file({
    "node-cpu": { status: "failed", dtypes: { fp32: passed, q8: failed } },
    "web-wasm": { status: "not checked", reason: "no | browser", hint: "install it", dtypes: {} },
  });

  test("has a row for each target and dtype", () => {
    expect(parityTable(one).rows.map((row) => row.slice(0, 3))).toEqual([
      ["node-cpu", "fp32", "passed"],
      ["node-cpu", "q8", "failed: use fp32"],
      ["web-wasm", "", "not checked"],
    ]);
    expect(failsGate(one)).toBe(true);
    expect(failures(one)).toEqual(["node-cpu q8 fails (it is off): use fp32 there"]);
  });

  test("has the figures that some dtype has, and says what they are against where that is no dense model", () => {
    const { titles } = parityTable(one);
    expect(titles).not.toContain("sentences' cosine");
    expect(titles).toContain("same likeliest");
    const embedding = { status: "passed", ...trial({ sentenceCosine: 0.9998 }) } as const;
    const pooled = {
      ...file({ "node-cpu": { status: "passed", dtypes: { q8: embedding } } }),
      reference: "fp16",
    };
    expect(parityMarkdown(pooled)).toMatch(/\| sentences' cosine \|[\s\S]*\| 0\.999800 \|/);
    expect(parityMarkdown(pooled)).toContain("compared with the graphs of fp16 on node-cpu");
    expect(parityMarkdown(one)).not.toContain("compared with");
  });

  test("lets nothing break out of its cell, and is as wide everywhere", () => {
    const rows = parityMarkdown(one)
      .split("\n")
      .filter((line) => line.startsWith("|"));
    expect(new Set(rows.map((row) => row.split(/(?<!\\)\|/).length)).size).toBe(1);
    expect(parityMarkdown(one)).toContain("no \\| browser");
    expect(parityMarkdown(one)).toContain("a \\| machine");
  });

  test("takes an earlier one's place in the card, or comes at its end", () => {
    const card = withParity("# Mine\n\nText.\n", one);
    expect(card).toMatch(/^# Mine\n\nText\.\n\n## Parity\n\n<!--/);
    const more = `${card}\n## After\n`;
    const later = withParity(more, file({ "node-cpu": { status: "passed", dtypes: { fp32: passed } } }));
    expect(later).not.toContain("use fp32");
    expect(later).toContain("## After");
    expect(later.match(/<!-- parity/g)).toHaveLength(2);
    expect(withParity(later, one)).toBe(more);
  });
});
