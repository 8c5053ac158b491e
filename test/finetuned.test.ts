/** Fine-tuning in this process, on every kind of records: what is learnt, measured and told of it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Head, Model } from "../src/models/model.ts";
import { initialize, type ParamSpec, tensorsOf } from "../src/nn/param.ts";
import { loadModel } from "../src/node/model/folder.ts";
import { finetuneDefaults, type RunConfig } from "../src/recipes/config/options.ts";
import { resolveOptions } from "../src/recipes/config/resolve.ts";
import { silent } from "../src/recipes/context/ui.ts";
import { evaluateFolder } from "../src/recipes/evaluate/evaluate.ts";
import { ggufFolder } from "../src/recipes/export/gguf.ts";
import { checkBatch } from "../src/recipes/finetune/checkBatch.ts";
import { findLr } from "../src/recipes/finetune/findLr.ts";
import { finetune } from "../src/recipes/finetune/finetune.ts";
import type { Tree } from "../src/util/tree.ts";
import { tinyModel, writeModel } from "./browser/folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-finetuned-"));
const told: string[] = [];
const tell = (line: string): void => void told.push(line);
const hooks = { ui: { ...silent, line: tell, warn: tell }, command: "npx anneal finetune <body>" };
let body = "";
let vectors = "";

/** With weights of the usual size, and no dropout. */
const plain = (head: Head): Model => {
  const model = tinyModel("bert", head);
  const still = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, initializer_range: 0.06 };
  const config = { ...model.config, ...still };
  return { ...model, config, weights: initialize(model.arch.params(config) as Tree<ParamSpec>, 3) };
};

