/** Folders of small models and texts, and what an evaluation of them gives. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import type { Figures } from "../../src/metrics/metric.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import type { RunConfig } from "../../src/recipes/config/options.ts";
import { resolveOptions } from "../../src/recipes/config/resolve.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { userData } from "../../src/recipes/data/read.ts";
import { evaluateFolder } from "../../src/recipes/evaluate/evaluate.ts";
import type { EvalOptions, Evaluation, Prediction } from "../../src/recipes/evaluate/evaluation.ts";
import { tasks } from "../../src/tasks/index.ts";
import { meanOf, tokenScores } from "../../src/tasks/scores.ts";
import { type Family, tinyModel, writeModel } from "../browser/folders.ts";
import { sentences } from "./command.ts";

export const dir = mkdtempSync(join(tmpdir(), "anneal-eval-"));

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

export const written = (name: string, lines: readonly unknown[]): string => {
  const path = join(dir, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return path;
};

export const corpusOf = (count = 300): string =>
  written(
    `corpus-${count}.jsonl`,
    sentences(count).map((text) => ({ text })),
  );

export const folder = (family: Family, head?: Parameters<typeof tinyModel>[1]): Promise<string> =>
  writeModel(join(dir, `${family}-${head}`), tinyModel(family, head), ["fp32", "q8"]);

export const optionsFor = (path: string, more: RunConfig["data"] = {}) =>
  resolveOptions({ cwd: dir, flags: { data: { paths: [path], ...more }, threads: 1 } });

export const told: string[] = [];

const tell = (line: string): void => void told.push(line);

export const hooks = { ui: { ...silent, line: tell, warn: tell }, command: "" };

export const evaluated = async (
  model: string,
  path: string,
  given: EvalOptions = {},
): Promise<Evaluation> => {
  told.length = 0;
  return evaluateFolder(model, given, await optionsFor(path), hooks);
};

/** Nats per token by the training graph, over batches of four rows. */
export const lossByTraining = async (path: string, data: string, context: number): Promise<number> => {
  const { model, tokenizer } = await loadFolder(path);
  const task = Object.values(tasks).find(({ heads }) => heads.some((head) => model.arch.classes[head]))!;
  const own = model.arch.kind === "encoder" ? tasks["masked-lm"] : task;
  const options = await optionsFor(data);
  const { material } = await userData(options, { ui: silent }, { task: own, tokenizer });
  const heldOut = own.heldOut(material, {
    ...{ model, tokenizer, batch: own.name === "masked-lm" ? 1 : 4, context },
    ...{ seed: options.seed + 1, heldOutTokens: 32_768 },
  });
  return meanOf(await tokenScores(engine, model, heldOut));
};

export const holds = ({ figures }: Evaluation, name: string): number => {
  const { value, low, high, n } = figures[name]!;
  expect(low).toBeLessThanOrEqual(value);
  expect(high).toBeGreaterThanOrEqual(value);
  expect(high).toBeGreaterThan(low);
  expect(n).toBeGreaterThan(1);
  return value;
};

export const sizeOf = ({ figures }: Evaluation): number => figures.sizeBytes!.value;

/** What is the task's of the figures: what running the model costs stands behind it. */
export const qualityOf = ({ figures }: Evaluation): Figures => {
  const names = Object.keys(figures);
  return Object.fromEntries(names.slice(0, names.indexOf("sizeBytes")).map((name) => [name, figures[name]!]));
};

export const readPredictions = (path: string): Prediction[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Prediction);
