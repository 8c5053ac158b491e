/** Two models on the same data: what pairs tell, what limits say, and by what exit code. */
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { compareModels } from "../../src/recipes/compare/compare.ts";
import type { CompareOptions, Comparison } from "../../src/recipes/compare/comparison.ts";
import { resolveOptions } from "../../src/recipes/config/resolve.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { annealHere as anneal, onlyJson, sentences } from "./command.ts";
import { corpusOf, dir, evaluated, folder, hooks, optionsFor, written } from "./evaluated.ts";

const compared = async (
  models: readonly [string, string],
  data: string,
  given: CompareOptions = {},
): Promise<Comparison> => compareModels(models, { turns: 0, ...given }, await optionsFor(data), hooks);

const difference = ({ differences }: Comparison, name: string) =>
  differences.find(({ figure }) => figure === name)!;

describe("decoders", () => {
  let [model, data] = ["", ""];
  beforeAll(async () => {
    [model, data] = [await folder("gpt2"), corpusOf()];
  });

  test("what is lost is told in pairs, sizes are known, speed is taken in turns", async () => {
    const options = await resolveOptions({
      cwd: dir,
      flags: { data: { paths: [data] }, threads: 1, budget: { limits: ["sizeBytes<=0.9x", "p50Ms<=1000"] } },
    });
    const found = await compareModels(
      [model, `${model}#q4`],
      { minRetention: 0.5, turns: 1 },
      options,
      hooks,
    );
    const { first, second } = found;
    expect([first.dtype, first.graphs, second.dtype, second.graphs]).toEqual([
      "fp32",
      "shipped",
      "q4",
      "made",
    ]);
    const [one, other] = [first.figures.bitsPerByte!, second.figures.bitsPerByte!];
    const lost = second.figures.lost!;
    expect(lost.value).toBeCloseTo(other.value - one.value, 5);
    expect(lost.high - lost.low).toBeLessThan((one.high - one.low) / 3);
    expect(second.figures.kept!.value).toBeCloseTo(one.value / other.value, 5);
    expect(difference(found, "sizeBytes")).toMatchObject({ standing: "better" });
    const time = difference(found, "node-cpu/p50Ms");
    expect(time.ratio).toMatchObject({ n: 1 });
    expect(time.ratio!.low).toBeLessThanOrEqual(time.ratio!.high);
    expect(found.limits.map(({ figure, kept, sure }) => [figure, kept, sure])).toEqual([
      ["kept", true, true],
      ["sizeBytes", true, true],
      ["node-cpu/p50Ms", true, false], // a single turn says nothing of its spread
    ]);
    expect(found.met).toBe(true);
    const alone = await evaluated(model, data);
    expect(one.value).toBeCloseTo(alone.figures.bitsPerByte!.value, 1);
  });

  test("a model is the same as itself, to the bit", async () => {
    const found = await compared([model, model], data, { minRetention: 1 });
    expect(difference(found, "lost")).toMatchObject({ difference: { value: 0 }, standing: "same" });
    expect(found.limits).toMatchObject([{ figure: "kept", kept: true, sure: true }]);
  });

  test("one of another tokenizer is compared by the bits of the same bytes", async () => {
    const other = join(dir, "gpt2-other");
    cpSync(model, other, { recursive: true });
    const { tokenizer, config } = trainBpe([sentences(60).join("\n")], { vocab: 280 }).files();
    writeFileSync(join(other, "tokenizer.json"), JSON.stringify(tokenizer));
    writeFileSync(join(other, "tokenizer_config.json"), JSON.stringify(config));
    const found = await compared([model, other], data);
    expect(found.pairs).toBeGreaterThan(2);
    expect(found.example).toBe("256 bytes of text");
    expect(difference(found, "lost").difference.value).not.toBe(0);
  });

  test("the command ends with 5 where a limit is not kept, and says what noise leaves open", async () => {
    const args = ["compare", model, `${model}#q8`, "--data", data, "--turns", "0", "--threads", "1"];
    const strict = await anneal([...args, "--min-retention", "0.5", "--max-mb", "0.001", "--json"], {
      cwd: dir,
    });
    expect(strict.code).toBe(5);
    const { limits, second } = onlyJson<Comparison>(strict);
    expect(limits.map(({ figure, kept }) => [figure, kept])).toEqual([
      ["kept", true],
      ["sizeBytes", false],
    ]);
    const { lost } = second.figures;
    const limit = ["--limit", `lost<=${(lost!.value + lost!.high) / 2}`];
    const { code, stdout } = await anneal([...args, ...limit, "--sure"], { cwd: dir });
    expect(code).toBe(5);
    expect(stdout).toMatch(/kept +at most .*within noise: about \d+ times 256 bytes of text more would tell/);
  });
});

