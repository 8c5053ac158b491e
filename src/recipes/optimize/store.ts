/**
 * A search on disk, in OUT/run/search: study.json says what it is, trials.jsonl what became of each trial,
 * bases/ holds the dense models that it made. One that was killed goes on from there.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import type { Tensor, TensorType } from "../../ir/tensor.ts";
import type { HistoryStep, Model, ModelConfig } from "../../models/model.ts";
import { appendLine, writeFileDurable } from "../../node/files/checkpoints.ts";
import { guarded, makeFolder, remove } from "../../node/files/files.ts";
import type { Keeping, Kept, KeptDense } from "../../search/candidates/keeping.ts";
import type { Point } from "../../search/front/sort.ts";
import { keyOf, type Values } from "../../search/space/space.ts";
import type { Trial } from "../../search/trial.ts";
import { weightFiles } from "../../ship/onnx/export.ts";
import { CheckpointError, ConfigError, DataError } from "../../util/errors.ts";
import { type Tree, unflatten } from "../../util/tree.ts";
import { firstDifference } from "../sweep/log.ts";

const [STUDY, TRIALS, BASES] = ["study.json", "trials.jsonl", "bases"];
/** Largest file of weights, bytes. */
const SHARD = 1e9;

const NUMBERS: Readonly<Record<string, number>> = {
  "#NaN": Number.NaN,
  "#Infinity": Number.POSITIVE_INFINITY,
  "#-Infinity": Number.NEGATIVE_INFINITY,
};

/** JSON of what has numbers that JSON has not. */
export const written = (value: unknown): string =>
  JSON.stringify(value, (_, x: unknown) => (typeof x === "number" && !Number.isFinite(x) ? `#${x}` : x));

/** What such JSON says. */
export const read = (text: string): unknown =>
  JSON.parse(text, (_, x: unknown) => (typeof x === "string" && x in NUMBERS ? NUMBERS[x] : x));

const packed = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString("base64");

const unpacked = (text: string): Float32Array => {
  const bytes = Buffer.from(text, "base64");
  return new Float32Array(Uint8Array.from(bytes).buffer);
};

/** A line of trials.jsonl: a trial begins, is left on purpose, or has ended. */
type Line =
  | { readonly begins: number; readonly values: Values }
  | { readonly leaves: number; readonly values: Values }
  | { readonly record: Kept["record"]; readonly scores?: string };

/** The lines of a log. What follows the last line's end was torn by a crash, and is written again. */
const linesIn = (file: string): Line[] => {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((text, i) => {
      try {
        return read(text) as Line;
      } catch (cause) {
        const hint = "run it again without --resume";
        throw new DataError("is damaged", { file, line: i + 1, cause, hint });
      }
    });
};

const nameOf = (key: string): string => createHash("sha256").update(key).digest("hex").slice(0, 16);

/** What is said of a dense model, in the file that makes it whole. */
export const BASE = "base.json";

interface BaseFile {
  readonly config: ModelConfig;
  readonly history: readonly HistoryStep[];
  readonly files: readonly string[];
  readonly rungs: readonly Point[];
}

const keepDense = async (dir: string, { model: kept, rungs }: KeptDense): Promise<void> => {
  const { config, history, ...model } = kept;
  await makeFolder(dir);
  const files = weightFiles({ config, history, ...model }, SHARD);
  for (const [name, chunks] of files) await writeFileDurable(join(dir, name), chunks);
  const names = Array.from(files.keys()).filter((name) => name.endsWith(".safetensors"));
  const said: BaseFile = { config, history, files: names, rungs };
  // Last: with it the model is whole.
  await writeFileDurable(join(dir, BASE), [Buffer.from(`${written(said)}\n`)]);
};

const readDense = async (dir: string, whole: Model): Promise<KeptDense | undefined> => {
  const file = join(dir, BASE);
  if (!existsSync(file)) return undefined;
  const { config, history, files, rungs = [] } = read(await readFile(file, "utf8")) as BaseFile;
  const tensors = new Map<string, Tensor>();
  for (const name of files) {
    const path = join(dir, name);
    const bytes = await guarded("reading", path, () => readFile(path));
    for (const [key, t] of decodeSafetensors(bytes, path).tensors) tensors.set(key, t);
  }
  const parsed = whole.arch.parse(config) as ModelConfig;
  const types = whole.arch.params(parsed) as Tree<TensorType>;
  const weights = unflatten<TensorType, Tensor>(types, tensors, (path) => {
    throw new CheckpointError("is missing", { file: dir, tensor: path, hint: "run it without --resume" });
  });
  return { model: { ...whole, config: parsed, history, weights }, rungs };
};

/** Whether the configuration at `i` has not come before. */
const isFirst = (all: readonly Values[], values: Values, i: number): boolean =>
  all.findIndex((v) => keyOf(v) === keyOf(values)) === i;

