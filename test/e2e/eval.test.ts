/** Evaluation of a small model of each task, against figures that are computed another way. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pearson } from "../../src/metrics/numbers/pearson.ts";
import { spearman } from "../../src/metrics/numbers/spearman.ts";
import { bleu } from "../../src/metrics/text/bleu.ts";
import { chrf } from "../../src/metrics/text/chrf.ts";
import type { Model } from "../../src/models/model.ts";
import { t5 } from "../../src/models/seq2seq/t5.ts";
import { initialize } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/files.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import { evaluateFolder } from "../../src/recipes/evaluate/evaluate.ts";
import type { EvalOptions, Evaluation } from "../../src/recipes/evaluate/evaluation.ts";
import { generateText } from "../../src/recipes/generate/generate.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { forSpans } from "../cases/tasks.ts";
import { annealHere as anneal, onlyJson } from "./command.ts";
import {
  corpusOf,
  dir,
  engine,
  evaluated,
  folder,
  holds,
  hooks,
  lossByTraining,
  optionsFor,
  qualityOf,
  readPredictions,
  sizeOf,
  told,
  written,
} from "./evaluated.ts";

test("causal-lm: the shipped graph's loss is the training graph's", async () => {
  const [model, data] = [await folder("gpt2"), corpusOf()];
  const found = await evaluated(model, data);
  expect(found).toMatchObject({ task: "causal-lm", dtype: "fp32", graphs: "shipped" });
  const loss = holds(found, "natsPerToken");
  expect(loss).toBeCloseTo(await lossByTraining(model, data, 64), 4);
  expect(holds(found, "perplexity")).toBeCloseTo(Math.exp(loss), 6);
  const tokens = Number(/^(\d+) tokens/.exec(found.measuredOn)![1]);
  const bytes = (loss * tokens) / Math.LN2 / holds(found, "bitsPerByte");
  expect(bytes).toBeCloseTo(Math.round(bytes), 6);
  expect(holds(found, "p50Ms")).toBeGreaterThan(0);
  const packed = await evaluated(model, data, { dtype: "q8" });
  expect(sizeOf(packed)).toBeLessThan(sizeOf(found));
  expect(told.join()).not.toContain("made of its weights");
});

test("a dtype that the folder has not is made of the weights, and said", async () => {
  const [model, data] = [await folder("gpt2"), corpusOf()];
  const [exact, half] = [await evaluated(model, data), await evaluated(model, data, { dtype: "fp16" })];
  expect(told.join()).toMatch(/has no fp16 graph: one is made of its weights/);
  expect(half.graphs).toBe("made");
  expect(sizeOf(half)).toBeLessThan(0.8 * sizeOf(exact));
  const [a, b] = [exact, half].map(({ figures }) => figures.natsPerToken!.value);
  expect(b).not.toBe(a);
  expect(b).toBeCloseTo(a!, 2);
});

test("masked-lm: loss and share filled in are those of its predictions", async () => {
  const [model, data] = [await folder("bert", "masked-lm"), corpusOf()];
  const predictions = join(dir, "masked.jsonl");
  const found = await evaluated(model, data, { predictions });
  expect(holds(found, "natsPerMaskedToken")).toBeCloseTo(await lossByTraining(model, data, 40), 4);
  const rows = readPredictions(predictions);
  const pairs = rows.flatMap(({ reference, prediction }) =>
    (reference as string[]).map((word, i) => word === (prediction as string[])[i]),
  );
  expect(found.figures.filledIn!.n).toBe(pairs.length);
  expect(holds(found, "filledIn")).toBe(pairs.filter((same) => same).length / pairs.length);
  expect(rows.every(({ input }) => /\[CLS\].*\[SEP\]$/.test(input as string))).toBe(true);
  expect(Object.keys(found.lengthsMs!)).toEqual(["16", "40"]);
});

describe("seq2seq-lm", () => {
  const sources = ["the old cat sat on a red mat", "a dog ran far", "the river", "old and red", "a cat"];
  const many = [...sources, ...sources.map((text) => `${text} and ran away`)];

  /** Half of the targets are what the model writes. */
  const taskOf = async (): Promise<{ model: string; data: string }> => {
    const model = await folder("marian");
    const ids = { pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 };
    const generation = { ...ids, num_beams: 2, max_length: 14 };
    writeFileSync(join(model, "generation_config.json"), JSON.stringify(generation));
    const pairs = await Promise.all(
      many.map(async (source, i) => {
        let text = "";
        for await (const piece of generateText({ model, prompt: source, threads: 1 })) text += piece;
        return { source, target: i % 2 === 0 && text !== "" ? text : `the ${source}` };
      }),
    );
    return { model, data: written("pairs.jsonl", pairs) };
  };

  test("BLEU and chrF are of what the model generates by its own settings", async () => {
    const { model, data } = await taskOf();
    const predictions = join(dir, "translated.jsonl");
    const options = await optionsFor(data, { validationShare: 0.8 });
    const found = await evaluateFolder(model, { predictions }, options, hooks);
    const rows = readPredictions(predictions);
    expect(rows).toHaveLength(8);
    expect(found.measuredOn).toBe("8 of 8 held-out pairs");
    for (const { input, prediction } of rows) {
      let text = "";
      for await (const piece of generateText({ model, prompt: input as string, threads: 1 })) text += piece;
      expect(prediction).toBe(text);
    }
    const [made, right] = [rows.map((r) => r.prediction as string), rows.map((r) => r.reference as string)];
    const figures = { bleu: bleu().measure(made, right), chrf: chrf().measure(made, right) };
    expect(found.figures).toMatchObject(figures);
    expect(figures.bleu.value).toBeGreaterThan(5);
    expect(rows.map(({ score }) => score)).toContain(100);
    holds(found, "natsPerTargetToken");
    const few = await evaluateFolder(model, { limit: 3 }, options, hooks);
    expect(few.measuredOn).toBe("3 of 8 held-out pairs");
    expect(few.figures.bleu!.n).toBe(3);
  });

  test("the loss of targets is the training graph's", async () => {
    const { model, data } = await taskOf();
    const found = await evaluated(model, data);
    expect(found.figures.natsPerTargetToken!.value).toBeCloseTo(await lossByTraining(model, data, 64), 4);
  });

  test("running text is measured by spans where the tokenizer has sentinels, else refused", async () => {
    const config = t5.parse({
      ...{ model_type: "t5", vocab_size: 400, d_model: 32, d_kv: 8, d_ff: 48, num_layers: 2, num_heads: 3 },
      ...{ dropout_rate: 0, pad_token_id: forSpans.specials.pad!, eos_token_id: forSpans.eos },
      decoder_start_token_id: forSpans.specials.pad!,
    });
    const fresh: Model = {
      arch: t5,
      config,
      weights: initialize(t5.params(config) as never, 3),
      history: [],
    };
    const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
    const own = forSpans.files();
    const files = new Map([
      ["tokenizer.json", json(own.tokenizer)],
      ["tokenizer_config.json", json(own.config)],
    ]);
    const model = join(dir, "t5");
    await writeFolder(model, new Map([...exportModel(fresh, { files }), ["anneal.json", [json({})]]]));
    const data = corpusOf(1200);
    const found = await evaluated(model, data);
    expect(Object.keys(qualityOf(found))).toEqual(["natsPerTargetToken"]);
    expect(holds(found, "natsPerTargetToken")).toBeCloseTo(await lossByTraining(model, data, 512), 4);
    await expect(evaluated(model, data, { limit: 5 })).rejects.toThrow(/field "limit": has no effect/);
    await expect(evaluated(await folder("marian"), data)).rejects.toThrow(/no pairs .* no <extra_id_0>/);
  });
});

