/** A sweep over tiny models: what its folder holds, how it goes on, what it refuses. */
import { existsSync, readFileSync } from "node:fs";
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelDir } from "../../node/hub/hub.ts";
import { categorical, float, type Space } from "../../search/space/space.ts";
import { BusyError, ConfigError } from "../../util/errors.ts";
import { defaults, finetuneDefaults, type RunOptions } from "../config/options.ts";
import { resolveOptions } from "../config/resolve.ts";
import { silent } from "../context/ui.ts";
import { readTrials } from "./log.ts";
import { defaultSpace, paramOf } from "./space.ts";
import { sweep } from "./sweep.ts";
import { trialOptions } from "./trialOptions.ts";

let dir = "";
let text = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-sweep-"));
  text = join(dir, "texts");
  await mkdir(text);
  const words = ["the cat", "a dog", "sees", "hears", "the sun", "and runs", "home"];
  for (let file = 0; file < 10; file++) {
    const at = (i: number): string =>
      words[(i * (5 + file) + (i >> (1 + (file % 3))) + file) % words.length]!;
    const body = Array.from({ length: 150 }, (_, i) => at(i)).join(" ");
    await writeFile(join(text, `${file}.txt`), body);
  }
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A heads count that no width of 16 divides into fails; rates this far apart are told apart at once. */
const space: Space = {
  "train.lrPeak": float(1e-4, 3e-2, { log: true }),
  "train.batch": categorical([2, 4], { ordered: true }),
  "model.n_head": categorical([1, 2, 3], { ordered: true }),
};
const base = (out: string): RunOptions => ({
  ...defaults,
  out: join(dir, out),
  threads: 1,
  data: { ...defaults.data, paths: [text], rules: [], near: "off", lines: "off" },
  tokenizer: { kind: "char", vocab: 64 },
  model: { ...defaults.model, n_layer: 1, n_head: 2, n_embd: 16, n_positions: 16 },
  train: { ...defaults.train, steps: 9, batch: 4, warmup: 2, optimizer: "adamw", checkpointEvery: 3 },
});
const hooks = { ui: silent, command: "npx anneal sweep" };
const run = async (out: string, trials: number, more: { resume?: boolean; signal?: AbortSignal } = {}) =>
  (await sweep(base(out), { space, trials, goals: ["quality", "size"] }, { ...hooks, ...more }))!;
const plain = (out: string) => readTrials(join(dir, out)).map(({ seconds: _, begun: __, ...rest }) => rest);

