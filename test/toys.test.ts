/** A pass and a target of one's own: literals, given to what works on any. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Pass, pipe, quantize } from "../src/compress/index.ts";
import { derived } from "../src/compress/pass.ts";
import type { Engine } from "../src/engine/engine.ts";
import { measureGraphs } from "../src/evaluate/measure.ts";
import { decodeReference, encodeReference } from "../src/evaluate/parity/reference.ts";
import { runTrial } from "../src/evaluate/parity/trial.ts";
import type { Tensor } from "../src/ir/tensor.ts";
import type { Model } from "../src/models/model.ts";
import type { Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import type { Target } from "../src/node/targets/target.ts";
import { adamw } from "../src/optim/index.ts";
import { silent } from "../src/recipes/context/ui.ts";
import { withPlaces } from "../src/recipes/optimize/places.ts";
import { tryTarget } from "../src/recipes/verify/tryTarget.ts";
import type { BaseParity } from "../src/search/candidates/candidate.ts";
import { optimize } from "../src/search/candidates/optimize.ts";
import { figuresOf, measuredValue } from "../src/search/figures.ts";
import { parseLimit } from "../src/search/limit.ts";
import { graphFile } from "../src/ship/onnx/dtype.ts";
import { referenceOf } from "../src/ship/verify/reference.ts";
import { causalLm } from "../src/tasks/causalLm.ts";
import { MissingError, RunError } from "../src/util/errors.ts";
import { mapTree } from "../src/util/tree.ts";
import { tinyModel, writeModel } from "./browser/folders.ts";
import { taskCases } from "./cases/tasks.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-toys-"));
let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const elements = ({ weights }: Model): number[] => {
  const all: number[] = [];
  mapTree<Weight, Weight>(weights, (w) => {
    all.push(...Array.from((w as Tensor).data as Float32Array));
    return w;
  });
  return all;
};

test("a pass is a literal: it stands in a pipe and in the model's lineage", async () => {
  const model = tinyModel("gpt2");
  const rounded = (step: number): Pass => ({
    name: "round",
    options: { step },
    run: async (given) => {
      const round = (w: Weight): Weight => {
        const t = w as Tensor;
        return { ...t, data: (t.data as Float32Array).map((x) => step * Math.round(x / step)) };
      };
      const weights = mapTree<Weight, Weight>(given.weights, round);
      return derived(given, { name: "round", options: { step } }, { weights });
    },
  });
  const context = { engine, seed: 1, log: () => {} };
  const alone = await rounded(0.25).run(model, context);
  expect(elements(alone).every((x) => Number.isInteger(x * 4))).toBe(true);
  const both = await pipe(rounded(0.25), quantize({ bits: 8 })).run(model, context);
  expect(both.history.slice(-2).map(({ name }) => name)).toEqual(["round", "quantize"]);
  expect(both.history.at(-2)!.options).toEqual({ step: 0.25 });
});

/** This very process, on one thread; `fails` says which graphs do not run there. */
const here = (fails: (path: string) => boolean = () => false): Target => ({
  title: "this process",
  format: "onnx",
  async open() {
    const load = async (path: string) => {
      if (fails(path)) throw new RunError("no such op here");
      return engine.load(path);
    };
    return {
      trial: async ({ graphs }, reference) => ({
        ...(await runTrial(await decoded(reference), (name) => load(graphs[name]!))),
        engine: "toy 1",
      }),
      probe: ({ graphs }, probed) => measureGraphs(probed, graphs, { load, memory: () => 0 }),
      close: async () => {},
    };
  },
});
const decoded = async (file: string) => decodeReference(await readFile(file));

describe("a target is a literal", () => {
  const asked = { threads: 1, timeoutMs: 60_000, software: false };

  test("folders are verified on it", async () => {
    const model = tinyModel("gpt2");
    const path = await writeModel(join(dir, "model"), model, ["fp32", "q8"]);
    const reference = join(dir, "reference");
    writeFileSync(reference, encodeReference(await referenceOf(engine, model, { count: 2 })));
    const graphs = Object.fromEntries(
      (["fp32", "q8"] as const).map((dtype) => [dtype, { model: join(path, graphFile("model", dtype)) }]),
    );
    const work = { ...asked, reference, files: graphs, hashes: { fp32: "a", q8: "b" }, ui: silent };
    const broken = here((file) => file.includes("quantized"));
    expect(await tryTarget(["toy", here()], work)).toMatchObject({
      ...{ status: "passed", engine: "toy 1" },
      dtypes: { fp32: { status: "passed", sha256: "a" }, q8: { status: "passed" } },
    });
    expect(await tryTarget(["toy", broken], work)).toMatchObject({
      status: "failed",
      dtypes: { fp32: { status: "passed" }, q8: { status: "failed", reason: "no such op here" } },
    });
    const absent: Target = {
      ...here(),
      open: async () => {
        throw new MissingError("is not here", { hint: "build it" });
      },
    };
    expect(await tryTarget(["toy", absent], work)).toMatchObject({
      ...{ status: "not checked", reason: "is not here", hint: "build it" },
    });
  }, 120_000);

  test("candidates are measured on it, limited by it, and refused where they do not run", async () => {
    const { model, tokenizer, material } = taskCases["causal-lm"];
    const lesson = causalLm.lesson(material, {
      ...{ model, tokenizer, batch: 4, context: 16, seed: 1, heldOutTokens: 500 },
    });
    const figures = figuresOf({ task: causalLm, does: "generates", targets: ["toy"] });
    const passed = Object.fromEntries(["fp32", "q8", "q4"].map((d) => [d, { status: "passed" }]));
    let loaded = 0;
    // The first graph is the start's; the second does not run.
    const targets = { toy: here(() => ++loaded === 2) };
    const turns = () => ({ count: 3, mostMs: 0 });
    const found = await withPlaces({ targets, threads: 1, vocab: 300, turns }, (probes) =>
      optimize(
        model,
        {
          ...{ task: causalLm, lesson, figures, ...probes },
          budget: ["toy/p95Ms<=60s", "loadMs<=60s", "lost<=9"].map((text) => parseLimit(text)),
          teaching: () => ({
            batch: 4,
            context: lesson.context,
            steps: 2,
            optimizer: adamw({}),
            schedule: () => 1e-3,
          }),
          judge: async () => passed as BaseParity,
        },
        { engine, seed: 1, log: () => {} },
      ),
    );
    const [start, second, ...others] = found.candidates;
    expect(second!.fault).toBe("does not run on toy: no such op here");
    expect(second!.onFront).toBe(false);
    for (const c of [start!, ...others]) {
      expect(c.fault).toBeUndefined();
      expect(measuredValue(c, "toy/p95Ms")).toBeGreaterThan(0);
    }
    // The start and the chosen one were measured again; how far turns lie apart is told of all.
    expect(found.choice.chosen.figures["toy/p50Ms"]!.n).toBe(4);
    for (const c of [start!, ...others]) {
      const { value, low, high } = c.figures["toy/p50Ms"]!;
      expect(value).toBeGreaterThanOrEqual(low);
      expect(high).toBeLessThan(Number.POSITIVE_INFINITY);
    }
    expect(found.choice.met).toBe(true);
    expect(found.budget[0]).toEqual({ figure: "toy/p95Ms", most: 60_000 });
    expect(found.budget[1]).toEqual({ figure: "toy/loadMs", most: 60_000 });
  }, 120_000);
});