describe("embedding", () => {
  const scored = ["The cat sat.", "dogs ran", "a red mat", "the river ran away", "old red river."].map(
    (sentence1, i) => ({ sentence1, sentence2: "the old cat ran", score: (i * 2) % 5 }),
  );

  test("scored pairs: the correlation of cosines with scores", async () => {
    const model = await folder("bert", "features");
    const loaded = await loadFolder(model);
    const encoder = await encoderOf(engine, loaded.model);
    const vector = async (text: string): Promise<number[]> => {
      const { sentences: out } = await encoder.run([loaded.tokenizer.encodeInputs(text)]);
      return Array.from(out!.data as Float32Array);
    };
    const cosines: number[] = [];
    for (const { sentence1, sentence2 } of scored) {
      const [a, b] = [await vector(sentence1), await vector(sentence2)];
      cosines.push(a.reduce((sum, x, c) => sum + x * b[c]!, 0));
    }
    await encoder.dispose();
    const scores = scored.map(({ score }) => score);
    const found = await evaluated(model, written("scored.jsonl", scored));
    expect(found.measuredOn).toBe("5 scored pairs");
    expect(found.figures.spearman!.value).toBe(spearman.measure(cosines, scores).value);
    expect(found.figures.pearson!.value).toBeCloseTo(pearson.measure(cosines, scores).value, 5);
    // Names of other data sets, as a table.
    const table = join(dir, "scored.csv");
    const lines = scored.map(({ sentence1, sentence2, score }) => `${score},"${sentence1}","${sentence2}"\n`);
    writeFileSync(table, `label,text1,text2\n${lines.join("")}`);
    expect(qualityOf(await evaluated(model, table))).toEqual(qualityOf(found));
    expect((await evaluated(model, table, { limit: 4 })).measuredOn).toBe("4 scored pairs");
  });

  test("running text: agreement with the float32 weights, or with another model", async () => {
    const model = await folder("bert", "features");
    const data = corpusOf(1500);
    const same = await evaluated(model, data);
    expect(same.figures.cosine!.value).toBeGreaterThan(0.99999);
    expect(same.figures.rankAgreement!.value).toBeGreaterThan(0.9999);
    const packed = await evaluated(model, data, { dtype: "q8" });
    expect(holds(packed, "cosine")).toBeLessThan(same.figures.cosine!.value);
    const rank = holds(packed, "rankAgreement");
    expect(rank).toBeLessThan(same.figures.rankAgreement!.value);
    expect(rank).toBeGreaterThan(0.9);
    const other = await writeModel(join(dir, "other"), tinyModel("bert", "features", 8), ["fp32"]);
    const against = await evaluated(model, data, { reference: other });
    expect(against.measuredOn).toContain(other);
    expect(holds(against, "rankAgreement")).toBeLessThan(rank);
  });
});

