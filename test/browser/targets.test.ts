/** Every target: opened or said why not, compared with a reference, measured; budgets over their figures. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { encodeReference } from "../../src/evaluate/parity/reference.ts";
import { type Does, probeOf } from "../../src/evaluate/probe.ts";
import type { Figures } from "../../src/metrics/metric.ts";
import type { Model } from "../../src/models/model.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { type TargetName, targets } from "../../src/node/targets/index.ts";
import type { Artifact, Place } from "../../src/node/targets/target.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { figuresOf } from "../../src/search/figures.ts";
import { graphNames } from "../../src/serve/graphs/graphs.ts";
import { graphFile } from "../../src/ship/onnx/dtype.ts";
import { referenceOf } from "../../src/ship/verify/reference.ts";
import { judged } from "../../src/ship/verify/verify.ts";
import { causalLm } from "../../src/tasks/causalLm.ts";
import { MissingError } from "../../src/util/errors.ts";
import { targetCases } from "../cases/targets.ts";
import { annealHere as anneal, onlyJson, writeCorpus } from "../e2e/command.ts";
import { noBrowser, tinyModel, writeModel } from "./folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-targets-"));
const dtypes = ["fp32", "q8"] as const;
const families = { gpt2: "generates", bert: "reads", t5: "translates" } as const satisfies Record<
  string,
  Does
>;
type Name = keyof typeof families;

const models = {} as Record<Name, Model>;
const ggufs = ["f32", "q8_0"] as const;
type Dtype = (typeof dtypes)[number] | (typeof ggufs)[number];
const artifact = (family: Name, dtype: Dtype): Artifact => ({
  dtype,
  graphs:
    dtype === "f32" || dtype === "q8_0"
      ? { model: join(dir, `${family}-${dtype}.gguf`) }
      : Object.fromEntries(
          graphNames[models[family].arch.kind].map((name) => [
            name,
            join(dir, family, graphFile(name, dtype)),
          ]),
        ),
});

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
  for (const family of Object.keys(families) as Name[]) {
    models[family] = family === "bert" ? tinyModel("bert", "features") : tinyModel(family);
    await writeModel(join(dir, family), models[family], dtypes);
    const reference = await referenceOf(engine, models[family], { count: 2 });
    writeFileSync(join(dir, `${family}.reference`), encodeReference(reference));
  }
  for (const type of ggufs)
    await ggufFolder(join(dir, "gpt2"), { type, out: join(dir, `gpt2-${type}.gguf`) });
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.each(Object.keys(targetCases) as TargetName[])("%s", (name) => {
  const { browser, everywhere, dtypes: some, families: run } = targetCases[name];

  test.skipIf(browser && noBrowser !== undefined)(
    "runs what it is given, or says why it is not here",
    async () => {
      let place: Place;
      try {
        place = await targets[name].open({ threads: 1, timeoutMs: 120_000, software: false });
      } catch (error) {
        expect(everywhere).toBe(false);
        expect(error).toBeInstanceOf(MissingError);
        expect((error as MissingError).details.hint).toBeDefined();
        return;
      }
      try {
        for (const family of run) {
          const does: Does = families[family];
          for (const dtype of some) {
            const trial = await place.trial(artifact(family, dtype), join(dir, `${family}.reference`));
            expect([family, dtype, judged(dtype, trial).status]).toEqual([family, dtype, "passed"]);
          }
          const probed = probeOf(models[family], models[family].config.vocab_size);
          const { figures } = await place.probe(artifact(family, some[0]!), probed);
          // What a budget can name is what is measured.
          const known = figuresOf({ task: causalLm, does, targets: [name] }).map((figure) => figure.name);
          for (const [figure, { value, low, high }] of Object.entries(figures)) {
            expect(known).toContain(`${name}/${figure}`);
            expect([figure, value >= 0, low <= value, value <= high]).toEqual([figure, true, true, true]);
          }
          const here = known.filter((figure) => figure.startsWith(`${name}/`));
          expect(Object.keys(figures).map((figure) => `${name}/${figure}`)).toEqual(
            expect.arrayContaining(here),
          );
        }
      } finally {
        await place.close();
      }
    },
    240_000,
  );
});

test.skipIf(noBrowser !== undefined)(
  "a limit on a page's figures has candidates measured in a page, and decides",
  async () => {
    const data = join(dir, "data");
    writeCorpus(data, 80);
    const train = "--layers 1 --heads 2 --width 32 --context 32 --vocab 300 --steps 6 --batch 4".split(" ");
    const out = join(dir, "trained");
    expect((await anneal(["train", "--data", data, "--out", out, ...train])).code).toBe(0);
    const made = await anneal([
      ...["optimize", join(out, "model"), "--data", data, "--out", join(dir, "page"), "--batch", "4"],
      ...["--distill-steps", "2", "--max-loss", "10", "--limit", "web-wasm/p50Ms<=60s", "--json"],
    ]);
    expect(made.code, made.stderr).toBe(0);
    const { candidates, budget, path } = onlyJson<{
      readonly candidates: readonly { readonly name: string; readonly figures: Figures }[];
      readonly budget: unknown;
      readonly path: string;
    }>(made);
    expect(budget).toContainEqual({ figure: "web-wasm/p50Ms", most: 60_000 });
    for (const { figures } of candidates) {
      expect(figures["web-wasm/p50Ms"]!.value).toBeGreaterThan(0);
      expect(figures["node-cpu/p50Ms"]!.value).toBeGreaterThan(0);
    }
    const report = readFileSync(join(path, "report.html"), "utf8");
    expect(report).toContain("at most 60000 ms per token on web-wasm");
    expect(report).toContain("p50 on web-wasm");
  },
  240_000,
);

test("a target that is not there is refused before anything is measured", async () => {
  const { code, stderr } = await anneal(["optimize", join(dir, "gpt2"), "--target", "node-gpu"]);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /"budget.targets".*must be of node-cpu, node-webgpu, web-wasm, web-webgpu, llama.cpp, not node-gpu/s,
  );
});
