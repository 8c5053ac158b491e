/** Every kind of model goes the whole way from the command line: trained, resumed, made smaller, shipped. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tensorOf } from "../../src/ir/tensor.ts";
import type { Figures } from "../../src/metrics/metric.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import {
  annealHere as anneal,
  type Finished,
  lineCount,
  onlyJson,
  start,
  until,
  writeCorpus,
} from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-kinds-"));
const text = join(dir, "text");
const pairs = join(dir, "pairs.jsonl");
const shape = "--layers 2 --heads 2 --width 32 --context 24 --vocab 400".split(" ");
const work =
  "--steps 40 --warmup 5 --batch 4 --eval-every 20 --checkpoint-every 10 --seed 3 --threads 1".split(" ");

interface Kind {
  readonly family: string;
  readonly data: string;
  readonly task: string;
  readonly figure: string;
}

const kinds: readonly Kind[] = [
  { family: "bert", data: text, task: "masked-lm", figure: "nats per masked token" },
  { family: "t5", data: text, task: "seq2seq-lm", figure: "nats per target token" },
  { family: "marian", data: pairs, task: "seq2seq-lm", figure: "nats per target token" },
];

const train = ({ family, data }: Kind, out: string, ...more: string[]): string[] => [
  ...["train", "--family", family, "--data", data, "--out", join(dir, out)],
  ...[...shape, ...work, ...more],
];

beforeAll(() => {
  writeCorpus(text, 80);
  const line = (i: number) => JSON.stringify({ source: `the number ${i} is here`, target: `hier ist ${i}` });
  writeFileSync(pairs, `${Array.from({ length: 60 }, (_, i) => line(i)).join("\n")}\n`);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const succeeded = (run: Finished): Finished => {
  expect(run.stderr + run.code).toMatch(/0$/);
  return run;
};
const weights = (out: string): Buffer => readFileSync(join(dir, out, "model/model.safetensors"));

describe.each(kinds)("$family", (kind) => {
  const { family } = kind;
  const small = join(dir, `${family}-small`);

  test("is trained", async () => {
    succeeded(await anneal(train(kind, family)));
  }, 60_000);

  // The one loop of all kinds: see test/resume.test.ts for the others.
  const isFirst = kind === kinds[0];
  test.runIf(isFirst)(
    "a run that was stopped ends with the same bytes",
    async () => {
      const metrics = join(dir, `${family}-2/run/metrics.jsonl`);
      const { child, finished } = start(train(kind, `${family}-2`));
      await until(() => lineCount(metrics) >= 15, finished);
      child.kill("SIGINT");
      await finished;
      expect(existsSync(join(dir, `${family}-2/model`))).toBe(false);
      succeeded(await anneal(train(kind, `${family}-2`, "--resume")));
      expect(weights(`${family}-2`).equals(weights(family))).toBe(true);
    },
    120_000,
  );

  test.runIf(isFirst)(
    "on other data is not gone on with",
    async () => {
      const other = join(dir, `${family}-other`);
      if (kind.data === pairs) {
        writeFileSync(other, readFileSync(pairs, "utf8").replace("the number 7", "the number 77"));
      } else writeCorpus(other, 81);
      const named = kind.data === pairs ? `${other}.jsonl` : other;
      if (kind.data === pairs) writeFileSync(named, readFileSync(other));
      const run = await anneal(train({ ...kind, data: named }, `${family}-2`, "--resume"));
      expect(run.code).not.toBe(0);
      expect(run.stderr).toMatch(/data/);
    },
    60_000,
  );

  test("is made smaller by its own figure, in every dtype", async () => {
    const budget = ["--distill-steps", "6", "--max-loss", "5", "--batch", "4", "--threads", "1"];
    const model = join(dir, family, "model");
    const made = succeeded(
      await anneal(["optimize", model, "--data", kind.data, ...budget, "--out", small, "--json"]),
    );
    const result = onlyJson(made) as {
      readonly task: string;
      readonly metric: { readonly name: string; readonly figure: string };
      readonly candidates: readonly { readonly name: string; readonly figures: Figures }[];
      readonly parity: { readonly targets: Readonly<Record<string, { readonly status: string }>> };
    };
    expect(result).toMatchObject({ task: kind.task, metric: { name: kind.figure } });
    expect(result.candidates.map(({ name }) => name)).toEqual([
      ...["full fp32", "full q8", "full q4", "1-layer pruned fp32"],
      ...["1-layer distilled fp32", "1-layer distilled q8", "1-layer distilled q4"],
    ]);
    for (const { figures } of result.candidates) {
      const { value, low, high, n } = figures[result.metric.figure]!;
      expect(value).toBeGreaterThan(0);
      expect([low < value, value < high, n > 1]).toEqual([true, true, true]);
      expect(figures["node-cpu/p50Ms"]!.value).toBeGreaterThan(0);
    }
    expect(result.parity.targets["node-cpu"]!.status).toBe("passed");
    const card = readFileSync(join(small, "model/README.md"), "utf8");
    expect(card).toContain(kind.figure);
    expect(readFileSync(join(small, "model/report.html"), "utf8")).toContain(kind.figure);
  }, 120_000);
});

describe("refused are", () => {
  test("a record with one side, by its line", async () => {
    const half = join(dir, "half.jsonl");
    writeFileSync(half, `${readFileSync(pairs, "utf8")}{"source":"alone"}\n`);
    const { code, stderr } = await anneal(train({ ...kinds[2]!, data: half }, "half"));
    expect(code).toBe(3);
    expect(stderr).toMatch(/half\.jsonl.*61.*target.*is missing/s);
  }, 60_000);

  test("an empty side, by its place", async () => {
    const empty = join(dir, "empty.jsonl");
    writeFileSync(empty, `${readFileSync(pairs, "utf8")}{"source":"x","target":" "}\n`);
    const { code, stderr } = await anneal(train({ ...kinds[2]!, data: empty }, "empty"));
    expect(code).toBe(3);
    expect(stderr).toMatch(/empty\.jsonl:61.*target.*is empty/s);
  }, 60_000);

  test("characters as tokens of an encoder", async () => {
    const { code, stderr } = await anneal(train(kinds[0]!, "char", "--tokenizer", "char"));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/tokenizer\.kind.*--tokenizer bpe/s);
  }, 60_000);
});

describe("an embedding model", () => {
  const model = join(dir, "embedder");
  const small = join(dir, "embedder-small");

  test("is a folder that says how to pool; made smaller, it ranks neighbours nearly as before", async () => {
    const bert = join(dir, "bert/model");
    cpSync(bert, model, { recursive: true });
    const types = ["Transformer", "Pooling", "Normalize"];
    const modules = types.map((type, idx) => ({
      ...{ idx, name: String(idx), path: ["", "1_Pooling", "2_Normalize"][idx] },
      type: `sentence_transformers.models.${type}`,
    }));
    writeFileSync(join(model, "modules.json"), JSON.stringify(modules));
    mkdirSync(join(model, "1_Pooling"));
    const pooling = { word_embedding_dimension: 32, pooling_mode_mean_tokens: true };
    writeFileSync(join(model, "1_Pooling/config.json"), JSON.stringify(pooling));
    const budget = [
      "--distill-steps",
      "30",
      "--max-loss",
      "0.5",
      "--batch",
      "4",
      "--threads",
      "1",
      "--cut-vocab",
    ];
    const data = writeCorpus(join(dir, "more"), 300);
    const made = succeeded(
      await anneal(["optimize", model, "--data", data, ...budget, "--out", small, "--json"]),
    );
    const result = onlyJson(made) as {
      readonly candidates: readonly { readonly name: string; readonly figures: Figures }[];
    };
    expect(result).toMatchObject({ task: "embedding", metric: { name: "rank agreement", better: "more" } });
    const of = (name: string) => result.candidates.find((c) => c.name === name)!.figures.rankAgreement!.value;
    expect(of("full fp32")).toBeCloseTo(1, 6);
    // The vocabulary is that of the new text.
    const { vocabSize } = await readTokenizer(join(small, "model"));
    const config = JSON.parse(readFileSync(join(small, "model/config.json"), "utf8")) as {
      vocab_size: number;
    };
    expect(config.vocab_size).toBe(vocabSize);
    expect(readFileSync(join(small, "model/anneal.json"), "utf8")).toContain("cutVocabulary");
    expect(of("1-layer distilled fp32")).toBeGreaterThan(0.5);
  }, 120_000);

  test("has its pooling and a vector a text, the one that transformers.js makes", async () => {
    const folder = join(small, "model");
    expect(JSON.parse(readFileSync(join(folder, "modules.json"), "utf8"))).toHaveLength(3);
    const texts = ["The quiet river holds the old lamp.", "A window"];
    env.allowRemoteModels = false;
    env.localModelPath = small;
    const extract = await pipeline("feature-extraction", "model", { dtype: "fp32" });
    const theirs = await extract(texts, { pooling: "mean", normalize: true });
    const tokenizer = await readTokenizer(folder);
    const session = await (await nodeEngine({ threads: 1 })).load(join(folder, "onnx/model.onnx"));
    for (const [i, text] of texts.entries()) {
      const ids = Array.from(tokenizer.encodeInputs(text).ids);
      const row = (of: (id: number) => number) => tensorOf("int64", [1, ids.length], ids.map(of));
      const feeds = {
        input_ids: row((id) => id),
        attention_mask: row(() => 1),
        token_type_ids: row(() => 0),
      };
      const { sentence_embedding: own } = await session.run(feeds);
      const their = Array.from(theirs.data as Float32Array).slice(i * 32, (i + 1) * 32);
      const cosine = their.reduce((sum, x, c) => sum + x * Number(own!.data[c]), 0);
      expect(cosine).toBeGreaterThan(0.9999);
    }
    await session.dispose();
    await extract.dispose();
  }, 60_000);
});
