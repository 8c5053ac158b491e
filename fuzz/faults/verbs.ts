/** Verbs that write, at the least sizes, with what they read and what of their results is whole or not there. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rng } from "../../src/util/rng.ts";

/** One verb, from one state of its folder. Paths are below the folder that it is tried in. */
export interface Verb {
  /** Commands that make what it reads, and, in `out`, what an earlier run left. */
  readonly before: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** Files that people and programs read: none is ever half-written. */
  readonly results: RegExp;
  /** Where results come and go together: none of an earlier run beside one of a later. */
  readonly together: boolean;
  /** Whether `--resume` goes on where a run ended. */
  readonly resumes?: boolean;
}

const small = ["--layers", "1", "--width", "16", "--heads", "2", "--context", "16", "--vocab", "270"];
const steps = ["--steps", "4", "--batch", "2", "--checkpoint-every", "2", "--eval-every", "2"];
const train = ["train", "--data", "in", ...small, ...steps];
const data = ["data", "in", "--out", "out", "--vocab", "270"];
const model = [...train, "--out", "made"];
const exported = ["export", "made/model", "--out", "out"];
const optimized = ["optimize", "made/model", "--data", "in", "--out", "out", "--distill-steps", "2"];

/** The verbs: each into a new folder, and over what an earlier run with other options left. */
export const verbs: Readonly<Record<string, Verb>> = {
  data: { before: [], command: data, results: /^out\/[^/]+$/, together: false },
  "data again": {
    before: [[...data, "--format", "jsonl"]],
    command: data,
    results: /^out\/[^/]+$/,
    together: false,
  },
  "data as documents": {
    before: [],
    command: ["data", "in", "--out", "out", "--format", "jsonl", "--gzip"],
    results: /^out\/[^/]+$/,
    together: false,
  },
  train: {
    before: [],
    command: [...train, "--out", "out"],
    results: /^out\/model\//,
    together: true,
    resumes: true,
  },
  "train again": {
    before: [[...train, "--out", "out", "--seed", "2"]],
    command: [...train, "--out", "out"],
    results: /^out\/model\//,
    together: true,
    resumes: false,
  },
  export: {
    before: [model],
    command: [...exported, "--dtype", "fp32,q8"],
    results: /^out\//,
    together: true,
  },
  "export again": {
    before: [model, [...exported, "--dtype", "fp32,fp16"]],
    command: [...exported, "--dtype", "fp32,q8"],
    results: /^out\//,
    together: true,
  },
  optimize: {
    before: [model],
    command: [...optimized, "--max-mb", "1"],
    results: /^out\/model\//,
    together: true,
  },
};

/** Writes the texts that all verbs read to `dir`/in. */
export const writeTexts = (dir: string): void => {
  const words = "amber birch cedar delta ember fjord grove heron iris jade kelp lotus maple north".split(" ");
  const random = rng(1, "texts");
  const text = (i: number): string =>
    `${i} ${Array.from({ length: 30 }, () => words[random.int(words.length)]).join(" ")}.`;
  mkdirSync(join(dir, "in"));
  for (const file of ["a", "b"]) {
    const lines = Array.from({ length: 12 }, (_, i) => `${JSON.stringify({ text: text(i) })}\n`);
    writeFileSync(join(dir, "in", `${file}.jsonl`), lines.join(""));
  }
};
