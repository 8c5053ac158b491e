/** Verifying folders that have graphs alone, and embedding models by their sentence vectors. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Head } from "../../src/models/model.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { parityTable } from "../../src/ship/verify/table.ts";
import { type Family, tinyModel, writeModel } from "../browser/folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-verify-graphs-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const target = "node-cpu";
const verified = async (path: string) => {
  const told: string[] = [];
  const options = { targets: [target], count: 2, threads: 1 };
  const file = await verifyFolder(path, options, { ...silent, line: (line) => told.push(line) });
  return { file, dtypes: file.targets[target]!.dtypes, told: told.join("\n") };
};

test("an embedding model is judged by its sentence vectors", async () => {
  const path = await writeModel(join(dir, "bert"), tinyModel("bert", "features"), ["fp32", "q8", "q4"]);
  const { file, dtypes } = await verified(path);
  const { fp32, q8, q4 } = dtypes;
  expect(fp32!.sentenceCosine).toBeGreaterThan(0.999999);
  expect(q8!.sentenceCosine).toBeGreaterThan(q4!.sentenceCosine!);
  expect(q8!.sentenceCosine).toBeLessThan(fp32!.sentenceCosine!);
  expect(q8!.sentenceCosine).not.toBe(q8!.cosine);
  const { titles, rows } = parityTable(file);
  expect(titles).toContain("sentences' cosine");
  expect(titles).not.toContain("tokens/s");
  expect(rows[1]![titles.indexOf("sentences' cosine")]).toBe(q8!.sentenceCosine!.toFixed(6));
  expect(readFileSync(join(path, "README.md"), "utf8")).toContain("sentences' cosine");
});

describe("graphs alone are compared with those of the most exact dtype", () => {
  test.each<[Family, Head]>([
    ["bert", "masked-lm"],
    ["gpt2", "causal-lm"],
    ["gpt2", "features"],
    ["t5", "seq2seq-lm"],
  ])("%s for %s", async (family, head) => {
    const name = `${family}-${head}`;
    const path = await writeModel(join(dir, name), tinyModel(family, head), ["fp32", "q8"]);
    const dense = await verified(path);
    expect(dense.file.reference).toBeUndefined();
    rmSync(join(path, "model.safetensors"));
    const alone = await verified(path);
    expect(alone.file.reference).toBe("fp32");
    expect(alone.told).toContain("compared with the graphs of fp32");
    expect(alone.dtypes.fp32).toMatchObject({ status: "passed", maxLogitDiff: 0 });
    const { greedyAgreement, ...q8 } = alone.dtypes.q8!;
    expect(q8.maxLogitDiff).toBeCloseTo(dense.dtypes.q8!.maxLogitDiff!, 3);
    expect(greedyAgreement).toBe(dense.dtypes.q8!.greedyAgreement);
    expect(readFileSync(join(path, "README.md"), "utf8")).toContain("compared with the graphs of fp32");
    // Without fp32, the next is the reference, and what was found against another is forgotten.
    for (const graph of ["model", "encoder_model", "decoder_model_merged"]) {
      rmSync(join(path, "onnx", `${graph}.onnx`), { force: true });
    }
    const { file, dtypes } = await verified(path);
    expect(file.reference).toBe("q8");
    expect(Object.keys(dtypes)).toEqual(["q8"]);
    expect(dtypes.q8).toMatchObject({ status: "passed", maxLogitDiff: 0 });
  });
});
