/** A search among GGUF files, measured in llama.cpp: whole commands of a user. */
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Figures } from "../../src/metrics/metric.ts";
import type { ParityFile } from "../../src/ship/verify/verify.ts";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { annealHere as anneal, onlyJson, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-llama-search-"));
const data = join(dir, "data");
const model = join(dir, "trained", "model");
const usual = ["--data", data, "--batch", "4", "--threads", "1", "--max-loss", "10"];

beforeAll(async () => {
  writeCorpus(data, 80);
  const train = "--layers 2 --heads 2 --width 32 --context 32 --vocab 300 --steps 6 --batch 4".split(" ");
  const made = await anneal(["train", "--data", data, "--out", join(dir, "trained"), ...train]);
  expect(made.code, made.stderr).toBe(0);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Found {
  readonly path: string;
  readonly chosen: string;
  readonly parity: ParityFile;
  readonly candidates: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly onFront: boolean;
    readonly number: number;
    readonly figures: Figures;
    readonly fault?: string;
  }[];
}
const sha = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");
const ggufIn = (path: string): string[] => readdirSync(path).filter((name) => name.endsWith(".gguf"));

test("shapes and kinds are measured in llama.cpp; what is chosen is shipped as it was measured", async () => {
  const out = join(dir, "small");
  const space = ["layers=2,1", "steps=2", "neurons=1", "dtype=q4_0"].flatMap((each) => ["--search", each]);
  const target = ["--target", "llama.cpp", "--max-mb", "0.1", ...space, "--json"];
  const asked = ["optimize", model, ...usual, "--out", out, ...target];
  const made = await anneal(asked);
  expect(made.code, made.stderr).toBe(0);
  const { path, candidates, chosen, parity } = onlyJson<Found>(made);
  expect(candidates.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["full fp32", "full q4_0", "1-layer distilled fp32", "1-layer distilled q4_0"]),
  );
  for (const { figures } of candidates) {
    for (const name of ["p50Ms", "firstTokenMs", "memoryBytes", "loadMs", "prefillTokensPerSec"])
      expect(figures[`llama.cpp/${name}`]!.value, name).toBeGreaterThan(0);
    expect(Object.keys(figures).some((name) => name.startsWith("node-cpu/"))).toBe(false);
  }
  const [start] = candidates;
  const own = candidates.find(({ name }) => name === chosen)!;
  expect(own.figures.sizeBytes!.value).toBeLessThan(start!.figures.sizeBytes!.value / 2);

  const [file, ...others] = ggufIn(path);
  expect(others).toEqual([]);
  expect(existsSync(join(path, "onnx"))).toBe(false);
  expect(file).toMatch(new RegExp(`-${own.dtype.toUpperCase()}\\.gguf$`));
  const shipped = parity.targets["llama.cpp"]!;
  expect(Object.keys(shipped.dtypes)).toEqual([own.dtype]);
  expect(shipped.dtypes[own.dtype]).toMatchObject({ status: "passed", sha256: sha(join(path, file!)) });
  expect(shipped.engine).toMatch(/^llama\.cpp /);
  expect(parity.targets["node-cpu"]!.status).toBe("not checked");
  expect(readFileSync(join(path, file!)).length).toBe(own.figures.sizeBytes!.value);

  const card = readFileSync(join(path, "README.md"), "utf8");
  expect(card).toContain(`llama-cli -m "${file}"`);
  expect(card).toContain("library_name: gguf");
  expect(card).not.toContain("transformers.js](");
  const report = readFileSync(join(path, "report.html"), "utf8");
  expect(report).toContain("in llama.cpp,");
  expect(JSON.parse(readFileSync(join(path, "config.json"), "utf8"))).not.toHaveProperty(
    "transformers.js_config",
  );

  const front = candidates.filter(({ onFront }) => onFront);
  expect(front.length).toBeGreaterThan(0);
  for (const { number, dtype, figures } of front) {
    const [kept] = ggufIn(join(out, `trial-${number}`));
    expect(kept, dtype).toBeDefined();
    expect(readFileSync(join(out, `trial-${number}`, kept!)).length).toBe(figures.sizeBytes!.value);
  }
  const verified = await anneal(["verify", path, "--target", "llama.cpp", "--count", "2", "--threads", "1"]);
  expect(verified.code, verified.stdout).toBe(0);
  const again = await anneal([...asked, "--resume"]);
  expect(again.code, again.stderr).toBe(0);
  expect(onlyJson<Found>(again).candidates.length).toBe(candidates.length);
}, 300_000);

test("what llama.cpp cannot be asked is refused before anything is measured", async () => {
  const out = ["--out", join(dir, "none"), "--data", data];
  const both = await anneal(["optimize", model, ...out, "--target", "llama.cpp", "node-cpu"]);
  expect(both.code).toBe(2);
  expect(both.stderr).toMatch(/llama\.cpp and node-cpu run different files.*search twice/s);
  const bert = join(dir, "bert");
  await writeModel(bert, tinyModel("bert", "features"), ["fp32"]);
  const encoder = await anneal(["optimize", bert, ...out, "--target", "llama.cpp"]);
  expect(encoder.code).toBe(2);
  expect(encoder.stderr).toMatch(/bert cannot be written as GGUF.*gpt2, llama, qwen2, qwen3/s);
  const rounding = ["--search", "rounding=gptq"];
  const rounded = await anneal(["optimize", model, ...out, "--target", "llama.cpp", ...rounding]);
  expect(rounded.code).toBe(2);
  expect(rounded.stderr).toMatch(/"rounding" is not searched.*there are: layers.*dtype/s);
  const kind = await anneal(["optimize", model, ...out, "--target", "llama.cpp", "--search", "dtype=q8"]);
  expect(kind.code).toBe(2);
  expect(kind.stderr).toMatch(/q8 is not what it takes.*q8_0/s);
  for (const verb of ["eval", "compare"]) {
    const more = verb === "compare" ? [model] : [];
    const asked = await anneal([verb, model, ...more, "--data", data, "--target", "llama.cpp"]);
    expect([verb, asked.code]).toEqual([verb, 2]);
    expect(asked.stderr).toContain("llama.cpp runs GGUF files");
  }
});
