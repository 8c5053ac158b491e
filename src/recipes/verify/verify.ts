/** Verifies a shipped folder: every dtype on every target against the dense model. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeReference, type Reference, type Tokenized } from "../../evaluate/parity/reference.ts";
import { inScratch } from "../../node/files/scratch.ts";
import { isGguf } from "../../node/model/ggufFile.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type TargetName, targets, targetsFrom, targetTitles } from "../../node/targets/index.ts";
import type { Described } from "../../ship/verify/reference.ts";
import { allTargets, type ParityFile, type TargetParity, withInstead } from "../../ship/verify/verify.ts";
import { DataError } from "../../util/errors.ts";
import { silent, type Ui } from "../context/ui.ts";
import { version } from "../context/version.ts";
import { earlierParity, machineName, saveParity } from "./parityFile.ts";
import {
  formsFrom,
  pickForms,
  type ShippedByFormat,
  type ShippedFiles,
  sha256Of,
  shippedIn,
  sizeBytesOf,
} from "./shippedFiles.ts";
import { referenceIn, subjectIn } from "./subject.ts";
import { tryTarget, type Work } from "./tryTarget.ts";

/** Which targets and dtypes are verified, and how. */
export interface VerifyOptions {
  /** All targets unless told. */
  readonly targets?: readonly string[];
  /** All dtypes that the folder has unless told. */
  readonly dtypes?: readonly string[];
  /** Texts to read, besides ids drawn from the vocabulary. */
  readonly prompts?: readonly string[];
  /** The browser's program; one that is installed unless told. */
  readonly browser?: string;
  readonly threads?: number;
  readonly seed?: number;
  /** Prompts to read; 6 unless told. */
  readonly count?: number;
  /** Longest that one dtype may take on one target, seconds. */
  readonly timeoutSec?: number;
  readonly signal?: AbortSignal;
}

const defaultPrompts = [
  "Once upon a time, there was a small house at the end of a long road.",
  "The quick brown fox jumps over the lazy dog, and 3 + 4 = 7.",
  "def main():\n    return",
];

/** Texts as the model reads them: those of encoders stand between their special tokens. */
const tokensOf = async (dir: string, { arch }: Described, texts: readonly string[]): Promise<number[][]> => {
  const tokenizer = await readTokenizer(dir);
  return texts.map((text) =>
    Array.from(arch.kind === "decoder" ? tokenizer.encode(text) : tokenizer.encodeInputs(text).ids),
  );
};

/** The texts' tokens; without a tokenizer and without texts of the user's, none: ids are drawn instead. */
const promptsOf = async (
  dir: string,
  model: Described,
  options: VerifyOptions,
  ui: Ui,
): Promise<number[][]> => {
  if (options.prompts !== undefined) return tokensOf(dir, model, options.prompts);
  try {
    return await tokensOf(dir, model, defaultPrompts);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    ui.line(`${error.message}: the prompts are ids drawn from the vocabulary`);
    return [];
  }
};

/** Texts that tokenizers find hard, each in a way of its own. */
const hardTexts = [
  "the  quick\n\n brown\t fox's 12345 jumps,don't they?",
  "na\u00efve caf\u00e9 \u4f60\u597d \u{1f600}\u{1f3fd} \u0645\u0631\u062d\u0628\u0627",
  "  for (let i = 0; i < 10; i++) {\n    x += 3.14e-5;\n  }\n",
];

/** Texts by the model's own tokenizer, for targets whose files bring one; none without a tokenizer. */
const splitOf = async (
  dir: string,
  { arch }: Described,
  { prompts = [] }: VerifyOptions,
): Promise<readonly Tokenized[]> => {
  if (arch.kind !== "decoder") return [];
  try {
    const tokenizer = await readTokenizer(dir);
    const all = [...defaultPrompts, ...hardTexts, ...prompts];
    return all.map((text) => ({ text, ids: Array.from(tokenizer.encode(text)) }));
  } catch (error) {
    if (error instanceof DataError) return [];
    throw error;
  }
};

/** Tries all targets that are asked for, one after the other. */
const tryAll = async (
  asked: readonly TargetName[],
  reference: Reference,
  { files, ...work }: Omit<Work, "reference" | "files"> & { readonly files: ShippedByFormat },
): Promise<ParityFile["targets"]> => {
  return inScratch("verify", async (dir) => {
    const found: Record<string, TargetParity> = {};
    const file = join(dir, "reference");
    await writeFile(file, encodeReference(reference));
    for (const target of asked) {
      work.ui.stage(`Trying ${targets[target].title}`);
      const own = files[targets[target].format];
      found[target] = await tryTarget([target, targets[target]], { ...work, files: own, reference: file });
    }
    return found;
  });
};

/** Of what the folder has: size and hash by dtype. */
const recordsOf = async (present: ShippedFiles) => {
  const sizes: Record<string, number> = {};
  const hashes: Record<string, string> = {};
  for (const [dtype, paths] of Object.entries(present)) {
    sizes[dtype] = sizeBytesOf(paths!);
    hashes[dtype] = await sha256Of(paths!);
  }
  return { sizes, hashes };
};

/**
 * Tries every dtype of the folder on every target and writes parity.json and the card's table. What fails is
 * in the result, not thrown; targets that are not on this machine are reported as not checked. Throws
 * ConfigError, DataError and FormatError for what is wrong with the folder or the options.
 */
export const verifyFolder = async (
  dir: string,
  options: VerifyOptions = {},
  ui: Ui = silent,
): Promise<ParityFile> => {
  const { threads = 0, seed = 1, count = 6, timeoutSec = 600, browser, signal } = options;
  const asked = targetsFrom(options.targets ?? Object.keys(targets), "--target");
  const dtypes = options.dtypes === undefined ? undefined : formsFrom(options.dtypes, "--dtype");
  const subject = await subjectIn(dir);
  const present = await shippedIn(dir, subject.arch.kind);
  const files = dtypes === undefined ? present : pickForms(dir, present, dtypes);
  const texts = await promptsOf(dir, subject, options, ui);
  const { sizes, hashes } = await recordsOf({ ...present.onnx, ...present.gguf });
  const engine = await nodeEngine(threads > 0 ? { threads } : {});
  ui.stage("Computing the reference");
  const asRead = { texts, seed, count };
  const { reference: computed, against } = await referenceIn(engine, subject, present.onnx, asRead);
  const split = await splitOf(dir, subject, options);
  const reference = split.length === 0 ? computed : { ...computed, texts: split };
  const { reference: dtype } = against;
  if (dtype !== undefined) ui.line(`no dense weights: compared with the graphs of ${dtype}`);
  const software = options.targets?.includes("web-webgpu") ?? false;
  const place = { files, threads, timeoutMs: 1000 * timeoutSec, software };
  const work = { ...place, ...(browser === undefined ? {} : { browser }), hashes, ui, signal };
  const found = await tryAll(asked, reference, work);
  const before = await earlierParity(dir, hashes, against);
  const result: ParityFile = {
    format: 1,
    versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
    machine: machineName(),
    ...against,
    targets: withInstead(allTargets(found, { titles: targetTitles, before }), sizes),
  };
  if (await isGguf(dir)) ui.line("a file alone: nothing is written beside it");
  else await saveParity(dir, result);
  const own = subject.dtype;
  const fault = result.targets["node-cpu"]?.dtypes[own];
  if (fault?.status === "failed") {
    const use = fault.instead === undefined ? "" : `; put "${fault.instead}" there`;
    ui.warn(`${own}, the dtype of transformers.js_config in config.json, fails on node-cpu${use}`);
  }
  return result;
};
