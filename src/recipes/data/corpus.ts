/**
 * From the user's files to token streams, by the pipeline of `anneal data`: in memory where the text is
 * small, else over files, with the same stages and the same result. Token shards that are made already are
 * read.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PieceSource } from "../../data/batch/windows.ts";
import { isLookedFor } from "../../data/filter/contamination.ts";
import {
  type DataReport,
  type Document,
  pack,
  type TokenSource,
  type TokenStream,
} from "../../data/index.ts";
import type { Part } from "../../data/pipeline/part.ts";
import { type Merged, memorySpool, mergeParts, partOf } from "../../data/pipeline/pipeline.ts";
import { VALIDATION } from "../../data/records/splits.ts";
import { readJson } from "../../node/model/modelFile.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { filterParts } from "../../node/prepare/parts.ts";
import { readIndex, shardSource } from "../../node/prepare/shards.ts";
import type { InputFile } from "../../node/read/inputs.ts";
import { listInputs, readFileDocuments } from "../../node/read/read.ts";
import { allSkips, type Skips, skipRecorder, toldSkips } from "../../node/read/skips.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { Ui } from "../context/ui.ts";
import { prepareData } from "./data.ts";
import { inputsOf, labelFields, partSettings, pipelineSettings, targetTexts } from "./inputs.ts";
import { learnTokenizer } from "./output.ts";
import { describeEvaluation, describeStages } from "./stages.ts";

/** Tokens to train on, in memory or in files. */
export interface TrainStream extends Omit<TokenStream, "tokens"> {
  readonly tokens: TokenSource;
}

/** Text as a run trains and measures on it. */
export interface Corpus {
  readonly tokenizer: Tokenizer;
  readonly train: TrainStream;
  readonly validation: TokenStream;
  readonly report: DataReport;
  /** Records left out because they could not be read. */
  readonly skipped: readonly string[];
  /** Windows that documents were laid into, where they were: the tokens of `train`. */
  readonly packed?: {
    readonly tokens: PieceSource;
    /** Tokens of a window: the context and one more. */
    readonly window: number;
    readonly documentMask: boolean;
  };
}

/** Text above this size is prepared over files, bytes. */
const LARGE = 2 ** 26;
/** Held-out tokens that are taken into memory. */
const HELD_OUT = 2 ** 21;

const describeTokens = ({ train, validation }: Corpus, ui: Ui): void => {
  const perToken = (train.bytes / train.tokens.length).toFixed(2);
  const held = `${validation.tokens.length} held out`;
  ui.line(`tokens: ${train.tokens.length} to train on, ${held}, ${perToken} bytes a token`);
};

const partsInMemory = async (
  files: readonly InputFile[],
  options: RunOptions,
  { ui, signal }: CorpusHooks,
): Promise<{ readonly parts: Part[]; readonly skipped: readonly string[] }> => {
  const settings = await partSettings(options, files);
  const { pipeline, read } = settings;
  const filters = await filterParts(settings);
  describeEvaluation(filters.index, ui);
  const task = ui.task("reading", 0);
  let count = 0;
  async function* counted(documents: AsyncGenerator<Document>): AsyncGenerator<Document> {
    for await (const doc of documents) {
      signal?.throwIfAborted();
      task.update(++count);
      yield doc;
    }
  }
  const parts: Part[] = [];
  const each: Skips[] = [];
  for (const file of files) {
    const { onSkip, skips, withReading } = skipRecorder();
    const part = await partOf(counted(readFileDocuments(file, { ...read, onSkip })), pipeline, filters);
    parts.push(read.skipBadRows ? { ...part, stages: withReading(part.stages) } : part);
    each.push(skips());
  }
  task.done(`read ${count} documents`);
  const all = allSkips(each);
  if (all.skippedCount > 0) ui.warn(toldSkips(all));
  return { parts, skipped: all.skipped };
};

const packed = async (merged: Merged, tokenizer: Tokenizer) => {
  const train: Document[] = [];
  const validation: Document[] = [];
  for await (const [doc, part] of merged.documents()) (part === VALIDATION ? validation : train).push(doc);
  return { train: pack(train, tokenizer), validation: pack(validation, tokenizer) };
};

type CorpusHooks = Pick<RecipeHooks, "ui" | "signal">;

const inMemory = async (
  files: readonly InputFile[],
  given: RunOptions,
  hooks: CorpusHooks,
  tokenizer?: Tokenizer,
): Promise<Corpus> => {
  // Training has no use for a third part.
  const options = { ...given, data: { ...given.data, testShare: 0 } };
  const { parts, skipped } = await partsInMemory(files, options, hooks);
  const target = await targetTexts(options);
  const merged = await mergeParts(parts, pipelineSettings(options), {
    spool: memorySpool,
    labels: labelFields(options),
    ...(target === undefined ? {} : { target }),
  });
  describeStages(merged.report, hooks.ui);
  const made = tokenizer ?? (await learnTokenizer(merged, options, hooks.ui));
  return { tokenizer: made, ...(await packed(merged, made)), report: merged.report, skipped };
};

/** What the folder's report says of its stages. Throws DataError, and as `readJson` does. */
const reportOf = async (dir: string): Promise<DataReport> => {
  const report = (await readJson(dir, "report.json")) as Partial<DataReport> | null;
  const sound = (stage: Partial<DataReport["stages"][number]> | null): boolean =>
    typeof stage?.name === "string" &&
    [stage.docsIn, stage.docsOut, stage.bytesIn, stage.bytesOut].every(Number.isFinite) &&
    Array.isArray(stage.reasons);
  const stages: unknown = report?.stages;
  if (Array.isArray(stages) && stages.every(sound)) return { stages };
  throw new DataError("does not say what its stages did", {
    file: join(dir, "report.json"),
    hint: "make it with: anneal data",
  });
};

