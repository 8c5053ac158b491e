/** Students that are taught: cut out, fresh or of a folder, by what teachers say and by what stands within. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { inProcess } from "../../src/cli/inProcess.fixture.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import type { Model } from "../../src/models/model.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { openModel } from "../../src/node/hub/hub.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import { distillDefaults } from "../../src/recipes/config/options.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { type Distilled, distillModel } from "../../src/recipes/distill/distill.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { charTokenizer, type Tokenizer, trainBpe } from "../../src/tokenizer/index.ts";
import { dir, modelOf } from "./exported.ts";

const alphabet = "the quick brown fox jumps over a lazy dog.";
const decoder = join(dir, "teacher-decoder");
const embedder = join(dir, "teacher-embedder");
const foreign = join(dir, "other-tokens");
const text = join(dir, "foxes.jsonl");

const write = async (path: string, model: Model, own: Tokenizer = charTokenizer(alphabet)): Promise<void> => {
  const { tokenizer, config } = own.files();
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = new Map([
    ["tokenizer.json", bytes(tokenizer)],
    ["tokenizer_config.json", bytes(config)],
  ]);
  await writeFolder(path, exportModel(model, { files, dtypes: ["fp32"] }));
};

beforeAll(async () => {
  const model = modelOf("gpt2", "causal-lm");
  await write(decoder, model);
  const pieces = trainBpe([alphabet.repeat(3)], { vocab: 300 });
  await write(foreign, modelOf("gpt2", "causal-lm", { vocab_size: pieces.vocabSize }), pieces);
  await write(embedder, { ...modelOf("bert", "features"), pooling: { mode: "mean", normalize: true } });
  const words = alphabet.split(/[. ]/).slice(0, 9);
  const record = (i: number) =>
    Array.from({ length: 30 }, (_, w) => words[(i * w * w + w + (i >> 3) * (w % 4)) % 9]).join(" ");
  const rows = Array.from({ length: 40 }, (_, i) => `${JSON.stringify({ text: record(i) })}\n`);
  writeFileSync(text, rows.join(""));
});

const common = [
  "--data",
  text,
  "--threads",
  "1",
  "--rules",
  "none",
  "--near",
  "off",
  "--lines",
  "off",
  "--batch",
  "4",
  "--context",
  "24",
];

const distill = async (teacher: string, out: string, ...argv: string[]): Promise<Distilled> => {
  const given = ["distill", teacher, ...common, "--out", out, "--json", ...argv];
  const { code, out: said, err } = await inProcess(dir, given);
  expect(code, `${err}${said}`).toBe(0);
  return JSON.parse(said) as Distilled;
};

const bitsOf = async (path: string) =>
  Array.from(tensorsOf((await loadFolder(path)).model.weights), ([name, { data }]) => `${name} ${data}`);

describe("anneal distill", () => {
  it("teaches layers cut out of a decoder, by distributions, hidden states and relations", async () => {
    const out = join(dir, "cut-student");
    const how = "--layers 1 --steps 20 --lr 0.02 --divergence js --hidden 0.1 --relations 0.1".split(" ");
    const { before, after, teacher, path, from } = await distill(decoder, out, ...how);
    expect(from).toBe(`1 of ${teacher.layers} layers of the teacher`);
    expect(after.score).toBeLessThan(before.score - 0.1);
    expect(after.params).toBeLessThan(teacher.params);
    const { model } = await loadFolder(path);
    expect(model.history.map(({ name }) => name)).toEqual(["dropLayers", "distill"]);
    expect(model.history.at(-1)!.options).toMatchObject({ divergence: "js", hidden: 0.1, steps: 20 });
    expect([...tensorsOf(model.weights)].map(([name]) => name).join()).not.toContain("projection");
    const card = readFileSync(join(path, "README.md"), "utf8");
    expect(card).toMatch(/## Distillation\n\nThe student \(1 of \d layers of the teacher\) learnt from/);
    const { targets } = await verifyFolder(path, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  });

  it("teaches a fresh narrower encoder of another family how texts lie to each other", async () => {
    const out = join(dir, "fresh-student");
    const how = "--fresh --family distilbert --layers 1 --width 16 --heads 2 --steps 200 --lr 0.005".split(
      " ",
    );
    const { before, after, path } = await distill(embedder, out, ...how);
    expect(after.score).toBeGreaterThan(before.score);
    const { model } = await loadFolder(path);
    expect(model.arch.name).toBe("distilbert");
    expect(model.pooling).toEqual({ mode: "mean", normalize: true });
    expect(model.history.at(-1)!.options).toMatchObject({ vectors: "relations" });
  });

  it.each([4, 2])("learns under %i bits, and ships the codes that it learnt", async (bits) => {
    const how = ["--bits", String(bits), "--steps", "4"];
    const { before, teacher, path } = await distill(decoder, join(dir, `rounded-${bits}`), ...how);
    expect(before.params).toBe(teacher.params);
    const { model, dtype } = await loadFolder(path);
    expect(dtype).toBe(`q${bits}`);
    // The rate is in the measure of a code: of 2 bits half of what dense students of running text take.
    const { kvHeads, headWidth } = model.arch.cache(model.config);
    const dense = (6 * 5e-5 * 768) / (kvHeads * headWidth);
    const { lrPeak } = model.history.at(-1)!.options as { readonly lrPeak: number };
    expect(lrPeak / dense).toBeCloseTo(bits === 2 ? 0.5 : 0.125, 1);
    // Blocks of 32 inputs of the shipped weights are of at most so many values; the table keeps 4 bits.
    const tensors = new Map<string, Tensor>(tensorsOf(model.weights));
    const [, fc] = [...tensors].find(([name]) => /c_fc.weight/.test(name))!;
    const [rows, columns] = fc.shape as [number, number];
    const first = Array.from({ length: Math.min(32, rows) }, (_, i) => Number(fc.data[i * columns]));
    expect(new Set(first).size).toBeLessThanOrEqual(2 ** bits);
    const table = Array.from(
      [...tensors].find(([name]) => /wte/.test(name))![1].data.subarray(0, 32),
      Number,
    );
    expect(new Set(table).size).toBeGreaterThan(4);
    const verified = await verifyFolder(path, { targets: ["node-cpu"], dtypes: [`q${bits}` as "q2"] });
    expect(verified.targets["node-cpu"]).toMatchObject({ status: "passed" });
    const refused = await inProcess(dir, ["export", path, "--dtype", "q2", "--out", join(dir, "no-q2")]);
    expect(refused.err).toMatch(/quantize.bits.*learnt under them.*\n.*distill MODEL --bits 2/);
  });

  it("keeps the last weights under few bits, and the best where patience is asked for", async () => {
    const how = "--bits 2 --steps 4 --eval-every 1 --lr 1".split(" ");
    const kept = async (name: string, ...more: string[]) => {
      const out = join(dir, name);
      const given = ["distill", decoder, ...common, "--out", out, ...how, ...more];
      const { code, err } = await inProcess(dir, given);
      expect(code, err).toBe(0);
      const rows = readFileSync(join(out, "run", "metrics.jsonl"), "utf8")
        .trim()
        .split("\n");
      const losses = rows.flatMap((row) => (JSON.parse(row) as { valLoss?: number }).valLoss ?? []);
      const update = Number(/the weights of update (\d) are kept/.exec(err)?.[1]);
      return { update, best: 1 + losses.indexOf(Math.min(...losses)), of: losses.length };
    };
    // So high a rate ruins a model from update to update.
    expect(await kept("ruined")).toMatchObject({ update: 4, of: 4 });
    const patient = await kept("patient", "--patience", "4");
    expect(patient.update).toBe(patient.best);
    expect(patient.best).toBeLessThan(4);
  });

  it("keeps a teacher's likeliest tokens: another run asks no teacher, and learns the same", async () => {
    const cache = join(dir, "teacher-says");
    const kept = ["--layers", "1", "--steps", "4", "--teacher-top-k", "8", "--teacher-cache", cache];
    const first = await distill(decoder, join(dir, "asked"), ...kept);
    expect(first.after.score).toBeLessThan(first.before.score);
    const [own] = readdirSync(cache);
    const files = () =>
      readdirSync(join(cache, own!)).map((name) => statSync(join(cache, own!, name)).mtimeMs);
    const before = files();
    expect(before.length).toBe(4);
    const again = await distill(decoder, join(dir, "asked-again"), ...kept);
    expect(await bitsOf(again.path)).toEqual(await bitsOf(first.path));
    expect(files()).toEqual(before);
    await expect(distill(decoder, join(dir, "no"), ...kept, "--hidden", "1")).rejects.toThrow(/teacherTopK/);
  });

  it("teaches a student of another tokenizer", async () => {
    const how = ["--student", foreign, "--steps", "20", "--lr", "0.02", "--alpha", "0.9"];
    const { before, after, teacher, path } = await distill(decoder, join(dir, "across"), ...how);
    expect(after.score).toBeLessThan(before.score - 0.05);
    // The teacher has learnt nothing, and takes log2 of its tokens a letter.
    expect(teacher.score).toBeGreaterThan(4);
    const { model, tokenizer } = await openModel(path);
    expect(tokenizer.kind).toBe("bpe");
    expect(model.history.at(-1)!.options).toMatchObject({ across: "first tokens", alpha: 0.9 });
    expect(readFileSync(join(path, "README.md"), "utf8")).toContain("bits per byte");
    const { targets } = await verifyFolder(path, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  });

  it("teaches a student by what it writes itself", async () => {
    const how = "--layers 1 --steps 2 --on-policy 1 --divergence reverse --hidden 0.1".split(" ");
    const { path } = await distill(decoder, join(dir, "on-policy"), ...how);
    const { options } = (await loadFolder(path)).model.history.at(-1)!;
    expect(options).toMatchObject({ onPolicy: 1, alpha: 1, divergence: "reverse" });
    expect(readFileSync(join(path, "README.md"), "utf8")).toContain("1 of the texts written on by");
    await distill(decoder, join(dir, "on-policy-rounded"), "--bits", "4", "--steps", "2", "--on-policy", "1");
  });

  it.each([
    ["of losses", { layers: 1, hidden: 1 }],
    ["of a student's own texts", { layers: 1, onPolicy: 0.5 }],
  ])("goes on where it was interrupted, to the same bits, %s", async (_, asked) => {
    const [straight, broken] = ["straight", "broken"].map((name) =>
      join(dir, name + Object.keys(asked).at(-1)),
    );
    const train = {
      ...distillDefaults.train,
      steps: 6,
      batch: 4,
      checkpointEvery: 2,
      lrPeak: 0.01,
      warmup: 1,
    };
    const run = (out: string) => ({
      ...distillDefaults,
      ...{ out, threads: 1, train },
      data: { ...distillDefaults.data, paths: [text], rules: ["none"], near: "off", lines: "off" } as const,
      model: { ...distillDefaults.model, n_positions: 24 },
    });
    const hooks = { ui: silent, command: "test" };
    await distillModel(decoder, asked, run(straight!), hooks);
    const controller = new AbortController();
    const stop = (done: number) => done === 3 && controller.abort();
    const task = (name: string) =>
      name === "distilling" ? { update: stop, done: () => {} } : silent.task(name, 0);
    const ui = { ...silent, task };
    const first = await distillModel(decoder, asked, run(broken!), {
      ...hooks,
      ui,
      signal: controller.signal,
    });
    expect(first).toBeUndefined();
    await expect(
      distillModel(decoder, { layers: 1, hidden: 2 }, run(broken!), { ...hooks, resume: true }),
    ).rejects.toThrow(/distill/);
    await distillModel(decoder, asked, run(broken!), { ...hooks, resume: true });
    expect(await bitsOf(join(broken!, "model"))).toEqual(await bitsOf(join(straight!, "model")));
  });

  it.each([
    [["--layers", "99"], 2, /distill.layers.*not cut out of a teacher of \d+/],
    [["--width", "8"], 2, /distill.width.*fresh student alone.*\n.*--fresh/],
    [["--student", "X", "--layers", "1"], 2, /distill.student.*one or the other/],
    [["--student", embedder], 2, /is for embedding, and its teacher for causal-lm/],
    [["--student", foreign, "--hidden", "2"], 2, /distill.hidden.*another tokenizer/],
    [["--on-policy", "0.5", "--alpha", "0.9"], 2, /distill.onPolicy.*teacher alone/],
    [["--on-policy", "1", "--teacher-top-k", "8"], 2, /distill.onPolicy.*written anew/],
    [["--vectors", "mse"], 2, /distill.vectors.*makes no vectors/],
    [["--divergence", "forwards"], 2, /did you mean forward\?/],
    [["--fresh", "--family", "bert"], 2, /has no head for causal-lm/],
    [["--data", "nowhere.txt"], 3, /nowhere.txt/],
  ])("refuses %j", async (more, exit, message) => {
    const given = ["distill", decoder, ...common, "--out", join(dir, "none"), ...more];
    const { code, err } = await inProcess(dir, given);
    expect(code, err).toBe(exit);
    expect(err).toMatch(message);
  });
});
