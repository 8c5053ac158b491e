/** anneal finetune --task embedding: from records to a folder whose vectors transformers.js makes too. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sentenceVector } from "../../src/evaluate/vectors.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { annealHere as anneal, lineCount, onlyJson, sentences, start, until } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-sentences-"));
const at = (name: string): string => join(dir, name);
let base: string;

beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  base = await writeModel(at("base"), tinyModel("bert", "features"), ["fp32"]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, records: readonly object[]): string => {
  writeFileSync(at(name), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return at(name);
};

const all = sentences(120);
/** The other text has the words of the first in another order. */
const turned = (text: string): string => text.split(" ").reverse().join(" ");
const pairs = all.map((text) => ({ anchor: text, positive: turned(text) }));
const common = ["--task", "embedding", "--threads", "1", "--batch", "8", "--lr", "2e-3"];

interface Tuned {
  readonly path: string;
  readonly figure: { readonly name: string; readonly value: number };
}

interface Measured {
  readonly figures: Readonly<Record<string, { readonly value: number; readonly low: number }>>;
}

describe("pairs", () => {
  const tune = ["--epochs", "2", "--dims", "8", "--hard-negatives", "2", "--negative-margin", "0"];
  let tuned: Tuned;
  beforeAll(async () => {
    const data = ["--data", write("pairs.jsonl", pairs), "--out", at("tuned")];
    const run = await anneal(["finetune", base, ...common, ...tune, ...data, "--json"]);
    expect(run.code, run.stderr).toBe(0);
    tuned = onlyJson<Tuned>(run);
    expect(run.stderr).toMatch(/wrong texts: [12]\.\d of 2 for each record/);
  }, 120_000);

  test("make a folder that says how its vectors are made, which transformers.js makes too", async () => {
    expect(tuned.figure).toMatchObject({ name: "MRR" });
    for (const file of ["modules.json", "1_Pooling/config.json", "config_sentence_transformers.json"]) {
      expect(existsSync(join(tuned.path, file)), file).toBe(true);
    }
    const engine = await nodeEngine({ threads: 1 });
    const tokenizer = await readTokenizer(tuned.path);
    const session = await engine.load(join(tuned.path, "onnx/model.onnx"));
    const extract = await pipeline("feature-extraction", tuned.path, { dtype: "fp32" });
    for (const text of all.slice(0, 3)) {
      const ids = Array.from(tokenizer.encodeInputs(text).ids);
      const own = await sentenceVector(session, ids, { mode: "mean" });
      const { data } = await extract(text, { pooling: "mean", normalize: true });
      expect(own.reduce((sum, x, c) => sum + x * Number(data[c]), 0)).toBeGreaterThan(0.99999);
    }
    await session.dispose();
  });

  test("are what it is measured by, at each width", async () => {
    const run = await anneal([
      ...["eval", tuned.path, "--data", at("pairs.jsonl"), "--dims", "8", "--threads", "1", "--json"],
    ]);
    expect(run.code, run.stderr).toBe(0);
    const { figures } = onlyJson<Measured>(run);
    for (const name of ["mrr", "ndcg@10", "recall@1", "recall@10", "mrr@8d"]) {
      expect(figures[name]!.value, name).toBeGreaterThan(0);
      expect(figures[name]!.low, name).toBeLessThanOrEqual(figures[name]!.value);
    }
  });
});

describe.each([
  ["whole batches of scored pairs", ["--pooling", "max"]],
  ["cached batches", ["--chunk", "4"]],
] as const)("a run of %s", (name, more) => {
  test("that is killed goes on to the same bytes", async () => {
    const records = all
      .slice(1)
      .map((text, i) => ({ sentence1: all[i], sentence2: text, score: (i % 5) / 4 }));
    const data = write("scored.jsonl", records);
    const args = (out: string) => [
      ...["finetune", base, ...common, "--steps", "24", "--checkpoint-every", "4", "--eval-every", "8"],
      ...["--data", data, "--out", out, ...more],
    ];
    const [through, killed] = [at(`${name} through`), at(`${name} killed`)];
    const whole = await anneal(args(through));
    expect(whole.code, whole.stderr).toBe(0);
    const { child, finished } = start(args(killed));
    await until(() => lineCount(join(killed, "run/metrics.jsonl")) > 9, finished);
    child.kill("SIGKILL");
    expect((await finished).killedBy).toBe("SIGKILL");
    const resumed = await anneal([...args(killed), "--resume"]);
    expect(resumed.code, resumed.stderr).toBe(0);
    const weights = (out: string) => readFileSync(join(out, "model/model.safetensors"));
    expect(weights(killed).equals(weights(through))).toBe(true);
  });
});

describe("records that are not as they should be", () => {
  const refused = async (records: readonly object[], more: readonly string[] = []) => {
    const data = ["--data", write("bad.jsonl", records), "--out", at("bad")];
    const run = await anneal(["finetune", base, ...common, "--steps", "1", ...data, ...more]);
    expect(run.code).not.toBe(0);
    return run.stderr;
  };

  test("are named by file, line and field", async () => {
    const blank = pairs.map((pair, i) => (i === 6 ? { ...pair, positive: " " } : pair));
    expect(await refused(blank)).toMatch(/bad\.jsonl:7.*positive/s);
    const scored = pairs.map(({ anchor, positive }, i) => ({
      ...{ sentence1: anchor, sentence2: positive, score: i === 2 ? "near" : 0.5 },
    }));
    expect(await refused(scored)).toMatch(/bad\.jsonl:3.*score.*is no number/s);
    expect(await refused([{ one: "a b c" }, { one: "d e f" }])).toMatch(
      /wanted: two texts \(anchor and positive/,
    );
  });

  test("of one text everywhere leave nothing to tell apart", async () => {
    const same = pairs.map(({ positive }) => ({ anchor: "the same", positive }));
    const more = ["--validation", write("held.jsonl", pairs)];
    expect(await refused(same, more)).toMatch(/a text in common/);
  });

  test("are refused a loss that is none of theirs, and vectors wider than the model's", async () => {
    expect(await refused(pairs, ["--loss", "cosent"])).toMatch(/task\.loss.*no loss of pairs/s);
    expect(await refused(pairs, ["--dims", "4096"])).toMatch(/task\.dims.*4096 is no width/s);
  });
});