beforeAll(async () => {
  body = await writeModel(join(dir, "body"), plain("masked-lm"), ["fp32"]);
  vectors = await writeModel(join(dir, "vectors"), plain("features"), ["fp32"]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const animals = ["cat", "dog", "mat", "river"];
const [fill, verbs] = [
  ["the", "a", "old", "red"],
  ["sat", "ran"],
];
const ends = ["far", "away"];
const at = <T>(all: readonly T[], i: number): T => all[i % all.length]!;
/** Texts of six words, of which two are `animals`: of one length, so that one step is compiled. */
const phrase = (i: number): string =>
  [
    at(fill, i * 5 + (i >> 3)),
    at(animals, i),
    at(verbs, i >> 1),
    "and",
    at(animals, i >> 2),
    at(ends, i >> 4),
  ].join(" ");
const rows = <T extends object>(make: (text: string, i: number) => T, count = 80): T[] =>
  Array.from({ length: count }, (_, i) => make(phrase(i), i));

const optionsFor = (name: string, records: readonly object[], more: RunConfig = {}) => {
  const path = join(dir, `${name}.jsonl`);
  writeFileSync(path, records.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const train = { batch: 8, lrPeak: 4e-3, epochs: 6, replicas: 1, ...more.train };
  const out = join(dir, name);
  const flags = { ...more, out, threads: 1, seed: 2, train, data: { ...more.data, paths: [path] } };
  return resolveOptions({ cwd: dir, base: finetuneDefaults, flags });
};

const tuned = async (name: string, records: readonly object[], more: RunConfig = {}, from = body) => {
  told.length = 0;
  const options = await optionsFor(name, records, more);
  const made = (await finetune(from, options, hooks))!;
  expect(made.report, told.join("\n")).toBeDefined();
  return { ...made, options, page: readFileSync(made.report!, "utf8") };
};

const has = (word: string) => (text: string) => text.split(" ").includes(word);
const place = (i: number) => (i % 2 === 0 ? "the cat" : "the river");

describe("each kind of labels is learnt, measured as it was judged, and shown in a report", () => {
  test.each<[string, readonly object[], RunConfig, string]>([
    [
      "several labels",
      rows((text) => ({ text, labels: animals.filter((animal) => has(animal)(text)) })),
      {},
      "micro F1",
    ],
    ["a number", rows((text) => ({ text, score: Number(has("cat")(text)) + 0.25 })), {}, "Pearson's r"],
    [
      "a ranking",
      rows((passage, i) => ({ query: place(i >> 2), passage, relevance: Number(has("dog")(passage)) })),
      { task: { name: "sequence-classification" } },
      "NDCG@10",
    ],
    [
      "two texts",
      rows((text, i) => ({ sentence1: place(i), sentence2: text, label: has("dog")(text) ? "pet" : "none" })),
      { task: { name: "sequence-classification", classWeights: "balanced", labelSmoothing: 0.05 } },
      "accuracy",
    ],
  ])("%s", async (name, records, more, figure) => {
    const made = await tuned(name.replaceAll(" ", "-"), records, more);
    expect(made.figure!.name).toBe(figure);
    expect(made.figure!.value).toBeGreaterThan(0.8);
    // What the graph's file says of the held-out records.
    expect(made.page.replace(/\s+/g, " ")).toMatch(/<b>(0\.[89]\d*|1\.000)<\/b>.{0,30} on/);
    expect(made.page).toContain('id="errors"');
    expect(made.page).toContain("&lt;body&gt;");
    expect(made.page).toContain("held-out records");
    expect(existsSync(join(made.path, "generation_config.json"))).toBe(false);
    expect(readFileSync(join(made.path, "README.md"), "utf8")).not.toContain("nats per token");
  });

  test.each(["first", "all"] as const)(
    "BILOU tags, weighted and smoothed, on %s pieces",
    async (labelPieces) => {
      const records = rows((text) => {
        const tokens = text.split(" ");
        const inRiver = tokens[1] === "river";
        const tags = tokens.map((word, i) => {
          if (inRiver && i < 2) return i === 0 ? "B-PLACE" : "L-PLACE";
          return word === "river" ? "U-PLACE" : word === "cat" ? "U-PET" : "O";
        });
        return { tokens, tags };
      });
      const task = { labelPieces, classWeights: "balanced", labelSmoothing: 0.05 } as const;
      const made = await tuned(`bilou-${labelPieces}`, records, { task, train: { epochs: 8 } });
      expect(made.figure!.name).toBe("entity F1");
      expect(made.figure!.value).toBeGreaterThan(0.8);
      expect(made.page).toContain('id="entities"');
      const { id2label } = JSON.parse(readFileSync(join(made.path, "config.json"), "utf8"));
      expect(Object.values(id2label)).toEqual(expect.arrayContaining(["O", "U-PET", "L-PLACE", "I-PLACE"]));
    },
  );

  test("vectors of a teacher, whole and cut", async () => {
    const vectorOf = (text: string) =>
      Array.from({ length: 32 }, (_, c) => Math.sin(c + 1) + (has("cat")(text) ? Math.cos(3 * c) : 0));
    const records = rows((text) => ({ text, embedding: vectorOf(text) }));
    const made = await tuned("vectors-given", records, { task: { dims: [16] } }, vectors);
    expect(made.figure).toMatchObject({ name: "cosine" });
    expect(made.figure!.value).toBeGreaterThan(0.8);
    const { figures } = await evaluateFolder(made.path, {}, made.options, hooks);
    expect(figures.cosine!.value).toBeCloseTo(made.figure!.value, 0);
    expect(figures["cosine@16d"]!.value).toBeGreaterThan(0.8);
  });
});

test("a tag of another form is named by its place, and labels nearly all alike are told", async () => {
  const tags = (odd: string) => (text: string, i: number) => ({
    tokens: text.split(" "),
    tags: text.split(" ").map((word) => (word === "cat" ? (i === 20 ? odd : "B-PET") : "O")),
  });
  const refused = async (odd: string) => finetune(body, await optionsFor("odd", rows(tags(odd), 200)), hooks);
  await expect(refused("B_PET")).rejects.toThrow(
    /odd\.jsonl:21, field "tags": the tag "B_PET" is not of the form of the others: is it "B-PET"/,
  );
  await expect(refused("B-PTE")).rejects.toThrow(
    /odd\.jsonl:21, field "tags": the label "PTE" occurs once: is it "PET"/,
  );
  told.length = 0;
  const alike = rows((text, i) => ({ text, label: i === 40 || i === 50 ? "rare" : "usual" }));
  await checkBatch(body, await optionsFor("alike", alike, { train: { lrPeak: 1e-2 } }), hooks);
  expect(told.join("\n")).toMatch(
    /unbalanced: 97.5 % are "usual".*\n.*few examples: "rare" 2 \(.*alike\.jsonl:41\)/,
  );
});

test("a checkpoint with a number that is none is refused by its tensor", async () => {
  const model = plain("masked-lm");
  const path = "bert.embeddings.LayerNorm.bias";
  new Map(tensorsOf(model.weights)).get(path)!.data[3] = Number.NaN;
  const broken = await writeModel(join(dir, "broken"), model, ["fp32"]);
  await expect(finetune(broken, await optionsFor("broken-run", pets), hooks)).rejects.toThrow(
    `tensor "${path}": holds NaN at place 3`,
  );
});

const pets = rows((text) => ({ text, label: has("cat")(text) ? "pet" : "other" }));

test("a linear model's words and made-up texts teach what few records say", async () => {
  const task = { linearStart: true, linearTeacher: 2 };
  const made = await tuned("linear", pets, { task, train: { epochs: 3 } });
  expect(told.join("\n")).toContain("2 made-up texts beside each record");
  expect(made.figure!.value).toBeGreaterThan(0.8);
});

describe("before a run", () => {
  test("one batch is learnt by heart, and nothing is written", async () => {
    const found = await checkBatch(body, await optionsFor("check", pets), hooks);
    expect(found).toMatchObject({ passed: true, task: "sequence-classification", counted: 8, hints: [] });
    expect(found.tries[0]!.after).toBeLessThan(0.1 * found.tries[0]!.before);
    expect(existsSync(join(dir, "check"))).toBe(false);
  });

  test("texts that read alike with other labels cannot be learnt, and are named", async () => {
    const same = rows(
      (text, i) => ({ text: i % 4 === 0 ? text : phrase(1), label: i % 2 === 0 ? "a" : "b" }),
      40,
    );
    const found = await checkBatch(body, await optionsFor("same", same), hooks);
    expect(found.passed).toBe(false);
    expect(found.hints[0]).toMatch(/examples \d and \d of the batch read alike and have other labels/);
  });

  test("rising rates: the loss falls, then rises, and the same seed says the same", async () => {
    const options = await optionsFor("range", pets);
    const [one, two] = [await findLr(body, options, hooks), await findLr(body, options, hooks)];
    expect(two.points).toEqual(one.points);
    expect(one.suggested).toBeGreaterThan(1e-4);
    expect(one.suggested).toBeLessThan(0.1);
    const [first, last] = [one.points[0]!, one.points.at(-1)!];
    expect(last.smoothed).toBeGreaterThan(first.smoothed);
    expect(existsSync(join(dir, "range"))).toBe(false);
  });

  test("a run whose loss did not fall says so, and names what helps", async () => {
    const made = await tuned("flat", pets, { train: { lrPeak: 1e-9, epochs: 2 } });
    expect(made.notes![0]).toMatch(/training loss did not fall .* --find-lr/);
    expect(told.join("\n")).toContain(made.notes![0]);
    expect(made.page).toContain("did not fall");
  });
});

test("preferences and judged answers are reported against the untouched model", async () => {
  const decoder = await writeModel(join(dir, "decoder"), tinyModel("gpt2"), ["fp32"]);
  const colour = (i: number) => at(["blue", "green", "black"], i);
  const few = { train: { epochs: 1, lrPeak: 1e-3 } };
  const chosen = Array.from({ length: 24 }, (_, i) => ({
    ...{ prompt: `what? ${i}`, chosen: `it is ${colour(i)}.`, rejected: `who knows ${i}` },
  }));
  const dpo = await tuned("dpo", chosen, few, decoder);
  expect(dpo.task).toBe("dpo");
  expect(dpo.page).toContain("reward accuracy");
  const judged = chosen.map(({ prompt, chosen: good, rejected }, i) => ({
    ...{ prompt, completion: i % 2 === 0 ? good : rejected, label: i % 2 === 0 },
  }));
  const kto = await tuned("kto", judged, few, decoder);
  expect(kto.task).toBe("kto");
  const asked = { reference: decoder, limit: 12, report: join(dir, "kto.html") };
  const { task, figures } = await evaluateFolder(kto.path, asked, kto.options, hooks);
  expect(task).toBe("kto");
  expect(figures.rewardOfGood!.value).toBeGreaterThan(figures.rewardOfOthers!.value);
  expect(readFileSync(asked.report, "utf8")).toContain("reward of good");
});

test("adapters on their base make the GGUF file of the merged model", async () => {
  const decoder = await writeModel(join(dir, "lora-base"), tinyModel("gpt2"), ["fp32"]);
  const records = Array.from({ length: 24 }, (_, i) => ({ prompt: `what? ${i}`, completion: "it is blue." }));
  const made = await tuned("lora", records, { adapter: { rank: 2 }, train: { epochs: 1 } }, decoder);
  expect(made.task).toBe("sft");
  expect(made.page).toContain('id="samples"');
  const files = [
    await ggufFolder(decoder, {
      type: "f32",
      out: join(dir, "a.gguf"),
      name: "x",
      adapters: [made.adapter!],
    }),
    await ggufFolder(made.path, { type: "f32", out: join(dir, "b.gguf"), name: "x" }),
  ];
  const [one, two] = await Promise.all(files.map(({ path }) => loadModel(path)));
  const other = new Map(tensorsOf(two!.model.weights));
  expect(other.size).toBeGreaterThan(10);
  for (const [name, { data }] of tensorsOf(one!.model.weights)) {
    const there = Array.from(other.get(name)!.data, Number);
    const off = Array.from(data, Number).map((x, i) => Math.abs(x - there[i]!));
    expect(Math.max(...off), name).toBeLessThan(1e-6);
  }
});

test("a report is never written over somebody else's file", async () => {
  const report = join(dir, "mine.html");
  writeFileSync(report, "<p>mine</p>");
  const options = await optionsFor("mine", pets);
  await expect(evaluateFolder(body, { report }, options, hooks)).rejects.toThrow(/is there, and no report/);
});
