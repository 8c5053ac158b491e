/**
 * Parts: what the first phase makes of one input file, a folder of documents, their keys and counts. A
 * part is a pure function of the file and the settings, and its folder's name is their hash: one that is
 * there is not made again, so that an interrupted run goes on where it was.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bandSigner } from "../../data/dedup/bandSigner.ts";
import { type DocumentKeys, keyWriter } from "../../data/dedup/documentKeys.ts";
import type {
  ContaminationIndex,
  EvaluationCounts,
  EvaluationRecord,
} from "../../data/filter/contamination.ts";
import type { FilterParts } from "../../data/filter/filter.ts";
import type { Part } from "../../data/pipeline/part.ts";
import { type PipelineSettings, partStages, stageParts, throughStages } from "../../data/pipeline/stages.ts";
import type { Document, StageReport } from "../../data/records/document.ts";
import { textRepairer } from "../../data/text/repair.ts";
import { DataError } from "../../util/errors.ts";
import { discard, guarded, makeFolder } from "../files/files.ts";
import { rows, rowWriter } from "../files/jsonLines.ts";
import { type ReadOptions, readFileDocuments } from "../read/read.ts";
import { type Skips, skipRecorder } from "../read/skips.ts";
import { type StageClock, stageClock } from "./stageClock.ts";

/** What a part depends on besides its file. */
export interface PartSettings {
  readonly pipeline: PipelineSettings;
  readonly read: ReadOptions;
  /** Evaluation files that must not stand in the data. */
  readonly evaluation: readonly { readonly path: string; readonly sha256: string }[];
}

/** What all parts of a run have in common. */
export interface PartRun {
  /** Folder of all parts. */
  readonly dir: string;
  readonly settings: PartSettings;
}

/** stats.json of a part. */
export interface PartStats extends Skips {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly documents: number;
  /** Words of a row of keys. */
  readonly stride: number;
  readonly docsBytes: number;
  readonly stages: readonly StageReport[];
  /** Evaluation records that were looked for, and those that were too short for it. */
  readonly evaluation?: EvaluationCounts;
}

/** A part that is there, made now or before. */
export interface MadePart {
  /** Name of the folder. */
  readonly folder: string;
  readonly stats: PartStats;
  readonly reused: boolean;
  /** Seconds of each stage; none where the part was there. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** SHA-256 of a file's bytes, in hexadecimal. Throws DataError where it cannot be read. */
export const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }))
      hash.update(chunk as Buffer);
  } catch (cause) {
    throw new DataError(`cannot be read (${(cause as NodeJS.ErrnoException).code})`, { file: path, cause });
  }
  return hash.digest("hex");
};

/** A short hash of anything that is JSON, whatever the order of its fields. */
export const jsonHash = (value: unknown): string => {
  const sorted = (_: string, v: unknown): unknown =>
    typeof v === "object" && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v;
  return createHash("sha256").update(JSON.stringify(value, sorted)).digest("hex").slice(0, 16);
};

/** What of the settings decides a part: later stages may change without it. */
const deciding = ({ pipeline, read, evaluation }: PartSettings): unknown => {
  const { seed, near, banding, repair, filter } = pipeline;
  const hashes = evaluation.map(({ sha256 }) => sha256);
  return { version: 3, read, seed, near, banding, repair, filter, evaluation: hashes };
};

const readStats = async (dir: string): Promise<PartStats | undefined> => {
  try {
    const stats = JSON.parse(await readFile(join(dir, "stats.json"), "utf8")) as PartStats;
    const [docs, keys] = await Promise.all(["docs.jsonl", "keys.bin"].map((name) => stat(join(dir, name))));
    const whole = docs!.size === stats.docsBytes && keys!.size === 4 * stats.documents * stats.stride;
    return whole ? stats : undefined;
  } catch {
    return undefined;
  }
};

const evaluationCounts = ({ records, tooShort }: ContaminationIndex): EvaluationCounts => ({
  records,
  tooShort,
});

interface Making {
  readonly path: string;
  readonly sha256: string;
  /** Where its files go. */
  readonly dir: string;
  readonly settings: PartSettings;
  readonly filters: FilterParts;
}

