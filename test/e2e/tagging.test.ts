/** From a checkpoint and tagged words, in columns or as spans, to a model that transformers.js tags with. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadFolder } from "../../src/node/model/folder.ts";
import { sentencePieces } from "../../src/tasks/classification/pieces.ts";
import { rng } from "../../src/util/rng.ts";
import { annealHere as anneal, onlyJson, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-tagging-"));
const at = (name: string): string => join(dir, name);
const one = "--threads 1 --replicas 1 --seed 2".split(" ");
const tuned = at("tuned/model");

const names = ["anna", "karl lee", "maria"];
const places = ["rome", "new york", "oslo"];

/** Sentences with the names and places in them, as spans of characters. */
const sentences = (count: number, seed: number) => {
  const random = rng(seed, "tags");
  const of = <T>(all: readonly T[]): T => all[random.int(all.length)]!;
  return Array.from({ length: count }, () => {
    const [who, where] = [of(names), of(places)];
    const [before, between] = [of(["then ", "once ", ""]), of([" went to ", " lives in ", " saw "])];
    const text = `${before}${who}${between}${where} .`;
    const second = before.length + who.length + between.length;
    return {
      text,
      spans: [
        { start: before.length, end: before.length + who.length, label: "PER", text: who },
        { start: second, end: second + where.length, label: "LOC" },
      ],
    };
  });
};

const lines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** The same as columns. */
const columns = (rows: ReturnType<typeof sentences>): string =>
  rows
    .map(({ text, spans }) =>
      Array.from(text.matchAll(/\w+|\./g), ({ 0: word, index }) => {
        const span = spans.find(({ start, end }) => index >= start && index < end);
        return `${word} X ${span ? `${index === span.start ? "B" : "I"}-${span.label}` : "O"}`;
      }).join("\n"),
    )
    .join("\n\n");

beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  writeCorpus(at("text"), 120);
  writeFileSync(at("train.jsonl"), lines(sentences(160, 1)));
  writeFileSync(at("test.conll"), `-DOCSTART- X O\n\n${columns(sentences(30, 2))}\n`);
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
  const run = await anneal([
    ...["finetune", at("body/model"), "--data", at("train.jsonl"), "--out", at("tuned"), "--epochs", "24"],
    ...["--batch", "8", "--lr", "4e-3", "--json", ...one],
  ]);
  expect(run.code, run.stderr).toBe(0);
  const { task, figure } = onlyJson(run) as { task: string; figure: { name: string; value: number } };
  expect([task, figure.name]).toEqual(["token-classification", "entity F1"]);
  expect(figure.value).toBeGreaterThan(0.9);
}, 240_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("columns are measured by what spans taught, and transformers.js gives the same tags", async () => {
  const said = at("said.jsonl");
  const run = await anneal([
    ...["eval", tuned, "--data", at("test.conll"), "--predictions", said, "--threads", "1", "--json"],
  ]);
  expect(run.code, run.stderr).toBe(0);
  const { figures } = onlyJson(run) as { figures: Record<string, { value: number }> };
  expect(figures.entityF1!.value).toBeGreaterThan(0.9);
  const { id2label } = JSON.parse(readFileSync(join(tuned, "config.json"), "utf8"));
  expect(Object.values(id2label)).toEqual(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]);
  const { tokenizer } = await loadFolder(tuned);
  const tag = await pipeline("token-classification", tuned, { dtype: "fp32" });
  const predictions = readFileSync(said, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  for (const { input, prediction, spans } of predictions.slice(0, 8)) {
    for (const { start, end, text } of spans) expect(input.slice(start, end)).toBe(text);
    const theirs = (await tag(input, { ignore_labels: [] })) as { entity: string; index: number }[];
    let end = -1;
    const words = (input.split(" ") as string[]).map((word) => {
      const start = end + 1;
      end = start + word.length;
      return { text: word, tag: "O", start, end };
    });
    const pieces = sentencePieces({ text: input, words }, tokenizer, 48);
    const firsts = pieces.words.flatMap((word, t) => (word >= 0 && word !== pieces.words[t - 1] ? [t] : []));
    expect(firsts.map((t) => theirs.find(({ index }) => index === t)!.entity)).toEqual(prediction);
  }
  await tag.dispose();
}, 120_000);

test.each<[string, object, RegExp]>([
  [
    "beyond",
    { text: "anna", spans: [{ start: 0, end: 9, label: "PER" }] },
    /:161.*"spans".*not within the text/s,
  ],
  [
    "other",
    { text: "anna", spans: [{ start: 0, end: 4, label: "PER", text: "karl" }] },
    /:161.*does not match/s,
  ],
  [
    "over",
    {
      text: "anna lee",
      spans: [
        { start: 0, end: 8, label: "A" },
        { start: 5, end: 8, label: "A" },
      ],
    },
    /overlaps/,
  ],
])("spans that do not match the text are refused: %s", async (name, bad, message) => {
  writeFileSync(at(`${name}.jsonl`), lines([...sentences(160, 3), bad]));
  const args = ["finetune", at("body/model"), "--data", at(`${name}.jsonl`), "--out", at("none"), ...one];
  const { code, stderr } = await anneal(args);
  expect(code).toBe(3);
  expect(stderr).toMatch(message);
});
