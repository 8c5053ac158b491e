import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import type { Base, Candidate } from "../../search/candidates/candidate.ts";
import type { FormDtype } from "../../search/candidates/formats/format.ts";
import { type Optimized, optimize } from "../../search/candidates/optimize.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { measuredValue } from "../../search/figures.ts";
import { dtypes } from "../../ship/onnx/dtype.ts";
import { tokenScores } from "../../tasks/scores.ts";
import { heldOutLoss } from "../../train/validate.ts";
import { RunError } from "../../util/errors.ts";
import { judgeOn } from "./judge.ts";
import { faultNotes, notesOf, vocabularyNotes } from "./notes.ts";
import { corpus, modelOf, optionsOf, tokens, windows } from "./optimize.fixture.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** Judges as always, of graphs among which that of q4 is another model's. */
const withForeignQ4 = async (base: Base, only: readonly FormDtype[]) => {
  const { layers } = base.dense.arch.cache(base.dense.config);
  const q4 = await dtypes.q4.pass.run(modelOf(9, layers), { engine, seed: 1, log: () => {} });
  return judgeOn(engine, corpus)({ ...base, forms: { ...base.forms, q4 } }, only);
};

const run = (budget: OptimizeOptions["budget"], judge = withForeignQ4): Promise<Optimized> =>
  optimize(modelOf(1), optionsOf(budget, judge), { engine, seed: 1, log: () => {} });

let found: Optimized;
beforeAll(async () => {
  found = await run([{ figure: "lost", most: 100 }]);
}, 60_000);

describe("a candidate whose graph computes something else", () => {
  test("is in the result with the reason, not on the front, and in the notes", () => {
    const { fault, onFront } = found.candidates.find(({ name }) => name === "full q4")!;
    expect(fault).toMatch(/^cosine -?0\.\d+, at least 0\.985 is needed$/);
    expect(onFront).toBe(false);
    expect(found.parity.get("full")!.q4).toMatchObject({ status: "failed", reason: fault });
    expect(faultNotes(found)[0]).toContain(`full q4 cannot be chosen: cosine`);
    expect(notesOf(found)).toEqual(expect.arrayContaining(faultNotes(found)));
  });

  test("is not chosen where it would be the smallest that meets the budget", async () => {
    const size = (c: Candidate): number => measuredValue(c, "sizeBytes");
    const bySize = found.candidates.toSorted((a, b) => size(a) - size(b));
    expect(bySize[0]!.name).toBe("1-layer distilled q4");
    expect(found.choice).toMatchObject({ met: true, chosen: { name: "1-layer distilled q8" } });
    // The same where nothing meets the budget: the nearest of those that may be chosen.
    const nothing = await run([{ figure: "sizeBytes", most: 1 }]);
    expect(nothing.choice).toMatchObject({ met: false, chosen: { name: "1-layer distilled q8" } });
  });
});

test("where a form fails the others are measured, and the model has each that was judged", async () => {
  const failing = async (base: Base, only: readonly FormDtype[]) => {
    if (base.name === "full" && only.includes("q8")) throw new Error("it is none");
    return judgeOn(engine, corpus)(base, only);
  };
  const rest = await run([{ figure: "lost", most: 100 }], failing);
  const failed = rest.records.filter(({ stage }) => stage === "failed");
  expect(failed.map(({ name, why }) => [name, why])).toEqual([["full q8", "it is none"]]);
  const { forms } = await rest.base("full");
  expect(Object.keys(rest.parity.get("full")!)).toEqual(["fp32", "q4"]);
  expect(Object.keys(forms)).toEqual(expect.arrayContaining(["fp32", "q4"]));
});

test("a file system that fails is no form's fault, and ends the search", async () => {
  const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
  const failing = async (base: Base, only: readonly FormDtype[]) => {
    if (only.includes("q8")) throw new RunError("writing failed (ENOSPC)", { cause: full });
    return judgeOn(engine, corpus)(base, only);
  };
  await expect(run([{ figure: "lost", most: 100 }], failing)).rejects.toThrow("ENOSPC");
});

test("where the vocabulary's table decides a size that is beyond its limit, that is told", () => {
  const beyond = { choice: { ...found.choice, exceeded: ["size 2.0 MB (limit 1)"] } };
  const model = modelOf(1);
  expect(vocabularyNotes(beyond, model)).toEqual([]);
  const layer = model.arch.linears(model.config).filter(({ role }) => role !== "embedding");
  const arch = { ...model.arch, linears: () => layer.map((one) => ({ ...one, role: "embedding" as const })) };
  expect(vocabularyNotes(beyond, { ...model, arch })).toEqual([expect.stringContaining("--cut-vocab")]);
  expect(vocabularyNotes(found, { ...model, arch })).toEqual([]);
});

test("a limit on size makes one candidate more, whose 8 bits are those that the bytes leave room for", async () => {
  const size = (c: Candidate): number => measuredValue(c, "sizeBytes");
  const named = (run: Optimized, name: string) => run.candidates.find((c) => c.name === name)!;
  const spared = (run: Optimized, base: string): string[] => {
    const step = named(run, `${base} q4`).lineage.at(-1)!.options as { wide?: string[] };
    return step.wide ?? [];
  };
  const limit = 0.9 * size(named(found, "full q8"));
  expect(found.candidates.some(({ base }) => base.endsWith("fitted"))).toBe(false);
  const relative = { figure: "sizeBytes", most: limit / size(named(found, "full fp32")), relative: true };
  const fit = await optimize(
    modelOf(1),
    optionsOf([relative, { figure: "lost", most: 100 }], judgeOn(engine, corpus)),
    { engine, seed: 1, calibration: [Array.from(tokens.subarray(0, 64))], log: () => {} },
  );
  expect(size(named(fit, "full fitted q4"))).toBeLessThanOrEqual(limit);
  expect(spared(fit, "full fitted").length).toBeGreaterThan(0);
  expect(spared(fit, "full fitted")).not.toEqual(spared(fit, "full"));
  expect(fit.parity.get("full fitted")!.q4!.sha256).not.toBe(fit.parity.get("full")!.q4!.sha256);
  expect(fit.choice.met).toBe(true);
}, 60_000);

test("nothing is chosen where nothing may be", async () => {
  const none = async (base: Base, only: readonly FormDtype[]) => {
    const judged = await judgeOn(engine, corpus)(base, only);
    const all = Object.entries(judged).map(([dtype, parity]) => [
      dtype,
      { ...parity, status: "failed" as const, reason: "it is off" },
    ]);
    return Object.fromEntries(all) as typeof judged;
  };
  await expect(run([{ figure: "lost", most: 100 }], none)).rejects.toThrow(
    /no candidate may be chosen: it is off/,
  );
});

test("losses of single tokens add up to the held-out loss, and padding is not among them", async () => {
  const model = modelOf(1);
  const losses = await tokenScores(engine, model, { windows });
  const { loss, tokens: counted } = await heldOutLoss(engine, model, windows);
  expect(losses).toHaveLength(59);
  expect(counted).toBe(59);
  expect(losses.reduce((sum, x) => sum + x, 0) / 59).toBeCloseTo(loss, 5);
});