/** What makes one search another, and whether an earlier one is gone on with. */
export interface StoreOptions {
  /** The folder of the run. */
  readonly run: string;
  readonly identity: unknown;
  readonly resume: boolean;
  readonly whole: Model;
  readonly onWarning: (text: string) => void;
}

/** The field in which a folder's search differs, "" where there is none; undefined: it is the same. */
const difference = async (dir: string, identity: unknown): Promise<string | undefined> => {
  const text = await readFile(join(dir, STUDY!), "utf8").catch(() => undefined);
  if (text === undefined) return "";
  return firstDifference(JSON.parse(text), JSON.parse(JSON.stringify(identity)), "");
};

/** Whether the folder holds this very search; what differs is said. */
const isSame = async (dir: string, { identity, onWarning }: StoreOptions): Promise<boolean> => {
  const field = await difference(dir, identity);
  if (field === undefined) return true;
  if (field === "") return false;
  onWarning(`the search in ${dir} differs in ${field}: its trials are not comparable, all are made anew`);
  return false;
};

/** The folder of a run's search. */
export const searchIn = (run: string): string => join(run, "search");

/** The folder of a dense model of the search in `dir`, by its key. */
export const baseIn = (dir: string, key: string): string => join(dir, BASES!, nameOf(key));

/** The dense models of the search in `dir`. */
export const densesIn = (dir: string, whole: Model): Pick<Keeping, "dense" | "keep"> => ({
  dense: (key) => readDense(baseIn(dir, key), whole),
  keep: (key, kept) => keepDense(baseIn(dir, key), kept),
});

/** What one that takes part in a search has of it. */
export interface JoinedStore extends Pick<Keeping, "dense" | "keep"> {
  /** The trials that have ended so far. */
  trials(): readonly Trial[];
}

/**
 * Opens the search of a run that another process has begun. Throws ConfigError where it is another one,
 * naming what
 * differs.
 */
export const joinStore = async (
  options: Pick<StoreOptions, "run" | "identity" | "whole">,
): Promise<JoinedStore> => {
  const dir = searchIn(options.run);
  const field = await difference(dir, options.identity);
  if (field !== undefined) {
    throw new ConfigError(`differs from the search in ${dir}, which this process is to take part in`, {
      field,
      hint: "give the very options and data of the process that began it",
    });
  }
  const trials = () => linesIn(join(dir, TRIALS!)).flatMap((line) => ("record" in line ? [line.record] : []));
  return { ...densesIn(dir, options.whole), trials };
};

/** Opens the search of a run: the one that is there where `resume` is asked for and it is this, else anew. */
export const openStore = async (options: StoreOptions): Promise<Keeping & Pick<JoinedStore, "trials">> => {
  const { run, identity, resume, whole } = options;
  const dir = searchIn(run);
  const file = join(dir, TRIALS!);
  if (!resume || !(await isSame(dir, options))) {
    await remove(dir);
    await makeFolder(dir);
    await writeFileDurable(join(dir, STUDY!), [Buffer.from(`${JSON.stringify(identity, null, 2)}\n`)]);
  }
  const lines = linesIn(file);
  const ended = lines.flatMap((line) => ("record" in line ? [line] : []));
  const begun = lines.flatMap((line) => ("begins" in line ? [line] : []));
  const unended = begun.filter(
    (line) => !ended.some(({ record }) => keyOf(record.values) === keyOf(line.values)),
  );
  const open = unended.map(({ values }) => values);
  const left = lines.flatMap((line) => ("leaves" in line ? [line.values] : []));
  const count = (all: readonly Values[], values: Values): number =>
    all.filter((v) => keyOf(v) === keyOf(values)).length;
  const trials: Trial[] = ended.map(({ record }) => record);
  // Trials that this process is at: each is begun once.
  const own = new Set<number>();
  return {
    trials: () => trials,
    earlier: ended.map(({ record, scores }) => ({
      record,
      ...(scores === undefined ? {} : { scores: unpacked(scores) }),
    })),
    open: unended.flatMap(({ begins, values }, i) =>
      isFirst(open, values, i) ? [{ number: begins, values }] : [],
    ),
    deaths: (values) => count(open, values) - count(left, values),
    begins: (begins, values) => {
      if (!own.has(begins)) appendLine(file, written({ begins, values }));
      own.add(begins);
    },
    leaves: (leaves, values) => {
      appendLine(file, written({ leaves, values }));
      own.delete(leaves);
    },
    ends: ({ record, scores }) => {
      appendLine(file, written({ record, ...(scores === undefined ? {} : { scores: packed(scores) }) }));
      trials.push(record);
    },
    ...densesIn(dir, whole),
  };
};
