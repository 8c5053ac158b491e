/** One small quickstart, run before the tests of a file that imports this, and the files of its result. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import type { Figures } from "../../src/metrics/metric.ts";
import type { ParityFile } from "../../src/ship/verify/verify.ts";
import { anneal, type Finished, writeCorpus } from "./command.ts";

interface Candidate {
  readonly name: string;
  /** Why it may not be chosen. */
  readonly fault?: string;
  readonly figures: Figures;
}

export interface Result {
  readonly path: string;
  readonly chosen: string;
  readonly met: boolean;
  readonly exceeded: readonly string[];
  readonly candidates: readonly Candidate[];
  readonly parity: ParityFile;
}

export const dir = mkdtempSync(join(tmpdir(), "anneal-e2e-"));

export const data = join(dir, "data");

export const shape = "--layers 2 --heads 2 --width 32 --context 96 --vocab 300".split(" ");

export const work =
  "--steps 40 --batch 4 --distill-steps 20 --eval-every 10 --checkpoint-every 5 --seed 1 --threads 1".split(
    " ",
  );

export const quickstart = (out: string, ...more: string[]): Promise<Finished> =>
  anneal(["quickstart", "--data", data, "--out", join(dir, out), ...shape, ...work, "--json", ...more]);

/** The smallest of those that may be chosen; of equals the one that loses least. */
export const smallestOf = (candidates: readonly Candidate[]): Candidate => {
  const of = ({ figures }: Candidate) => [figures.sizeBytes!.value, figures.lost!.value] as const;
  return candidates
    .filter(({ fault }) => fault === undefined)
    .toSorted((a, b) => of(a)[0] - of(b)[0] || of(a)[1] - of(b)[1])[0]!;
};

export const model = join(dir, "first/model");

export let first: Finished;

beforeAll(async () => {
  writeCorpus(data);
  first = await quickstart("first");
}, 120_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

export const artefacts = [
  "model.safetensors",
  "onnx/model.onnx",
  "onnx/model_q4.onnx",
  "onnx/model_quantized.onnx",
  "tokenizer.json",
];

export const others = [
  "README.md",
  "anneal.json",
  "config.json",
  "generation_config.json",
  "parity.json",
  "report.html",
  "tokenizer_config.json",
];