describe("what cannot be measured is refused", () => {
  const rejects = async (model: string, path: string, message: RegExp, given: EvalOptions = {}) =>
    expect(evaluated(model, path, given)).rejects.toThrow(message);

  test("records without labels for a classifier, and options of another task", async () => {
    const data = corpusOf();
    await rejects(
      await folder("bert", "sequence-classification"),
      data,
      /:1: the records have no text with a label/,
    );
    await rejects(await folder("gpt2"), data, /"limit": means nothing to a model of causal-lm/, { limit: 3 });
    await rejects(await folder("bert", "masked-lm"), data, /"reference": means nothing/, { reference: "x" });
  });

  test("records that lack a side, a score, or a text, by their file and line", async () => {
    const marian = await folder("marian");
    const half = written("half.jsonl", [{ source: "a", target: "the" }, { source: "a dog" }]);
    await rejects(marian, half, /half\.jsonl:2.*target.*is missing/);
    const empty = written("empty.jsonl", [
      { source: "a", target: "the" },
      { source: "a dog", target: " " },
    ]);
    await rejects(marian, empty, /empty\.jsonl:2.*target.*is empty/);
    const bert = await folder("bert", "features");
    const pair = { sentence1: "a", sentence2: "the", score: 1 };
    const unscored = written("unscored.jsonl", [pair, { ...pair, score: "high" }]);
    await rejects(
      bert,
      unscored,
      /unscored\.jsonl:2, field "score": "high" is no number, which a score must be/,
    );
    const neither = written("neither.jsonl", [{ first: "a", second: "the" }]);
    const error = await evaluated(bert, neither).catch((thrown) => thrown);
    expect(error.message).toMatch(/neither\.jsonl:1: is neither texts that belong together nor a text/);
    expect(error.details.hint).toMatch(/its fields are first, second; wanted: .*sentence1 and sentence2/);
  });
});

test("the command prints intervals, and JSON with objects for figures", async () => {
  const args = ["eval", await folder("gpt2"), "--data", corpusOf(), "--threads", "1"];
  const [plain, json] = await Promise.all([anneal(args), anneal([...args, "--json"])]);
  expect(plain.stdout).toMatch(/natsPerToken +\d\.\d+ \[\d\.\d+, \d\.\d+\]\n/);
  expect(plain.stderr).toMatch(/measured on \d+ tokens of held-out text/);
  const { figures } = onlyJson<Evaluation>(json);
  expect(Object.keys(figures.natsPerToken!)).toEqual(["value", "low", "high", "n"]);
});