/** The token shards in a folder as a corpus; ids to train on stay in their files. Throws DataError. */
export const shardCorpus = async (dir: string, skipped: readonly string[] = []): Promise<Corpus> => {
  const index = readIndex(dir);
  const tokenizer = await readTokenizer(dir);
  if (tokenizer.vocabSize !== index.vocabSize) {
    throw new ConfigError(`its tokenizer has ${tokenizer.vocabSize} tokens, its index ${index.vocabSize}`, {
      file: dir,
    });
  }
  const train = shardSource(dir, index, "train");
  const validation = shardSource(dir, index, "validation");
  const held = validation.subarray(0, Math.min(HELD_OUT, validation.length));
  validation.close();
  const report = await reportOf(dir);
  const { documentMask, window } = index;
  return {
    tokenizer,
    train: { ...index.splits.train!, tokens: train },
    validation: { ...index.splits.validation!, tokens: Uint32Array.from(held) },
    report,
    skipped,
    ...(window === undefined ? {} : { packed: { tokens: train, window, documentMask } }),
  };
};

const isShards = (paths: readonly string[]): boolean =>
  paths.length === 1 &&
  existsSync(join(paths[0]!, "index.json")) &&
  existsSync(join(paths[0]!, "tokenizer.json"));

const fromShards = async (dir: string, tokenizer?: Tokenizer): Promise<Corpus> => {
  const corpus = await shardCorpus(dir);
  if (tokenizer === undefined) return corpus;
  const ours = JSON.stringify(corpus.tokenizer.files().tokenizer);
  if (ours === JSON.stringify(tokenizer.files().tokenizer)) return corpus;
  throw new ConfigError("was packed with another tokenizer than the model's", {
    file: dir,
    hint: "make it with: anneal data ... --from MODEL",
  });
};

/**
 * The text of held-out files as it stands, repaired: nothing of it is dropped. Throws DataError where there
 * is none.
 */
const heldOutTexts = async (options: RunOptions, hooks: CorpusHooks): Promise<Document[]> => {
  const paths = options.data.validation;
  const off = { near: "off", lines: "off", substrings: 0 } as const;
  const none = { rules: [], thresholds: [], languages: [], decontaminate: [] };
  const asItStands = { ...options, data: { ...options.data, ...none, ...off } };
  const { parts } = await partsInMemory(await listInputs(paths), asItStands, hooks);
  const documents: Document[] = [];
  for (const part of parts) for await (const doc of part.documents()) documents.push(doc);
  if (documents.some(({ text }) => text.trim() !== "")) return documents;
  throw new DataError("has no text to measure on", {
    file: paths.join(", "),
    hint: "name files with text, or leave out --validation: a share is held out then",
  });
};

/**
 * What is trained on beside held-out texts: all of the text, but for what has passages of theirs. Texts of a
 * few words each are not looked for: others have them by chance.
 */
const besideHeldOut = (options: RunOptions, held: readonly Document[], { ui }: CorpusHooks): RunOptions => {
  const { validation, decontaminate } = options.data;
  const long = held.some(({ text }) => isLookedFor(text));
  if (!long) ui.warn("the held-out texts are too short to be looked for in those that are trained on");
  const apart = long ? [...decontaminate, ...validation] : decontaminate;
  return { ...options, data: { ...options.data, validationShare: 0, decontaminate: apart } };
};

/** Reads and prepares the corpus; with `tokenizer`, for a model that has one already. */
export const corpus = async (
  given: RunOptions,
  hooks: CorpusHooks & Partial<RecipeHooks>,
  tokenizer?: Tokenizer,
): Promise<Corpus> => {
  const { paths, validation } = given.data;
  const held = validation.length === 0 ? undefined : await heldOutTexts(given, hooks);
  const options = held === undefined ? given : besideHeldOut(given, held, hooks);
  let made: Corpus;
  if (isShards(paths)) {
    made = await fromShards(paths[0]!, tokenizer);
    if (held !== undefined)
      hooks.ui.warn(`nothing of the held-out texts is looked for in ${paths[0]}, made before`);
  } else {
    const files = await inputsOf(options, hooks);
    const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const packsFile = options.data.packing !== "concat" || total > LARGE;
    made = packsFile
      ? await overFiles(options, hooks, tokenizer)
      : await inMemory(files, options, hooks, tokenizer);
  }
  if (held !== undefined) made = { ...made, validation: pack(held, made.tokenizer) };
  describeTokens(made, hooks.ui);
  return made;
};

/** Prepares a large corpus in OUT/run/data, where a later run of the same options finds its parts. */
const overFiles = async (
  options: RunOptions,
  { command = "", ...hooks }: CorpusHooks & Partial<RecipeHooks>,
  tokenizer?: Tokenizer,
): Promise<Corpus> => {
  const out = join(options.out, "run", "data");
  const data = { ...options.data, format: "tokens" as const, testShare: 0 };
  const run = tokenizer === undefined ? {} : { tokenizer };
  const made = await prepareData({ ...options, out, data }, { ...hooks, command }, run);
  return shardCorpus(out, made!.skipped);
};
