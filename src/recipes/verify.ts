/** Verifies a shipped folder: every dtype on every target against the dense model. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeReference } from "../evaluate/reference.ts";
import { graphNames } from "../evaluate/trial.ts";
import type { Model } from "../models/model.ts";
import { nodeEngine } from "../node/engine.ts";
import { loadModel } from "../node/folder.ts";
import { readTokenizer } from "../node/tokenizerFiles.ts";
import type { GraphName } from "../serve/graphs.ts";
import { type ExportDtype, exportDtypes, graphFile } from "../ship/dtype.ts";
import { dtypesFrom } from "../ship/export.ts";
import {
  allTargets,
  type Candidate,
  type DtypeParity,
  insteadOf,
  judged,
  type ParityFile,
  statusOf,
  type Target,
  type TargetParity,
  targets,
} from "../ship/verify.ts";
import { referenceOf } from "../ship/verifyReference.ts";
import { type AnnealError, ConfigError, DataError, MissingError } from "../util/errors.ts";
import { earlierParity, machineName, saveParity } from "./parityFile.ts";
import { type Graphs, openers, type Place } from "./targets.ts";
import { silent, type Ui } from "./ui.ts";
import { version } from "./version.ts";

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

const known = <T extends string>(given: readonly string[], all: readonly T[], field: string): T[] =>
  given.map((name) => {
    const found = all.find((other) => other === name);
    if (found !== undefined) return found;
    throw new ConfigError(`must be of ${all.join(", ")}, not ${name}`, { field });
  });

type AllGraphs = Readonly<Partial<Record<ExportDtype, Graphs>>>;

/** The graphs of each dtype that the folder has. Throws DataError where it has none. */
const graphsIn = (dir: string, names: readonly string[]): AllGraphs => {
  const found = (Object.keys(exportDtypes) as ExportDtype[]).flatMap((dtype) => {
    const paths = names.map((name) => [name, join(dir, graphFile(name as GraphName, dtype))] as const);
    return paths.every(([, path]) => existsSync(path)) ? [[dtype, Object.fromEntries(paths)] as const] : [];
  });
  if (found.length > 0) return Object.fromEntries(found);
  const hint = "anneal export makes graphs of a model.safetensors";
  throw new DataError("has no graph of any dtype", { file: join(dir, "onnx"), hint });
};

/** Those of the dtypes that are asked for. Throws DataError where one is not in the folder. */
const picked = (dir: string, all: AllGraphs, wanted: readonly string[] | undefined): AllGraphs => {
  if (wanted === undefined) return all;
  const asked = dtypesFrom(wanted, "--dtype");
  const missing = asked.find((dtype) => all[dtype] === undefined);
  if (missing !== undefined) {
    const hint = `it has ${Object.keys(all).join(", ")}`;
    throw new DataError(`has no graph of ${missing}`, { file: join(dir, "onnx"), hint });
  }
  return Object.fromEntries(Object.entries(all).filter(([dtype]) => asked.includes(dtype as ExportDtype)));
};

const sha256Of = async (paths: readonly string[]): Promise<string> => {
  const hash = createHash("sha256");
  for (const path of paths) for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
};

/** A dtype's files, weights beside the graphs included. */
const filesOf = (graphs: Graphs): string[] =>
  Object.values(graphs).flatMap((path) => [path, ...(existsSync(`${path}_data`) ? [`${path}_data`] : [])]);

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).trim();

interface Work {
  readonly graphs: Readonly<Partial<Record<ExportDtype, Graphs>>>;
  readonly hashes: Readonly<Record<string, string>>;
  readonly ui: Ui;
  readonly signal?: AbortSignal | undefined;
}

const withInstead = (found: Readonly<Record<string, DtypeParity>>, { graphs }: Work) => {
  const size = (dtype: string) =>
    filesOf(graphs[dtype as ExportDtype]!).reduce((sum, path) => sum + statSync(path).size, 0);
  const candidates = new Map(
    Object.entries(found).map(([dtype, { status }]): [string, Candidate] => [
      dtype,
      { status, sizeBytes: size(dtype) },
    ]),
  );
  const added = Object.entries(found).map(([dtype, parity]) => {
    const instead = parity.status === "failed" ? insteadOf(dtype, candidates) : undefined;
    return [dtype, instead === undefined ? parity : { ...parity, instead }] as const;
  });
  return Object.fromEntries(added);
};

