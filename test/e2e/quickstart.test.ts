/** quickstart as a user runs it, and its result as @huggingface/transformers loads it. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AutoModelForCausalLM, AutoTokenizer, env } from "@huggingface/transformers";
import { describe, expect, it } from "vitest";
import { loadFolder } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import type { Evaluation } from "../../src/recipes/evaluate/evaluation.ts";
import { decoderOf } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import type { ParityFile } from "../../src/ship/verify/verify.ts";
import {
  annealHere as anneal,
  type Finished,
  filesBelow,
  lineCount,
  onlyJson,
  sentences,
  start,
  until,
} from "./command.ts";
import {
  artefacts,
  data,
  dir,
  first,
  model,
  others,
  quickstart,
  type Result,
  shape,
  smallestOf,
  work,
} from "./quickstarted.ts";

describe("quickstart", () => {
  const brief = ["--steps", "4", "--distill-steps", "2"];
  const taught = "--batch 4 --distill-steps 4 --threads 1 --json".split(" ");

  it("ends well, with one JSON object on stdout", () => {
    expect(first.code, first.stderr).toBe(0);
    expect(first.stderr).not.toMatch(/error/);
    expect(first.stderr).not.toContain("\u001b");
    const { met, path, candidates, chosen, parity } = onlyJson<Result>(first);
    expect({ met, path }).toEqual({ met: true, path: model });
    expect(candidates.map(({ name }) => name)).toContain(chosen);
    expect(parity.targets["node-cpu"]!.dtypes.fp32).toMatchObject({ greedyAgreement: 1 });
  });

  it("ships a whole folder whose fp32 graph computes what the training graph does", () => {
    expect(filesBelow(model)).toEqual([...artefacts, ...others].sort());
    const parity = JSON.parse(readFileSync(join(model, "parity.json"), "utf8")) as Result["parity"];
    const { dtypes } = parity.targets["node-cpu"]!;
    expect(Object.keys(dtypes)).toEqual(["fp32", "q8", "q4"]);
    expect(dtypes.fp32!.maxLogitDiff).toBeLessThan(1e-3);
    expect(dtypes.fp32!.greedyAgreement).toBe(1);
    expect(parity.targets["web-wasm"]).toMatchObject({ status: "not checked" });
  });

  it("learned something: the held-out loss is far below that of guessing", () => {
    const rows = readFileSync(join(dir, "first/run/metrics.jsonl"), "utf8").trim().split("\n");
    const parsed = rows.map((row) => JSON.parse(row) as { run: string; valLoss?: number });
    const losses = parsed.flatMap(({ run, valLoss }) =>
      run === parsed[0]!.run && valLoss !== undefined ? [valLoss] : [],
    );
    expect(losses).toHaveLength(4);
    expect(losses.at(-1)).toBeLessThan(0.75 * Math.log(300));
  });

  it("makes the same bytes of one seed, killed while the student is taught and resumed", async () => {
    const metrics = join(dir, "killed/run/metrics.jsonl");
    const args = ["quickstart", "--data", data, "--out", join(dir, "killed"), ...shape, ...work];
    const { child, finished } = start(args);
    // 40 updates and 4 measurements of the whole model, then the student's.
    expect(await until(() => lineCount(metrics) > 50, finished)).toBe(true);
    child.kill("SIGKILL");
    await finished;
    expect(filesBelow(join(dir, "killed/model"))).toEqual([]);
    expect(await anneal([...args, "--resume"])).toMatchObject({ code: 0 });
    for (const name of artefacts) {
      const [a, b] = ["first", "killed"].map((run) => readFileSync(join(dir, run, "model", name)));
      expect(a!.equals(b!), name).toBe(true);
    }
  });

  it("ships and names the nearest candidate where nothing meets the budget", async () => {
    const finished = await quickstart("tight", ...brief, "--max-mb", "0.0001", "--max-loss", "100");
    expect(finished.code).toBe(5);
    const { met, exceeded, chosen, candidates, path } = onlyJson<Result>(finished);
    const smallest = smallestOf(candidates);
    expect({ met, chosen }).toEqual({ met: false, chosen: smallest.name });
    expect(exceeded).toEqual([expect.stringMatching(/^size 0\.0\d+ MB \(limit 0\.0001\)$/)]);
    expect(filesBelow(path)).toEqual([...artefacts, ...others].sort());
  });

  it("makes a model of the smallest context and a single layer", async () => {
    const finished = await quickstart("small", "--context", "2", "--layers", "1", ...brief);
    expect(finished.code, finished.stdout).toBe(0);
    expect(onlyJson<Result>(finished).parity.targets["node-cpu"]!.dtypes.fp32!.maxLogitDiff).toBeLessThan(
      1e-3,
    );
  });

  it("takes limits on any figures, relative ones too, and shows them in card and report", async () => {
    const limits = ["--limit", "firstTokenMs<=60s", "--limit", "sizeBytes<=0.9x", "--min-quality", "0.2"];
    const args = ["optimize", model, "--data", data, "--out", join(dir, "limited"), ...limits];
    const finished = await anneal([...args, ...taught]);
    expect(finished).toMatchObject({ code: 0 });
    const { met, chosen, candidates, path } = onlyJson<Result>(finished);
    const [whole, taken] = [candidates[0]!, candidates.find(({ name }) => name === chosen)!];
    expect(met).toBe(true);
    expect(taken.figures.sizeBytes!.value).toBeLessThanOrEqual(0.9 * whole.figures.sizeBytes!.value);
    const allowed = candidates.filter(
      ({ fault, figures }) =>
        fault === undefined && figures.sizeBytes!.value <= 0.9 * whole.figures.sizeBytes!.value,
    );
    const least = Math.min(...allowed.map(({ figures }) => figures.lost!.value));
    expect(taken.figures.lost!.value).toBe(least);
    const words = "at most 60000 ms to the first token, at most 0.9x the start's size";
    const samples = readFileSync(join(path, "report.html"), "utf8").split('id="samples"')[1]!;
    for (const name of ["full fp32", chosen]) expect(samples).toContain(`<figcaption>${name}</figcaption>`);
    for (const file of ["README.md", "report.html"]) {
      const text = readFileSync(join(path, file), "utf8").replaceAll("&#39;", "'");
      expect(text.replace(/\\/g, "")).toContain(words);
    }
  });

  it.each([
    [
      ["--limit", "accuracy>=0.9"],
      /"budget.limits".*no figure "accuracy".*there are: bitsPerByte, lost, kept, /s,
    ],
    [["--limit", "sizeBytes"], /"sizeBytes" is no limit.*FIGURE<=VALUE/s],
    [["--limit", "p50Ms>=3", "--max-ms", "2"], /cannot be at least 3 and at most 2/],
  ])("refuses %j before anything is read", async (limits, message) => {
    const missing = ["optimize", model, "--data", join(dir, "not there"), "--out", join(dir, "refused")];
    const { code, stderr } = await anneal([...missing, ...limits]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});

describe("in @huggingface/transformers", () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  const prompts = sentences(10, 2).map((text, i) => text.slice(0, 8 + 2 * i));
  const load = (dtype?: "fp32" | "q8" | "q4") =>
    AutoModelForCausalLM.from_pretrained(model, dtype === undefined ? {} : { dtype });

  for (const dtype of ["fp32", "q8", "q4", undefined] as const) {
    it(`loads ${dtype ?? "without a dtype"} and generates`, async () => {
      const tokenizer = await AutoTokenizer.from_pretrained(model);
      const loaded = await load(dtype);
      const inputs = tokenizer("The quiet");
      const out = (await loaded.generate({ ...inputs, max_new_tokens: 12, do_sample: false })) as Ids;
      await loaded.dispose();
      expect(out.tolist()[0]!.length).toBeGreaterThan(inputs.input_ids.dims[1]!);
    });
  }

  interface Ids {
    tolist(): bigint[][];
  }
  // An end-of-text id that no token has: both go on for as long as they are told.
  const endless = { max_new_tokens: 64, do_sample: false, eos_token_id: 1e6 };

  it("writes the same 64 tokens as anneal", async () => {
    const folder = await loadFolder(model);
    const engine = await nodeEngine();
    const graph = await engine.load(join(model, "onnx/model.onnx"));
    const decoder = decoderOf(graph, folder.model.arch.cache(folder.model.config));
    const tokenizer = await AutoTokenizer.from_pretrained(model);
    const loaded = await load("fp32");
    for (const prompt of prompts) {
      const ids = folder.tokenizer.encode(prompt);
      const inputs = tokenizer(prompt);
      expect(inputs.input_ids.tolist()[0].map(Number), prompt).toEqual(Array.from(ids));
      const ours: number[] = [];
      for await (const id of generate(decoder, ids, { maxTokens: 64, temperature: 0 })) ours.push(id);
      const theirs = (await loaded.generate({ ...inputs, ...endless })) as Ids;
      expect(ours).toHaveLength(64);
      expect(theirs.tolist()[0]!.slice(ids.length).map(Number), prompt).toEqual(ours);
    }
    await loaded.dispose();
    await decoder.dispose();
  });

  it("writes the same in a left-padded batch as alone", async () => {
    const tokenizer = await AutoTokenizer.from_pretrained(model);
    tokenizer.padding_side = "left";
    const loaded = await load("fp32");
    const both = [prompts[0]!, prompts[9]!];
    const batch = tokenizer(both, { padding: true });
    const together = ((await loaded.generate({ ...batch, ...endless, max_new_tokens: 32 })) as Ids).tolist();
    const padded = batch.input_ids.dims[1]!;
    for (const [i, prompt] of both.entries()) {
      const inputs = tokenizer(prompt);
      const alone = (await loaded.generate({ ...inputs, ...endless, max_new_tokens: 32 })) as Ids;
      const length = inputs.input_ids.dims[1]!;
      expect(together[i]!.slice(padded), prompt).toEqual(alone.tolist()[0]!.slice(length));
    }
    expect(batch.input_ids.tolist()[0][0]).toBe(0n);
    await loaded.dispose();
  });
});

describe("with the result", () => {
  const write = (...more: string[]): Promise<Finished> => anneal(["generate", model, "-n", "24", ...more]);

  it("generates text that goes on from the prompt, the same for one seed", async () => {
    const [a, b, c] = await Promise.all(
      ["1", "1", "2"].map((seed) => write("--prompt", "The old", "--seed", seed)),
    );
    expect(a).toMatchObject({ code: 0, stdout: expect.stringMatching(/^The old.+\n$/s) });
    expect(b!.stdout).toBe(a!.stdout);
    expect(c!.stdout).not.toBe(a!.stdout);
  });

  it("generates as JSON, and from stdin", async () => {
    const json = await write("--prompt", "The old", "--greedy", "--json");
    const { prompt, text } = onlyJson<{ prompt: string; text: string }>(json);
    const args = ["generate", model, "-n", "24", "--greedy", "--prompt", "-"];
    const piped = await anneal(args, { input: "The old\n" });
    expect(piped).toMatchObject({ code: 0, stdout: `${prompt}${text}\n` });
  });

  it("generates the same text greedily in fp32 as transformers", async () => {
    const { stdout } = await write("--prompt", "The old", "--greedy", "--dtype", "fp32", "--json");
    const { text } = JSON.parse(stdout) as { text: string };
    const tokenizer = await AutoTokenizer.from_pretrained(model);
    const loaded = await AutoModelForCausalLM.from_pretrained(model, { dtype: "fp32" });
    const options = { max_new_tokens: 24, do_sample: false };
    const out = (await loaded.generate({ ...tokenizer("The old"), ...options })) as { tolist(): bigint[][] };
    await loaded.dispose();
    expect(`The old${text}`).toBe(tokenizer.decode(out.tolist()[0]!, { skip_special_tokens: true }));
  });

  it("refuses a dtype that there is not, and a prompt longer than the context", async () => {
    const dtype = await write("--dtype", "q5");
    expect(dtype).toMatchObject({ code: 2, stderr: expect.stringMatching(/dtype.*\n.*fp32, fp16, q8/) });
    const long = await write("--prompt", "The old river holds the lamp. ".repeat(60));
    expect(long).toMatchObject({ code: 2, stderr: expect.stringContaining("96 positions") });
  });

  it("warns once where parity.json says that the dtype failed on this processor", async () => {
    const marked = join(dir, "marked");
    cpSync(model, marked, { recursive: true });
    const file = join(marked, "parity.json");
    const parity = JSON.parse(readFileSync(file, "utf8")) as ParityFile;
    const { dtypes } = parity.targets["node-cpu"]!;
    const q4 = { ...dtypes.q4!, status: "failed" as const, reason: "cosine 0.5", instead: "q8" };
    Object.assign(dtypes, { q4 });
    writeFileSync(file, JSON.stringify(parity));
    const warning = /q4 of .* fails parity on node-cpu \(cosine 0\.5\): use --dtype q8/g;
    const warned = ({ code, stderr }: Finished) => [code, stderr.match(warning)?.length ?? 0];
    const [bad, good, evaluated] = await Promise.all([
      anneal(["generate", marked, "-n", "4", "--prompt", "The", "--dtype", "q4"]),
      anneal(["generate", marked, "-n", "4", "--prompt", "The", "--dtype", "fp32"]),
      anneal(["eval", marked, "--data", data, "--dtype", "q4", "--json"]),
    ]);
    expect([bad, good, evaluated].map(warned)).toEqual([
      [0, 1],
      [0, 0],
      [0, 1],
    ]);
  });

  it("evaluates it", async () => {
    const args = ["eval", model, "--data", data, "--validation-share", "0.2", "--json"];
    const [fp32, q4] = await Promise.all(["fp32", "q4"].map((dtype) => anneal([...args, "--dtype", dtype])));
    const [a, b] = [onlyJson<Evaluation>(fp32!), onlyJson<Evaluation>(q4!)];
    expect([fp32!.code, q4!.code, a.dtype, b.dtype]).toEqual([0, 0, "fp32", "q4"]);
    expect([a.graphs, a.task]).toEqual(["shipped", "causal-lm"]);
    const { value } = a.figures.natsPerToken!;
    expect(value).toBeGreaterThan(0.5);
    expect(value).toBeLessThan(0.75 * Math.log(300));
    expect(b.figures.natsPerToken!.value).not.toBe(value);
    expect(a.figures.p50Ms!.value).toBeGreaterThan(0);
  });
});
