/** From a checkpoint and a file of labelled texts to a classifier that every verb and transformers.js take. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rng } from "../../src/util/rng.ts";
import { annealHere as anneal, lineCount, onlyJson, start, until, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-finetune-"));
const at = (name: string): string => join(dir, name);
const body = at("body/model");
const one = "--threads 1 --replicas 1 --seed 2".split(" ");

const nouns = ["film", "book", "song", "meal", "trip", "game", "room", "talk"];
const adverbs = ["rather", "quite", "really", "surely", "truly"];
const moods = { good: ["lovely", "bright", "warm"], bad: ["dull", "cold", "poor"] } as const;

/** Texts of many lengths, whose label is that of the one word that says so. */
const reviews = (count: number, seed: number) => {
  const random = rng(seed, "reviews");
  const of = <T>(all: readonly T[]): T => all[random.int(all.length)]!;
  return Array.from({ length: count }, (_, i) => {
    const label = i % 3 === 0 ? "bad" : "good";
    const more = Array.from({ length: random.int(6) }, () => `and the ${of(nouns)} too`).join(" ");
    return { text: `the ${of(nouns)} was ${of(adverbs)} ${of(moods[label])} ${more}`.trim(), label };
  });
};

const csv = (rows: readonly { readonly text: string; readonly label: string }[]): string =>
  `text,label\n${rows.map(({ text, label }) => `"${text}",${label}`).join("\n")}\n`;

const tuned = at("tuned/model");
const tune = (out: string, ...more: string[]): string[] => [
  ...[
    "finetune",
    body,
    "--data",
    at("train.csv"),
    "--out",
    at(out),
    "--epochs",
    "8",
    "--batch",
    "8",
    "--lr",
    "4e-3",
    ...["--ema", "0.9", "--dropout", "0.1", "--token-dropout", "0.05"],
    ...["--linear-start", "--linear-teacher", "2"],
  ],
  ...one,
  ...more,
];

beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  writeCorpus(at("text"), 120);
  writeFileSync(at("train.csv"), csv(reviews(180, 1)));
  writeFileSync(at("test.csv"), csv(reviews(40, 2)));
  const shape = "--family bert --layers 2 --heads 2 --width 32 --context 48 --vocab 420 --near off".split(
    " ",
  );
  const made = await anneal([
    "train",
    "--data",
    at("text"),
    "--out",
    at("body"),
    ...shape,
    "--steps",
    "4",
    ...one,
  ]);
  expect(made.code, made.stderr).toBe(0);
  const run = await anneal(tune("tuned", "--json"));
  expect(run.code, run.stderr).toBe(0);
  const { task, figure } = onlyJson(run) as { task: string; figure: { name: string; value: number } };
  expect([task, figure.name]).toEqual(["sequence-classification", "accuracy"]);
  expect(figure.value).toBeGreaterThan(0.9);
}, 240_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the folder says its labels, and transformers.js gives the labels and scores that eval gives", async () => {
  const config = JSON.parse(readFileSync(join(tuned, "config.json"), "utf8"));
  expect(config).toMatchObject({
    architectures: ["BertForSequenceClassification"],
    id2label: { 0: "bad", 1: "good" },
    label2id: { bad: 0, good: 1 },
    problem_type: "single_label_classification",
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
  });
  for (const dtype of ["fp32", "q8"] as const) {
    const lines = at(`said-${dtype}.jsonl`);
    const run = await anneal([
      ...[
        "eval",
        tuned,
        "--data",
        at("test.csv"),
        "--dtype",
        dtype,
        "--predictions",
        lines,
        "--threads",
        "1",
      ],
      "--json",
    ]);
    expect(run.code, run.stderr).toBe(0);
    const { figures, measuredOn } = onlyJson(run) as {
      measuredOn: string;
      figures: Record<string, { value: number; low: number; high: number; n: number }>;
    };
    expect(measuredOn).toBe("40 records");
    expect(figures.accuracy!.n).toBe(40);
    expect(figures.accuracy!.value).toBeGreaterThan(0.9);
    for (const { value, low, high } of [figures.macroF1!, figures.matthews!, figures.calibrationError!]) {
      expect(low <= value && value <= high).toBe(true);
    }
    const said = readFileSync(lines, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const classify = await pipeline("text-classification", tuned, { dtype });
    for (const { input, prediction, score } of said.slice(0, 12)) {
      const [theirs] = (await classify(input)) as { label: string; score: number }[];
      expect(theirs!.label).toBe(prediction);
      expect(Math.abs(theirs!.score - score)).toBeLessThan(1e-4);
    }
    await classify.dispose();
  }
}, 120_000);