const write = async (
  { path, sha256, dir, settings, filters }: Making,
  clock: StageClock,
): Promise<PartStats> => {
  const { onSkip, skips, withReading } = skipRecorder();
  const keys = keyWriter(bandSigner(settings.pipeline));
  const read = clock.wrap("read", readFileDocuments(path, { ...settings.read, onSkip }));
  const { documents, reports } = throughStages(read, partStages(settings.pipeline, filters), clock.wrap);
  const out = rowWriter(join(dir, "docs.jsonl"));
  try {
    for await (const doc of documents) {
      clock.measure("keys", () => keys.add(doc));
      await out.add(doc);
    }
  } finally {
    await out.close();
  }
  const { words, count, stride } = keys.take();
  const sizes = await Promise.all([path, join(dir, "docs.jsonl")].map((file) => stat(file)));
  const stats: PartStats = {
    path,
    sizeBytes: sizes[0]!.size,
    sha256,
    documents: count,
    stride,
    docsBytes: sizes[1]!.size,
    stages: settings.read.skipBadRows ? withReading(reports()) : reports(),
    ...skips(),
    ...(filters.index === undefined ? {} : { evaluation: evaluationCounts(filters.index) }),
  };
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  await guarded("writing", dir, () => writeFile(join(dir, "keys.bin"), bytes));
  await guarded("writing", dir, () => writeFile(join(dir, "stats.json"), JSON.stringify(stats)));
  return stats;
};

/**
 * What of evaluation files is looked for: of conversations each message but the system's, of records without
 * a field that is known each text. They are repaired as documents are, or the two would not meet.
 */
async function* evaluationRecords(settings: PartSettings): AsyncGenerator<EvaluationRecord> {
  const { read, pipeline } = settings;
  const { fields, sourceField, groupField, delimiter, ...rest } = read;
  const run = textRepairer(pipeline.repair);
  for (const { path } of settings.evaluation) {
    for await (const { id, text, turns } of readFileDocuments(path, { ...rest, every: true })) {
      const parts = turns?.filter(({ role }) => role !== "system").map(({ content }) => content) ?? [text];
      yield { id, text, parts: parts.map((part) => run(part).text) };
    }
  }
}

/** The filters' parts, from the evaluation files that the settings name. */
export const filterParts = async (settings: PartSettings): Promise<FilterParts> => {
  const records: EvaluationRecord[] = [];
  for await (const record of evaluationRecords(settings)) records.push(record);
  return stageParts(settings.pipeline, records);
};

/**
 * Makes the part of one file, or finds it made; what all parts need is readied once. It throws DataError of
 * reading, RunError of writing.
 */
export const partMaker = ({ dir, settings }: PartRun): ((path: string) => Promise<MadePart>) => {
  const hash = jsonHash(deciding(settings));
  let filters: Promise<FilterParts> | undefined;
  return async (path) => {
    const sha256 = await sha256Of(path);
    const folder = `${jsonHash([path, sha256])}-${hash}`;
    const place = join(dir, folder);
    const found = await readStats(place);
    if (found !== undefined) return { folder, stats: found, reused: true, seconds: {} };
    filters ??= filterParts(settings);
    const ready = await filters;
    const clock = stageClock();
    const temporary = `${place}.tmp-${process.pid}`;
    try {
      await discard(temporary);
      await makeFolder(temporary);
      const making = { path, sha256, dir: temporary, settings, filters: ready };
      const stats = await write(making, clock);
      if (existsSync(place)) await discard(place);
      await guarded("renaming", place, () => rename(temporary, place));
      return { folder, stats, reused: false, seconds: clock.seconds() };
    } finally {
      await discard(temporary);
    }
  };
};

/** A part that can be read. */
export interface OpenPart extends Part {
  readonly stats: PartStats;
}

/** A part in its folder, as the merge reads it. Throws DataError where it is not whole. */
export const openPart = async (dir: string): Promise<OpenPart> => {
  const stats = await readStats(dir);
  if (stats === undefined) {
    throw new DataError("is no whole part", { file: dir, hint: "run the shard that makes it again" });
  }
  const keys = async (): Promise<DocumentKeys> => {
    const bytes = await readFile(join(dir, "keys.bin"));
    const words = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    return { count: stats.documents, stride: stats.stride, words };
  };
  return { stats, stages: stats.stages, keys, documents: () => rows<Document>(join(dir, "docs.jsonl")) };
};
