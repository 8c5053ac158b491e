/** The programs in examples/ run, at a small size, against the package's own exports. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bertConfig } from "../src/models/encoders/bert.ts";
import { bert } from "../src/models/index.ts";
import { initialize } from "../src/nn/param.ts";
import { writeFolder } from "../src/node/files/files.ts";
import { exportModel } from "../src/ship/onnx/export.ts";

const root = resolve(import.meta.dirname, "..");
const examples = join(root, "examples");
let dir: string;
let programs: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "anneal-examples-"));
  // Inside the package, so that its own name resolves through its exports.
  programs = mkdtempSync(join(root, "dist/.examples-"));
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 };
  for (const name of readdirSync(examples)) {
    const { outputText } = ts.transpileModule(readFileSync(join(examples, name), "utf8"), {
      compilerOptions,
    });
    writeFileSync(join(programs, name.replace(/ts$/, "mjs")), outputText);
  }
});

afterAll(() => {
  for (const made of [dir, programs]) rmSync(made, { recursive: true, force: true });
});

const run = (name: string, ...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(programs, `${name}.mjs`), ...args], { cwd: dir, encoding: "utf8" });

test("each is short, and each is run here", () => {
  const names = readdirSync(examples).sort();
  const all = [
    "chat.ts",
    "checkpoint.ts",
    "clean.ts",
    "search.ts",
    "sentiment.ts",
    "train.ts",
    "translation.ts",
  ];
  expect(names).toEqual(all);
  for (const name of names) {
    expect(readFileSync(join(examples, name), "utf8").split("\n").length, name).toBeLessThanOrEqual(60);
  }
});

test("train: the loss falls, and text is written", () => {
  const file = join(dir, "text.md");
  writeFileSync(file, "the cat sat on the mat\n\nthe dog sat on the log\n\n".repeat(60));
  const printed = run("train", file, "101");
  const losses = Array.from(printed.matchAll(/step (\d+): ([\d.]+) nats/g), (m) => Number(m[2]));
  expect(losses.length).toBe(2);
  expect(losses[1]!).toBeLessThan(0.6 * losses[0]!);
  expect(printed.split("\n").slice(2).join("\n")).toMatch(/the (cat|dog) sat/);
});

test("translation: line-aligned files are learnt, and lines are translated", () => {
  const words = ["two", "men", "dogs", "run", "over", "grass"];
  const turned = (text: string) => text.split(" ").reverse().join(" ");
  const lines = words.flatMap((a) => words.flatMap((b) => words.map((c) => `${a} ${b} ${c} grass`)));
  for (const [name, some] of [
    ["train", lines.filter((_, i) => i % 10 > 0)],
    ["val", lines.filter((_, i) => i % 10 === 0)],
  ] as const) {
    writeFileSync(join(dir, `${name}.en`), `${some.join("\n")}\n`);
    writeFileSync(join(dir, `${name}.de`), `${some.map(turned).join("\n")}\n`);
  }
  const printed = run("translation", "train", "val", "en", "de", join(dir, "translator"), "40", "1");
  expect(printed).toMatch(/pairs: 194 to train on .* 22 held out/);
  expect(printed).toMatch(/two two two grass\n {2}grass/);
  expect(Number(/BLEU ([\d.]+) \[[\d.]+, [\d.]+\]/.exec(printed)![1])).toBeGreaterThan(1);
});

test("checkpoint: exported in two dtypes, which pass", () => {
  const printed = run("checkpoint", join(dir, "made"));
  expect(printed).toMatch(/onnx\/model\.onnx: \d+ bytes/);
  expect(printed).toMatch(/node-cpu fp32: passed, cosine 1\.00000/);
  expect(printed).toMatch(/node-cpu fp16: passed, cosine 1\.00000/);
  expect(existsSync(join(dir, "made/web/model.safetensors"))).toBe(true);
});

test("chat: a model learns how to answer, and answers", () => {
  const file = join(dir, "chats.jsonl");
  const chat = (i: number) => [
    { role: "user", content: `new ${i}` },
    { role: "assistant", content: "low" },
  ];
  const lines = Array.from({ length: 60 }, (_, i) => JSON.stringify({ messages: chat(i) }));
  writeFileSync(file, lines.join("\n"));
  const out = join(dir, "mine");
  const printed = run("chat", join(dir, "made/checkpoint"), file, out, "new 7", "12");
  expect(printed).toContain("learnt is all that the assistant says");
  expect(printed).toContain("gets ChatML");
  expect(printed).toMatch(
    /first example: <\|im_start\|>user\\nnew \d+.*assistant\\n\[\[low<\|endoftext\|>\]\]/,
  );
  const [, loss, answer] = /held-out loss: ([\d.]+) nats per token\n(.*)/.exec(printed)!;
  expect(Number(loss)).toBeLessThan(0.5);
  expect(answer).toBe("low");
  expect(existsSync(join(out, "model/chat_template.jinja"))).toBe(true);
});

test("sentiment: a classifier from nothing", () => {
  const nouns = ["film", "book", "song", "meal"];
  const said = (i: number) => (i % 2 === 0 ? ["lovely", "bright"] : ["dull", "cold"])[i % 3 === 0 ? 1 : 0]!;
  const text = (i: number) => `the ${nouns[i % 5 === 0 ? 0 : i % 4]} was ${said(i)}`;
  const file = (name: string, lines: readonly string[]): string => {
    writeFileSync(join(dir, name), `${lines.join("\n")}\n`);
    return join(dir, name);
  };
  const rows = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, k) => `${text(from + k)}\t${k % 2 === 0 ? "good" : "bad"}`);
  const labelled = file("reviews.tsv", ["text\tlabel", ...rows(0, 120)]);
  const asked = file("asked.tsv", ["text\tlabel", ...rows(120, 180)]);
  const texts = file(
    "texts.txt",
    Array.from({ length: 400 }, (_, i) => `${text(i)}.\n`),
  );
  const printed = run("sentiment", labelled, asked, texts, join(dir, "mood"), "10", "16");
  expect(printed).toMatch(/task: sequence-classification/);
  const [, accuracy, low] = /accuracy ([\d.]+) \(95 %: ([\d.]+) to/.exec(printed)!;
  expect(Number(accuracy)).toBeGreaterThan(0.9);
  expect(Number(low)).toBeLessThan(1);
  expect(existsSync(join(dir, "mood/classifier/model/onnx"))).toBe(true);
});

test("clean: duplicates go, and the rest is written", () => {
  const folder = join(dir, "notes");
  mkdirSync(folder);
  const text = (topic: string) =>
    `All that there is to say of ${topic}, said in one line that is long enough.\n`;
  ["bread", "bread", "stone", "water", "write to me at anna@example.org, and soon, about rivers"].forEach(
    (t, i) => {
      writeFileSync(join(folder, `${i}.md`), text(t));
    },
  );
  const out = join(dir, "clean.jsonl");
  const printed = run("clean", folder, out);
  expect(printed).toMatch(/3 documents to train on, 1 held out/);
  expect(printed).toMatch(/duplicate.*: 1, such as/);
  const kept = readFileSync(out, "utf8");
  expect(kept).not.toContain("anna@");
  expect(kept.trim().split("\n").length).toBe(3);
});

test("search: the note that is the question itself comes first", async () => {
  const folder = join(dir, "encoder");
  const letters = Array.from("abcdefghijklmnopqrstuvwxyz", (c) => [c, `##${c}`]).flat();
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...letters];
  const shape = { hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64 };
  const config = bertConfig({
    vocab_size: words.length,
    architectures: ["BertModel"],
    max_position_embeddings: 64,
    initializer_range: 0.3,
    ...shape,
  });
  const model = { arch: bert, config, weights: initialize(bert.params(config), 2), history: [] };
  const vocab = new TextEncoder().encode(words.join("\n"));
  await writeFolder(folder, exportModel(model, { files: new Map([["vocab.txt", vocab]]) }));
  const printed = run("search", folder, "where are the keys", "bread and salt", "where are the keys");
  const lines = printed.trim().split("\n");
  expect(lines[0]).toBe("1.000  where are the keys");
  expect(Number.parseFloat(lines[1]!)).toBeLessThan(0.999);
});