test("optimize measures and teaches classifiers by their labels", async () => {
  const run = await anneal([
    ...[
      "optimize",
      tuned,
      "--data",
      at("train.csv"),
      "--out",
      at("small"),
      "--distill-steps",
      "12",
      "--json",
    ],
    ...["--threads", "1", "--replicas", "1"],
  ]);
  expect(run.code, run.stderr).toBe(0);
  const { metric, candidates, chosen, picks } = onlyJson(run) as {
    metric: unknown;
    candidates: { name: string }[];
    chosen: string;
    picks: { names: string[]; candidate: string }[];
  };
  expect(metric).toMatchObject({ name: "accuracy", better: "more" });
  expect(candidates.map(({ name }) => name)).toContain("1-layer distilled q8");
  expect(picks[0]).toMatchObject({ candidate: chosen });
  expect(chosen).not.toBe("full fp32");
  const page = readFileSync(join(at("small"), "model/report.html"), "utf8");
  expect(page).toMatch(/They say different things of \d+ of \d+ records/);
  expect(page).toContain(`npx anneal export ${at("small")}/model --dtype ${chosen.split(" ").at(-1)}`);
}, 240_000);

test("a run that is killed and resumed ends with the bytes of one that never was", async () => {
  const out = at("killed");
  const args = tune("killed", "--checkpoint-every", "5");
  const { child, finished } = start(args);
  await until(() => lineCount(join(out, "run/metrics.jsonl")) > 22, finished);
  child.kill("SIGKILL");
  await finished;
  const run = await anneal([...args, "--resume"]);
  expect(run.code, run.stderr).toBe(0);
  const bytes = (path: string): Buffer => readFileSync(join(path, "model/model.safetensors"));
  expect(bytes(out).equals(bytes(at("tuned")))).toBe(true);
}, 240_000);

describe("refused, by file, line and field", () => {
  const refused = async (name: string, content: string, ...more: string[]): Promise<string> => {
    writeFileSync(at(name), content);
    const args = ["finetune", body, "--data", at(name), "--out", at("none"), ...one, ...more];
    const { code, stderr } = await anneal(args);
    expect(code).toBe(3);
    return stderr;
  };
  const rows = reviews(120, 3);

  test.each<[string, string, RegExp]>([
    [
      "missing",
      csv([...rows, { text: "no label", label: "" }]),
      /missing\.csv:122.*"label".*label is missing/s,
    ],
    [
      "mistyped",
      csv([...rows, { text: "a slip", label: "godo" }]),
      /mistyped\.csv:122.*"godo".*is it "good"/s,
    ],
    ["case", csv([...rows, { text: "a capital", label: "Good" }]), /case\.csv:122.*"Good".*is it "good"/s],
    [
      "number",
      csv([...rows, { text: "a number", label: "3" }]),
      /number\.csv:122.*"3" stands among numbers|names/s,
    ],
    [
      "single",
      csv(rows.map(({ text }) => ({ text, label: "good" }))),
      /single\.csv:2.*all records have the label/s,
    ],
    ["empty", csv([...rows, { text: "", label: "good" }]), /empty\.csv:122.*"text".*is empty/s],
    ["other", "a,b\n1,2\n", /other\.csv:2.*no task that is known/s],
  ])("%s", async (name, content, message) => {
    expect(await refused(`${name}.csv`, content)).toMatch(message);
  });

  test("a label that the training records do not have, in those held out", async () => {
    writeFileSync(at("held.csv"), csv([{ text: "a fine day", label: "fine" }]));
    expect(await refused("seen.csv", csv(rows), "--validation", at("held.csv"))).toMatch(
      /held\.csv:2.*"fine" is not known.*known: bad, good/s,
    );
  });

  test("a text that is too long, where that is asked for", async () => {
    const long = csv([...rows, { text: "word ".repeat(200), label: "good" }]);
    expect(await refused("long.csv", long, "--too-long", "refuse")).toMatch(
      /long\.csv:\d+, field "text": has \d+ tokens, and the model takes 48/,
    );
  });

  test.each([
    ["--label-pieces", "all", "labelPieces", "token-classification"],
    ["--turns", "last", "turns", "sft"],
    ["--beta", "0.3", "beta", "dpo, kto"],
    ["--pooling", "cls", "pooling", "embedding"],
  ])("%s %s, which is for another task", async (flag, value, field, others) => {
    writeFileSync(at("other.csv"), csv(rows));
    const args = ["finetune", body, "--data", at("other.csv"), "--out", at("none"), ...one, flag, value];
    const { code, stderr } = await anneal(args);
    expect(code).toBe(2);
    expect(stderr).toContain(`"task.${field}": means nothing to sequence-classification`);
    expect(stderr).toContain(`it is for ${others}`);
  });
});