describe("a sweep of six trials", () => {
  test("keeps what each trial was and made; one that fails is noted, and the search goes on", async () => {
    const found = await run("whole", 6);
    expect(found.trials.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4, 5]);
    const failed = found.trials.filter(({ state }) => state === "failed");
    expect(failed.length).toBeGreaterThan(0);
    for (const { error, values } of failed) {
      expect(values["model.n_head"]).toBe(3);
      expect(error).toMatch(/16 channels \(n_embd\) do not divide into 3 heads/);
    }
    const done = found.trials.filter(({ state }) => state === "complete");
    const best = done.find(({ number }) => number === found.best)!;
    expect(best.objectives![0]).toBe(Math.min(...done.map(({ objectives }) => objectives![0]!)));
    expect(found.front).toContain(found.best);
    expect(best.rungs!.length).toBe(3);
    expect(found.importance.reduce((sum, [, share]) => sum + share, 0)).toBeCloseTo(1, 9);
    // Twice the batch takes half the updates.
    for (const { values, steps } of readTrials(join(dir, "whole")).filter((t) => t.state === "complete")) {
      expect(steps).toBe(values["train.batch"] === 2 ? 18 : 9);
    }
    expect(await readdir(join(dir, "whole"))).toContain("trial-0");
    expect(await modelDir(join(dir, "whole", `trial-${found.best}`))).toBe(found.path);
    const page = readFileSync(found.report, "utf8");
    expect(page).toContain(`Trial ${found.best} is best`);
    expect(page).toContain("do not divide into 3 heads");
    expect(page).not.toContain("<script");
  });

  test("left in its midst and gone on with, with a torn line, is the one that was not", async () => {
    const controller = new AbortController();
    const ui = { ...silent, line: (line: string) => line.startsWith("trial 1") && controller.abort() };
    await sweep(
      base("left"),
      { space, trials: 6, goals: ["quality", "size"] },
      { ...hooks, ui, signal: controller.signal },
    );
    expect(plain("left").length).toBeLessThan(6);
    // A process that is killed leaves a trial that runs, and may tear a line.
    await appendFile(join(dir, "left", "trials.jsonl"), '{"number":2,"sta');
    await expect(run("left", 6)).rejects.toThrow(/holds a sweep already/);
    await run("left", 6, { resume: true });
    expect(plain("left")).toEqual(plain("whole"));
    const [a, b] = ["whole", "left"].map((out) => join(dir, out, "trial-5", "model", "model.safetensors"));
    if (existsSync(a!)) expect(readFileSync(b!)).toEqual(readFileSync(a!));
  });

  test("a trial in which the process ended three times has failed; another sweep is refused by its field", async () => {
    const log = join(dir, "left", "trials.jsonl");
    const values = { "train.lrPeak": 0.001, "train.batch": 2, "model.n_head": 1 };
    await appendFile(log, `${JSON.stringify({ number: 6, state: "running", values })}\n`.repeat(3));
    const found = await run("left", 7, { resume: true });
    expect(found.trials[6]).toMatchObject({
      state: "failed",
      error: expect.stringMatching(/ended in it 3 times/),
    });
    const other = { ...base("left"), seed: 9 };
    const again = sweep(other, { space, goals: ["quality", "size"] }, { ...hooks, resume: true });
    await expect(again).rejects.toThrow(/"options\.seed".*not comparable/s);
  });

  test("a second process is refused, naming the first", async () => {
    const lock = JSON.stringify({ pid: process.ppid, host: (await import("node:os")).hostname() });
    await writeFile(join(dir, "left", "lock"), lock);
    const error = await run("left", 8, { resume: true }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BusyError);
    expect((error as BusyError).message).toContain(`process ${process.ppid}`);
  });
});

test("folders of the user's, spaces and times that cannot be are refused before any trial", async () => {
  await expect(sweep({ ...base("x"), out: dir }, { space }, hooks)).rejects.toThrow(ConfigError);
  await expect(sweep(base("x"), { space: {} }, hooks)).rejects.toThrow(/no parameters/);
  await expect(sweep(base("x"), { timeSec: 0 }, hooks)).rejects.toThrow(/"time".*above 0/);
  await expect(run("x", 2, { resume: true })).rejects.toThrow(/no sweep to go on with/);
});