test("classifiers: accuracy in pairs, and the records on which they differ", async () => {
  const model = await folder("bert", "sequence-classification");
  const texts = ["the old cat sat", "a dog ran far", "the river", "old and red", "a cat ran away", "the mat"];
  const rows = texts.map((text, i) => ({ text, label: ["PET", "PLACE"][i % 2] }));
  const found = await compared([model, `${model}#q4`], written("labelled.jsonl", rows));
  expect(found).toMatchObject({ pairs: 6, example: "record", task: "sequence-classification" });
  const { records, differ, onlyFirst, onlySecond, examples } = found.predictions!;
  expect([records, examples.length]).toEqual([6, differ]);
  const [one, other] = [found.first.figures.accuracy!.value, found.second.figures.accuracy!.value];
  expect((onlyFirst - onlySecond) / 6).toBeCloseTo(one - other, 6);
  // Six records on which two agree do not tell that they always would.
  const { value, low, high } = found.second.figures.lost!;
  expect(value).toBeCloseTo(one - other, 6);
  expect(high - low).toBeGreaterThan(0.3);
});

test("vectors of running text are told against the first model's weights", async () => {
  const model = await folder("bert", "features");
  const found = await compared([model, `${model}#q8`], corpusOf(1500));
  expect(found.first.figures.rankAgreement!.value).toBeCloseTo(1, 3);
  expect(found.second.figures.kept!.value).toBeLessThan(1);
});

describe("what cannot be compared", () => {
  test.each([
    [() => ["gpt2", "bert"] as const, /of causal-lm, the second of masked-lm/],
    [() => ["gpt2", "gpt2#q9"] as const, /"q9"|q9 is no/],
    [() => ["gpt2", "none"] as const, /none: is no folder|none/],
  ])("%#", async (names, message) => {
    const own = { gpt2: await folder("gpt2"), bert: await folder("bert", "masked-lm") };
    const paths = names().map((name) => {
      const [base, dtype] = name.split("#") as [keyof typeof own, string?];
      return `${own[base] ?? join(dir, name)}${dtype === undefined ? "" : `#${dtype}`}`;
    });
    await expect(compared(paths as [string, string], corpusOf())).rejects.toThrow(message);
  });

  test("data without labels, a share that is none, a folder with neither graphs nor weights", async () => {
    const model = await folder("bert", "sequence-classification");
    const plain = written("plain.jsonl", [{ text: "the cat" }, { text: "a dog" }]);
    await expect(compared([model, model], plain)).rejects.toThrow(/label/);
    await expect(compared([model, model], plain, { minRetention: 1.2 })).rejects.toThrow(/1\.2 is no share/);
    const bare = join(dir, "bare");
    cpSync(model, bare, { recursive: true });
    rmSync(join(bare, "onnx"), { recursive: true });
    rmSync(join(bare, "model.safetensors"), { force: true });
    const rows = written("two.jsonl", [
      { text: "the cat", label: "PET" },
      { text: "a dog", label: "PLACE" },
    ]);
    await expect(compared([model, bare], rows)).rejects.toThrow(/model\.safetensors|weights/);
  });

  test("a time that is not taken cannot be limited", async () => {
    const flags = { data: { paths: [corpusOf()] }, threads: 1, budget: { maxMs: 5 } };
    const options = await resolveOptions({ cwd: dir, flags });
    const model = await folder("gpt2");
    await expect(compareModels([model, model], { turns: 0 }, options, hooks)).rejects.toThrow(
      /p50Ms was not measured/,
    );
  });
});
