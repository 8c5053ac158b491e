/** Folders that are quantized: what is written loads, agrees with its weights, and says what it is. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type EndedInProcess, inProcess } from "../../src/cli/inProcess.fixture.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import { agreement, dir, modelOf, reference, theirs } from "./exported.ts";

const alphabet = "the quick brown fox jumps over a lazy dog.";
const source = join(dir, "to-quantize");
const text = join(dir, "foxes.jsonl");
const records = (of: (i: number) => string): string =>
  Array.from({ length: 40 }, (_, i) => `${JSON.stringify({ text: `${of(i)}.` })}\n`).join("");
const anneal = (...argv: string[]): Promise<EndedInProcess> => inProcess(dir, argv);

beforeAll(async () => {
  const { tokenizer, config } = charTokenizer(alphabet).files();
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = new Map([
    ["tokenizer.json", bytes(tokenizer)],
    ["tokenizer_config.json", bytes(config)],
  ]);
  await writeFolder(source, exportModel(modelOf("gpt2", "causal-lm"), { files }));
  const words = alphabet.slice(0, -1).split(" ");
  const record = (i: number) => Array.from({ length: 30 }, (_, w) => words[(i * w * w + w) % 9]).join(" ");
  writeFileSync(text, records(record));
});

const quantize = (...argv: string[]) =>
  anneal("quantize", source, "--data", text, "--threads", "1", "--calibration-tokens", "600", ...argv);

describe("anneal quantize", () => {
  it("rounds by any method; the folder loads, passes verify and tells what was done", async () => {
    const model = modelOf("gpt2", "causal-lm");
    const expected = await reference(model);
    for (const method of ["gptq", "awq"]) {
      const out = join(dir, `by-${method}`);
      const { code, out: said, err } = await quantize("--method", method, "--out", out, "--json");
      expect(code, err).toBe(0);
      const made = JSON.parse(said) as Record<string, number> & { before: object; wide: string[] };
      expect(made).toMatchObject({
        bits: 4,
        block: 32,
        method,
        dtypes: ["q4"],
        met: true,
        unit: "nats per token",
      });
      expect(made.calibrationTokens).toBeGreaterThan(300);
      const found = await theirs(out, "causal-lm", "q4", model);
      expect(agreement(model, expected, found).cosine, method).toBeGreaterThan(0.98);
      const json = JSON.parse(readFileSync(join(out, "anneal.json"), "utf8"));
      expect(json.export.quantize).toMatchObject({ bits: 4, method, block: 32, wide: made.wide });
      expect(readFileSync(join(out, "README.md"), "utf8")).toMatch(
        /## Quantization\n\nThe matrices are rounded by/,
      );
    }
    const parity = await verifyFolder(join(dir, "by-gptq"), { targets: ["node-cpu"], count: 2, threads: 1 });
    expect(parity.targets["node-cpu"]).toMatchObject({ status: "passed" });
    const [plain, folded] = [await loadModel(source), await loadModel(join(dir, "by-awq"))];
    expect(
      agreement(model, expected, (await reference(folded.model)).data as Float32Array).maxDiff,
    ).toBeLessThan(1e-4);
    expect(folded.model.weights).not.toEqual(plain.model.weights);
  });

  it("predicts sizes without writing, and gives what is nearest where nothing is small enough", async () => {
    const dry = await quantize("--dry-run", "--out", join(dir, "dry"), "--json");
    const { denseBytes, leastBytes, mostBytes } = JSON.parse(dry.out) as Record<string, number>;
    expect(existsSync(join(dir, "dry"))).toBe(false);
    expect(leastBytes!).toBeLessThan(mostBytes!);
    expect(mostBytes!).toBeLessThan(denseBytes! / 2);
    const between = (leastBytes! + mostBytes!) / 2e6;
    const out = join(dir, "small");
    // 32 bits a weight now: as many as the bytes between come to.
    const size = ["--bits-per-weight", String((32e6 * between) / denseBytes!)];
    const some = await quantize(...size, "--keep-8", "down", "--out", out, "--json");
    const made = JSON.parse(some.out) as { after: { sizeBytes: number }; wide: string[]; matrices: number };
    expect(some.code, some.err).toBe(0);
    expect(made.after.sizeBytes).toBeLessThanOrEqual(between * 1e6);
    expect(made.wide).toEqual(expect.arrayContaining([expect.stringMatching(/mlp.down_proj|mlp.c_proj/)]));
    const none = await quantize("--max-mb", "0.001", "--out", out);
    expect(none.code).toBe(5);
    expect(none.out).toContain(`Nothing is as small as 0.00 MB: this is the nearest.`);
  });

  it("of encoders too, and 8 bits", async () => {
    const from = join(dir, "bert-source");
    const model = modelOf("bert", "masked-lm");
    const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...alphabet.slice(0, -1).split(" "), "."];
    const vocab = new TextEncoder().encode(`${words.join("\n")}\n`);
    await writeFolder(from, exportModel(model, { files: new Map([["vocab.txt", vocab]]) }));
    const expected = await reference(model);
    for (const argv of [
      ["--method", "gptq"],
      ["--bits", "8"],
    ]) {
      const out = join(dir, `bert${argv[1]}`);
      const ended = await anneal("quantize", from, "--data", text, "--threads", "1", ...argv, "--out", out);
      expect({ code: ended.code, out: ended.out }).toMatchObject({
        code: 0,
        out: expect.stringContaining("float32"),
      });
      const dtype = argv[1] === "8" ? "q8" : "q4";
      const { cosine } = agreement(model, expected, await theirs(out, "masked-lm", dtype, model));
      expect(cosine).toBeGreaterThan(0.98);
    }
  });

  it("of classifiers, whose records are cut to what the model can read", async () => {
    const from = join(dir, "labels-source");
    const labels = { id2label: { 0: "no", 1: "yes" }, label2id: { no: 0, yes: 1 } };
    const model = modelOf("bert", "sequence-classification", { ...labels, max_position_embeddings: 20 });
    const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...alphabet.slice(0, -1).split(" "), "."];
    const vocab = new TextEncoder().encode(`${words.join("\n")}\n`);
    await writeFolder(from, exportModel(model, { files: new Map([["vocab.txt", vocab]]) }));
    const said = join(dir, "labelled.jsonl");
    const rows = Array.from({ length: 40 }, (_, i) => ({
      text: `the ${"quick brown fox ".repeat(1 + (i % 12))}${i % 2 ? "over" : "jumps"}.`,
      label: i % 2 ? "yes" : "no",
    }));
    writeFileSync(said, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const out = join(dir, "labels-8");
    const ended = await anneal(
      "quantize",
      from,
      "--data",
      said,
      "--threads",
      "1",
      "--bits",
      "8",
      "--out",
      out,
    );
    expect(ended.code, ended.err).toBe(0);
    const found = await theirs(out, "sequence-classification", "q8", model);
    expect(agreement(model, await reference(model), found).cosine).toBeGreaterThan(0.99);
  });

  it("refuses what makes no sense, and writes nothing", async () => {
    const gguf = join(dir, "tiny-Q4_K_M.gguf");
    writeFileSync(gguf, "GGUF");
    const empty = join(dir, "no-text");
    mkdirSync(empty);
    const cases: [argv: string[], says: RegExp][] = [
      [["--method", "gptp"], /quantize.method.*"gptp", a method that is not known/],
      [["--block", "48"], /quantize.block.*must be 32, 64, 128, not 48/],
      [["--bits", "2"], /quantize.bits.*must be 8 or 4, not 2/],
      [["--bits", "8", "--method", "gptq"], /quantize.method.*goes with 4 bits only/],
      [["--bits", "8", "--max-mb", "1"], /goes with 4 bits only/],
      [["--max-mb", "1", "--bits-per-weight", "5"], /quantize.bitsPerWeight.*are two sizes/],
      [["--keep-8", "head,dwon"], /quantize.keep8.*"dwon", a kind of matrix that is not known.*"down"/s],
      [["--keep-8", "gate"], /quantize.keep8.*"gate", and the model has no such matrices/],
    ];
    for (const [argv, says] of cases) {
      const { code, err } = await quantize(...argv, "--out", join(dir, "refused"));
      expect(code, argv.join(" ")).toBe(2);
      expect(err).toMatch(says);
    }
    const rounded = await anneal("quantize", gguf, "--out", join(dir, "refused"));
    expect(rounded).toMatchObject({ code: 2, err: expect.stringMatching(/is Q4_K_M already, by its name/) });
    const none = await anneal(
      "quantize",
      source,
      "--method",
      "awq",
      "--data",
      empty,
      "--out",
      join(dir, "refused"),
    );
    expect(none.code).toBe(3);
    expect(existsSync(join(dir, "refused"))).toBe(false);
  });

  it("warns of text that is foreign to the model", async () => {
    const strange = join(dir, "strange.jsonl");
    writeFileSync(
      strange,
      records((i) => "zzzz qqqq xkxk ".repeat(9 + i)),
    );
    const ended = await anneal(
      ...["quantize", source, "--data", strange, "--out", join(dir, "warned"), "--calibration-tokens", "300"],
    );
    expect(ended.code, ended.err).toBe(0);
    expect(ended.err).toMatch(/calibration text costs the model .* nats a token, and guessing/);
  });
});
