/** Adapters by the command line: trained, killed and gone on with, used, refused where the base is another. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import type { Gain } from "../../src/recipes/train/gain.ts";
import { entries } from "../../src/util/tree.ts";
import {
  annealHere as anneal,
  type Finished,
  lineCount,
  onlyJson,
  start,
  until,
  writeCorpus,
} from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-lora-"));
const at = (name: string): string => join(dir, name);
const work = ["--data", at("data"), "--threads", "1", "--optimizer", "adamw", "--batch", "4", "--seed", "3"];
const shape = "--layers 2 --heads 2 --width 32 --context 32 --vocab 280".split(" ");
const tuning = ["--from", at("base/model"), "--context", "32", "--steps", "60", "--lr", "1e-2"].concat([
  "--warmup",
  "5",
  "--eval-every",
  "30",
  "--checkpoint-every",
  "5",
  "--json",
]);
const tune = (out: string, ...more: string[]): string[] => {
  return ["train", ...work, ...tuning, "--replicas", "2", "--out", at(out), ...more];
};
const how = ["--lora", "4", "--lora-dropout", "0.1", "--rslora"];
const ok = ({ code, stderr }: Finished): void => expect(code, stderr).toBe(0);
const bytes = (out: string): Buffer => readFileSync(join(at(out), "adapter/adapter_model.safetensors"));

interface Told {
  readonly adapter: string;
  readonly valLoss: number;
  readonly gain: Gain;
}
let told: Told;
beforeAll(async () => {
  writeCorpus(at("data"));
  ok(await anneal(["train", ...work, ...shape, "--steps", "30", "--warmup", "5", "--out", at("base")]));
  const done = await anneal(tune("tuned", ...how));
  ok(done);
  told = onlyJson(done) as Told;
}, 300_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("the loss falls, and merging and 8 bits keep the gain", () => {
  const { before, tuned, merged } = told.gain;
  expect(before - tuned).toBeGreaterThan(0.1);
  expect(tuned).toBeCloseTo(told.valLoss, 5);
  expect(merged.fp32!.share).toBeCloseTo(1, 3);
  expect(merged.q8!.share).toBeGreaterThan(0.95);
});

test("the folder is PEFT's, with what its base was", () => {
  const json = JSON.parse(readFileSync(join(told.adapter, "adapter_config.json"), "utf8"));
  expect(json).toMatchObject({ peft_type: "LORA", task_type: "CAUSAL_LM", r: 4, use_rslora: true });
  expect(json).toMatchObject({ base_model_name_or_path: at("base/model"), fan_in_fan_out: true });
  const { tensors } = decodeSafetensors(new Uint8Array(bytes("tuned")), "adapter_model.safetensors");
  expect(tensors.size).toBe(2 * 2 * 4);
  expect(tensors.get("base_model.model.transformer.h.1.mlp.c_fc.lora_A.weight")!.shape).toEqual([4, 32]);
});

test("a run that was killed, on two replicas with dropout, ends with the same bytes", async () => {
  const metrics = join(at("killed"), "run/metrics.jsonl");
  const { child, finished } = start(tune("killed", ...how));
  await until(() => existsSync(metrics) && lineCount(metrics) > 12, finished);
  child.kill("SIGKILL");
  expect((await finished).killedBy).toBe("SIGKILL");
  ok(await anneal(tune("killed", ...how, "--resume")));
  expect(bytes("killed").equals(bytes("tuned"))).toBe(true);
}, 120_000);

test("the base with --adapter is the merged model", async () => {
  const merged = (await loadModel(at("tuned/model"))).model;
  const both = (await loadModel(at("base/model"), { adapters: [told.adapter] })).model;
  expect(new Map(entries(both.weights))).toEqual(new Map(entries(merged.weights)));
  const held = ["--data", at("data"), "--json", "--threads", "1"];
  const found = await anneal(["eval", at("base/model"), "--adapter", told.adapter, ...held]);
  ok(found);
  const { figures, graphs } = onlyJson(found) as {
    figures: { natsPerToken: { value: number } };
    graphs: string;
  };
  expect(graphs).toBe("made");
  expect(figures.natsPerToken.value).toBeLessThan(told.gain.before);
  const out = at("exported");
  ok(await anneal(["export", at("base/model"), "--adapter", told.adapter, "--dtype", "fp32", "--out", out]));
  expect(new Map(entries((await loadModel(out)).model.weights))).toEqual(new Map(entries(merged.weights)));
}, 120_000);

test("over 4 bits it learns as over float32, and is exact where it is merged", async () => {
  const done = await anneal(tune("four", "--lora", "4", "--base-bits", "4"));
  ok(done);
  const { gain } = onlyJson(done) as Told;
  const plain = onlyJson(await anneal(tune("plain", "--lora", "4"))) as Told;
  expect(Math.abs(gain.tuned - plain.gain.tuned)).toBeLessThan(0.02);
  const again = await loadModel(at("base/model"), { adapters: [at("four/adapter")] });
  const shipped = await loadModel(at("four/model"));
  expect(new Map(entries(again.model.weights))).toEqual(new Map(entries(shipped.model.weights)));
}, 120_000);

test("layers below stay, and a second adapter stands on the first", async () => {
  const more = ["--lora", "2", "--adapter", told.adapter, "--freeze-layers", "1"];
  ok(await anneal(tune("second", ...more)));
  const first = (await loadModel(at("tuned/model"))).model;
  const adapters = [told.adapter, at("second/adapter")];
  const both = (await loadModel(at("base/model"), { adapters })).model;
  const changed = [...entries(both.weights)].filter(([path, w]) => {
    const was = new Map(entries(first.weights)).get(path);
    return JSON.stringify(was) !== JSON.stringify(w);
  });
  expect(changed.length).toBe(4);
  expect(changed.every(([path]) => path.startsWith("transformer.h.1."))).toBe(true);
}, 120_000);

describe("refused", () => {
  test.each<[string, () => string[], RegExp]>([
    [
      "an adapter of another base",
      () => ["eval", at("tuned/model"), "--adapter", at("tuned/adapter")],
      /tensor "transformer.h.0.attn.c_attn.weight": was made for a base of other weights: .* and 3 more differ/,
    ],
    [
      "a folder that has no adapter",
      () => ["eval", at("base/model"), "--adapter", at("base/model")],
      /adapter_config.json/,
    ],
    [
      "options of adapters without one",
      () => tune("no", "--lora-alpha", "4"),
      /adapter.alpha.*no adapters are trained/,
    ],
    [
      "more layers frozen than there are",
      () => tune("no", "--freeze-layers", "3"),
      /train.freezeLayers.*the model has 2 layers/,
    ],
    [
      "several tokens as one",
      () => tune("no", "--lora", "2", "--lora-tokens", "some words"),
      /adapter.tokens.*"some words" is \d+ tokens, not one/,
    ],
  ])("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await anneal(args().filter((arg) => arg !== "--json"));
    expect(stdout + stderr).toMatch(message);
    expect(code).toBeGreaterThan(1);
  });
});