test("trials of a narrow model, whose rate goes over to the width that is wanted", async () => {
  const rates: Space = { "train.lrPeak": float(1e-3, 1e-2, { log: true }) };
  const found = (await sweep(base("narrow"), { space: rates, trials: 2, proxyWidth: 8 }, hooks))!;
  const told = (file: string): RunOptions => JSON.parse(readFileSync(join(dir, "narrow", file), "utf8"));
  const [trial, wide] = [told(`trial-${found.best}/options.json`), told("wide.json")];
  expect([trial.model.n_embd, trial.model.n_head, trial.train.baseWidth]).toEqual([8, 1, 0]);
  expect([wide.model.n_embd, wide.model.n_head, wide.train.baseWidth]).toEqual([16, 2, 8]);
  expect(wide.train.lrPeak).toBe(found.trials[found.best!]!.values["train.lrPeak"]);
  expect(found.again).toBe(`npx anneal train --config ${join(dir, "narrow", "wide.json")}`);
  const refused = (proxyWidth: number, more: object = {}) =>
    expect(sweep(base("no"), { space: rates, proxyWidth, ...more }, hooks)).rejects;
  await refused(16).toThrow(/16 is not below the model's 16/);
  await refused(12).toThrow(/12 does not divide into heads of 8/);
  await refused(8, { ref: "some" }).toThrow(/takes a fresh model/);
  await refused(8, { space }).toThrow(/stands against a search of model.n_head/);
});

test("choices of texts are searched on held-out files of their own, by one tokenizer", async () => {
  const shares: Space = { "data.likeShare": categorical([0.3, 1], { ordered: true }) };
  const own = base("shares");
  const like = join(text, "0.txt");
  const given = { ...own, data: { ...own.data, like: [like], validation: [join(text, "9.txt")] } };
  const from = (await run("whole", 6, { resume: true })).path!;
  const chosen = { ...given, model: { ...given.model, from } };
  const found = (await sweep(chosen, { space: shares, trials: 2 }, hooks))!;
  expect(found.trials.map(({ state, error }) => error ?? state)).toEqual(["complete", "complete"]);
  const losses = new Set(found.trials.map(({ objectives }) => objectives![0]));
  expect(losses.size).toBe(2);
  await expect(sweep({ ...chosen, data: own.data }, { space: shares }, hooks)).rejects.toThrow(
    /data.likeShare.*held out/,
  );
  await expect(sweep(given, { space: shares }, hooks)).rejects.toThrow(/data.likeShare.*tokenizer/);
  expect(() => paramOf("data.paths", "a,b")).toThrow(/is not searched/);
});

test("parameters as users write them", () => {
  expect(paramOf("train.lrPeak", "1e-4..1e-2")).toEqual(float(1e-4, 1e-2, { log: true }));
  expect(paramOf("model.n_layer", "2..6")).toMatchObject({ kind: "integer", low: 2, high: 6 });
  expect(paramOf("model.dropout", "0..0.3")).toEqual(float(0, 0.3));
  expect(paramOf("train.optimizer", "muon, adamw")).toEqual(categorical(["muon", "adamw"]));
  expect(paramOf("train.batch", "16,4,8")).toEqual(categorical([4, 8, 16], { ordered: true }));
  expect(() => paramOf("train.optimizer", "muon,adamm")).toThrow(/adamm.*/);
  expect(() => paramOf("train.lrPeek", "1..2")).toThrow(/no such field/);
  expect(() => paramOf("tokenizer.vocab", "300..600")).toThrow(/is not searched/);
  expect(() => paramOf("train.optimizer", "adamw..muon")).toThrow(/no range of numbers/);
});

test("the usual spaces: width and depth where size is a goal, rates of fine-tuning for a checkpoint", () => {
  const names = (tunes: boolean, goals: readonly ("quality" | "size")[]) =>
    Object.keys(defaultSpace(tunes ? finetuneDefaults : defaults, { tunes, goals }));
  expect(names(false, ["quality"])).not.toContain("model.n_embd");
  expect(names(false, ["quality", "size"])).toEqual(
    expect.arrayContaining(["model.n_embd", "model.n_layer"]),
  );
  expect(names(true, ["quality"])).toEqual(expect.arrayContaining(["train.epochs", "train.warmupShare"]));
});

test("a trial sees as many tokens, warms up for the same share, and keeps the width of its heads", async () => {
  const given = await resolveOptions({ flags: { train: { steps: 100, warmup: 20, batch: 8 } }, cwd: dir });
  const values = { "train.batch": 16, "train.lrPeak": 8e-3, "model.n_embd": 192 };
  const { train, model, out } = trialOptions(given, values, "trial");
  expect(train).toMatchObject({
    steps: 50,
    warmup: 10,
    lrPeak: 8e-3,
    lrMin: (given.train.lrMin / given.train.lrPeak) * 8e-3,
  });
  expect([model.n_head, out]).toEqual([6, "trial"]);
});
