/** Translations and summaries: learnt from line-aligned files, tuned by records, measured by BLEU. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaults, finetuneDefaults, type RunOptions } from "../../src/recipes/config/options.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { evaluateFolder } from "../../src/recipes/evaluate/evaluate.ts";
import { finetune } from "../../src/recipes/finetune/finetune.ts";
import { textModel } from "../../src/recipes/generate/generate.ts";
import { trainModel } from "../../src/recipes/train/train.ts";
import { rng } from "../../src/util/rng.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-pairs-"));
const at = (name: string): string => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const words = {
  a: "ein",
  red: "roter",
  old: "alter",
  dog: "Hund",
  cat: "Kater",
  runs: "rennt",
  sits: "sitzt",
};
const english = Object.keys(words) as (keyof typeof words)[];

/** Sentences of several lengths and their translations, word by word. */
const sentences = (count: number, seed: number) => {
  const random = rng(seed, "sentences");
  const seen = new Map<string, string>();
  while (seen.size < count) {
    const some = Array.from({ length: 2 + 2 * random.int(2) }, () => english[random.int(english.length)]!);
    seen.set(some.join(" "), some.map((word) => words[word]).join(" "));
  }
  return Array.from(seen, ([en, de]) => ({ en, de }));
};

const lines = (pairs: ReturnType<typeof sentences>, side: "en" | "de") =>
  `${pairs.map((pair) => pair[side]).join("\n")}\n`;
const jsonl = (name: string, rows: readonly unknown[]): string => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return at(name);
};

const [known, held] = [sentences(260, 1), sentences(40, 2)];
const told: string[] = [];
const line = (text: string): void => void told.push(text);
const hooks = { ui: { ...silent, line, warn: line }, command: "" };
const languages = { sourceLang: "en", targetLang: "de" };

const training: RunOptions = {
  ...defaults,
  ...{ out: at("made"), threads: 1, seed: 3 },
  data: {
    ...defaults.data,
    paths: [at("train.en.gz"), at("train.de.gz")],
    validation: [at("val.en"), at("val.de")],
  },
  task: { ...defaults.task, ...languages, labelSmoothing: 0.1 },
  tokenizer: { kind: "bpe", vocab: 300 },
  model: { ...defaults.model, family: "marian", n_layer: 1, n_head: 2, n_embd: 32, n_positions: 32 },
  train: { ...defaults.train, steps: 120, batch: 32, lrPeak: 1e-2, warmup: 10, replicas: 1, evalEvery: 60 },
};
const made = at("made/model");

const tuning = (out: string, paths: readonly string[], more: Partial<RunOptions> = {}): RunOptions => ({
  ...finetuneDefaults,
  ...{ out: at(out), threads: 1, seed: 4 },
  data: { ...finetuneDefaults.data, paths },
  task: { ...finetuneDefaults.task, ...languages },
  train: { ...finetuneDefaults.train, steps: 6, batch: 16, lrPeak: 1e-3, replicas: 1, checkpointEvery: 2 },
  ...more,
});

beforeAll(async () => {
  for (const side of ["en", "de"] as const) {
    writeFileSync(at(`train.${side}.gz`), gzipSync(lines(known, side)));
    writeFileSync(at(`val.${side}`), lines(held, side));
  }
  await trainModel(training, hooks);
}, 120_000);