/** What `work` gives, or at once the reason of an abort. */
const unlessAborted = <T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> =>
  new Promise((resolve, reject) => {
    work.then(resolve, reject);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const tryDtypes = async (target: Target, place: Place, work: Work): Promise<TargetParity> => {
  const names = Object.keys(work.graphs) as ExportDtype[];
  const task = work.ui.task(target, names.length);
  const found: Record<string, DtypeParity> = {};
  let engine: string | undefined;
  for (const [i, dtype] of names.entries()) {
    work.signal?.throwIfAborted();
    task.update(i, { dtype });
    if (exportDtypes[dtype].half && place.float16 === false) {
      found[dtype] = { status: "not checked", reason: "the adapter has no float16" };
      continue;
    }
    try {
      const { engine: name, ...trial } = await unlessAborted(place.trial(dtype), work.signal);
      engine = name;
      found[dtype] = judged(dtype, trial);
    } catch (error) {
      work.signal?.throwIfAborted();
      found[dtype] = { status: "failed", reason: messageOf(error) };
    }
    found[dtype] = { ...found[dtype]!, sha256: work.hashes[dtype]! };
  }
  const all = withInstead(found, work);
  task.done(
    `${target}: ${Object.entries(all)
      .map(([dtype, { status }]) => `${dtype} ${status}`)
      .join(", ")}`,
  );
  return {
    status: statusOf(all),
    ...(engine === undefined ? {} : { engine }),
    ...(place.device === undefined ? {} : { device: place.device }),
    dtypes: all,
  };
};

const notChecked = ({ message, details }: AnnealError): TargetParity => ({
  status: "not checked",
  reason: message.trim(),
  ...(details.hint === undefined ? {} : { hint: details.hint }),
  dtypes: {},
});

/** Texts as the model reads them: those of encoders stand between their special tokens. */
const tokensOf = async (dir: string, { arch }: Model, texts: readonly string[]): Promise<number[][]> => {
  const tokenizer = await readTokenizer(dir);
  return texts.map((text) =>
    Array.from(arch.kind === "decoder" ? tokenizer.encode(text) : tokenizer.encodeInputs(text).ids),
  );
};

/** The texts' tokens; without a tokenizer and without texts of the user's, none: ids are drawn instead. */
const promptsOf = async (dir: string, model: Model, options: VerifyOptions, ui: Ui): Promise<number[][]> => {
  if (options.prompts !== undefined) return tokensOf(dir, model, options.prompts);
  try {
    return await tokensOf(dir, model, defaultPrompts);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    ui.line(`${error.message}: the prompts are ids drawn from the vocabulary`);
    return [];
  }
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
  const { threads = 0, seed = 1, timeoutSec = 600, browser, signal } = options;
  const all = Object.keys(targets) as Target[];
  const asked = options.targets === undefined ? all : known(options.targets, all, "--target");
  const { model } = await loadModel(dir);
  const texts = await promptsOf(dir, model, options, ui);
  const engine = await nodeEngine(threads > 0 ? { threads } : {});
  ui.stage("Computing the reference");
  const reference = await referenceOf(engine, model, {
    texts,
    seed,
    count: options.count ?? 6,
  });
  const present = graphsIn(dir, graphNames(reference));
  const graphs = picked(dir, present, options.dtypes);
  const hashes: Record<string, string> = {};
  for (const [dtype, paths] of Object.entries(present)) hashes[dtype] = await sha256Of(filesOf(paths!));
  const temporary = await mkdtemp(join(tmpdir(), "anneal-verify-"));
  const found: Partial<Record<Target, TargetParity>> = {};
  try {
    const file = join(temporary, "reference");
    await writeFile(file, encodeReference(reference));
    const given = { reference: file, graphs, threads, timeoutMs: 1000 * timeoutSec };
    for (const target of asked) {
      ui.stage(`Trying ${targets[target]}`);
      found[target] = await tryTarget(
        target,
        { ...given, ...(browser === undefined ? {} : { browser }) },
        {
          graphs,
          hashes,
          ui,
          signal,
        },
      );
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  const result: ParityFile = {
    format: 1,
    versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
    machine: machineName(),
    targets: allTargets(found, await earlierParity(dir, hashes)),
  };
  await saveParity(dir, result);
  return result;
};

const tryTarget = async (
  target: Target,
  options: Parameters<(typeof openers)[Target]>[0],
  work: Work,
): Promise<TargetParity> => {
  let place: Place;
  try {
    place = await openers[target](options);
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    work.ui.line(`${target}: not checked: ${messageOf(error)}`);
    return notChecked(error);
  }
  try {
    return await tryDtypes(target, place, work);
  } finally {
    await place.close();
  }
};