describe("line-aligned files", () => {
  test("are learnt from, in batches of like lengths, and their own validation files are held out", () => {
    expect(told.join("\n")).toMatch(/pairs: 260 to train on \(\d+ tokens\), 40 held out/);
    expect(told.join("\n")).toMatch(/batches of like lengths: \d+ an epoch, \d+ shapes .* padding/);
  });

  test("are translated as well one by one as many at once, and measured whole", async () => {
    const model = await textModel(made, { threads: 1 });
    const sources = held.slice(0, 6).map(({ en }) => en);
    const all = await model.runAll!(sources, { beams: 3 });
    for (const [i, prompt] of sources.entries()) {
      let text = "";
      for await (const piece of model.run({ prompt, beams: 3 })) text += piece;
      expect(text).toBe(all[i]);
    }
    await model.dispose();
    const given = { beams: 3, predictions: at("said.jsonl") };
    const { validation } = training.data;
    const options = { ...training, data: { ...defaults.data, validation } };
    const { figures, measuredOn } = await evaluateFolder(made, given, options, hooks);
    expect(measuredOn).toBe("40 of 40 held-out pairs");
    expect(figures.bleu!.value).toBeGreaterThan(60);
    for (const name of ["bleu", "chrf", "rougeL", "natsPerTargetToken"]) {
      const { value, low, high } = figures[name]!;
      expect(low).toBeLessThanOrEqual(value);
      expect(high).toBeGreaterThanOrEqual(value);
    }
    const said = readFileSync(at("said.jsonl"), "utf8").trim().split("\n");
    expect(said).toHaveLength(40);
    expect(JSON.parse(said[0]!)).toMatchObject({ id: expect.stringMatching(/val\.en:\d+$/) });
  });

  test("of unequal lengths are refused with both counts", async () => {
    writeFileSync(at("short.en"), "a dog\na cat\nold\n");
    writeFileSync(at("short.de"), "ein Hund\nein Kater\n");
    const paths = [at("short.en"), at("short.de")];
    const message = /short\.en.*has 3 lines, and short\.de has 2/;
    await expect(finetune(made, tuning("x", paths), hooks)).rejects.toThrow(message);
    const data = { ...training.data, paths, validation: [] };
    await expect(trainModel({ ...training, out: at("x"), data }, hooks)).rejects.toThrow(message);
  });

  test("one alone, and one among records, are refused by name", async () => {
    await expect(finetune(made, tuning("x", [at("short.en")]), hooks)).rejects.toThrow(
      /short\.en.*has no other side in \.de/,
    );
    const records = jsonl("among.jsonl", [{ en: "a", de: "ein" }]);
    const paths = [at("short.en"), at("short.de"), records];
    await expect(finetune(made, tuning("x", paths), hooks)).rejects.toThrow(/among\.jsonl.*ends in neither/);
  });
});

describe("records", () => {
  const nested = () =>
    jsonl(
      "nested.jsonl",
      known.slice(0, 40).map((translation) => ({ translation })),
    );

  test("tune a translator, and a run that was stopped ends with the same bytes, adapters too", async () => {
    for (const [name, rank] of [
      ["whole", 0],
      ["lora", 2],
    ] as const) {
      const more = { adapter: { ...finetuneDefaults.adapter, rank } };
      const options = (out: string) => tuning(out, [nested()], more);
      told.length = 0;
      const done = await finetune(made, options(name), hooks);
      expect(done!.task).toBe("seq2seq-lm");
      expect(told.join("\n")).toMatch(/first example: .* -> \[.*<\/s>\]/);
      const stop = new AbortController();
      const ui = {
        ...silent,
        task: (name: string) => ({
          update: (step: number) => name === "training" && step >= 3 && stop.abort(),
          done: () => {},
        }),
      };
      const halted = await finetune(made, options(`${name}-2`), { ui, command: "", signal: stop.signal });
      expect(halted).toBeUndefined();
      await finetune(made, options(`${name}-2`), { ...hooks, resume: true });
      const weights = (out: string) => readFileSync(at(`${out}/model/model.safetensors`));
      expect(weights(`${name}-2`).equals(weights(name))).toBe(true);
    }
  }, 120_000);

  test("say which language is read, and have both sides", async () => {
    const untold = { task: finetuneDefaults.task };
    await expect(finetune(made, tuning("x", [nested()], untold), hooks)).rejects.toThrow(
      /sourceLang.*translation has en and de/s,
    );
    const rows = known.slice(0, 8);
    const half = jsonl("half.jsonl", [...rows, { en: "a dog" }]);
    await expect(finetune(made, tuning("x", [half]), hooks)).rejects.toThrow(/half\.jsonl:9.*de.*is missing/);
    const empty = jsonl("empty.jsonl", [...rows, { en: " ", de: "ein" }]);
    await expect(finetune(made, tuning("x", [empty]), hooks)).rejects.toThrow(/empty\.jsonl:9.*en.*is empty/);
    const long = jsonl("long.jsonl", [...rows, { en: "a dog ".repeat(40), de: "ein" }]);
    const refuse = { task: { ...finetuneDefaults.task, ...languages, tooLong: "refuse" as const } };
    await expect(finetune(made, tuning("x", [long], refuse), hooks)).rejects.toThrow(
      /long\.jsonl:9.*tokens, and the model takes 32/,
    );
  });

  test("of documents and summaries stand behind a prefix", async () => {
    const file = jsonl(
      "news.jsonl",
      known.slice(0, 40).map(({ en, de }) => ({ document: en, summary: de })),
    );
    const task = { ...finetuneDefaults.task, prefix: "sum: ", labelSmoothing: 0.1 };
    told.length = 0;
    await finetune(made, tuning("news", [file], { task }), hooks);
    expect(told.join("\n")).toMatch(/records: document -> summary, behind "sum: "/);
    expect(told.join("\n")).toMatch(/first example: sum: /);
  });
});
